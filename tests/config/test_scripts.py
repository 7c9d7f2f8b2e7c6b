"""What is seen of a script without running it."""

import pytest

from agent.config.scripts import script_fault

NO_HOOK = (0, "defines none of on_event, on_input, on_response, on_callback, on_http, so nothing could reach it")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"def on_event(event):\n    pass\n", None),
        (b"async def on_http(request):\n    pass\n", None),
        (b"def on_callback(message):\n    pass\n", None),
        (b"from hooks import *\n", None),
        (b"from hooks import on_event\n", None),
        (b"import no_such_module\ndef on_event(e): pass\n", None),
        (b"x = 1\n\ndef on_event(e:\n    pass\n", (3, "SyntaxError: '(' was never closed")),
        (b"def on_event(e): pass\nreturn 1\n", (2, "SyntaxError: 'return' outside function")),
        (
            b"def on_evnt(e): pass\n",
            NO_HOOK,
        ),
        (b"", NO_HOOK),
    ],
)
def test_faults_are_named_with_their_line(script: bytes, expected: object) -> None:
    """Syntax as the worker's Python has it, and a hook that is nowhere."""
    assert expected == script_fault(script, "x.py")


def test_nothing_that_a_file_holds_ends_the_check() -> None:
    """Bytes that are no text, nesting without end."""
    for data in (b"\x00", b"\xff\xfe\x00", b"# coding: klingon\n", b"(" * 100_000):
        found = script_fault(data, "x.py")
        assert found is not None


def test_a_script_is_not_run() -> None:
    """The check must be harmless, also beside a running agent."""
    assert script_fault(b"raise SystemExit(3)\ndef on_event(e): pass\n", "x.py") is None
