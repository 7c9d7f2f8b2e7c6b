"""agent.host.script: faults in a service's file are traced to its own lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import scripts as config_scripts
from agent.host import script as host_script
from agent.host.script import ScriptError, format_traceback, hooks_named, load, summary, where


@pytest.fixture(autouse=True)
def same_interpreter_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def script(folder: Path, text: str) -> Path:
    path = folder / "pump-alarms.py"
    path.write_text(text)
    return path


def test_hooks_are_found(tmp_path: Path) -> None:
    """Functions with a hook's name are hooks, everything else is the service's own business."""
    hooks, _ = load(script(tmp_path, "def on_event(event): return event + 1\ndef helper(): pass\n"))

    assert ["on_event"] == list(hooks)
    assert 2 == hooks["on_event"](1)


def test_modules_beside_the_script_can_be_imported(tmp_path: Path) -> None:
    """A service may have more files; they stand behind every library, so `json.py` hides nothing."""
    (tmp_path / "pump_words.py").write_text("WORD = 'pump'\n")
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('a library was hidden')\n")

    hooks, _ = load(
        script(tmp_path, "import colorsys\nfrom pump_words import WORD\ndef on_event(event): return WORD\n")
    )

    assert "pump" == hooks["on_event"](None)


def test_fault_in_another_file_of_the_service(tmp_path: Path) -> None:
    """The innermost line of the service's own is named, not that of a library below it."""
    (tmp_path / "pump_words.py").write_text("import json\nx = 1\njson.loads('{')\n")

    with pytest.raises(ScriptError) as caught:
        load(script(tmp_path, "import pump_words\n"))

    assert caught.value.sentence.startswith(f"{tmp_path}/pump_words.py:3: json.decoder.JSONDecodeError: ")
    assert "importlib" not in caught.value.detail.splitlines()[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("on_event = 3\n", "on_event is a int, expected a function"),
        ("def on_http(): pass\n", ":1: on_http() cannot be called as on_http(request)"),
        ("def on_event(e): pass\ndef on_startup(x): pass\n", ":2: on_startup(x) cannot be called as on_startup()"),
        ("def on_startup(): pass\n", "defines none of on_event, on_input"),
    ],
)
def test_hooks_that_cannot_be_called(tmp_path: Path, text: str, sentence: str) -> None:
    """A wrong hook is refused at the start, not at the first event."""
    with pytest.raises(ScriptError) as caught:
        load(script(tmp_path, text))

    assert sentence in caught.value.sentence


def test_missing_script(tmp_path: Path) -> None:
    """A script that is not there is named."""
    with pytest.raises(ScriptError, match=r"gone\.py.*No such file"):
        load(tmp_path / "gone.py")


class _Nasty(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def test_nasty_exceptions_do_no_harm(tmp_path: Path) -> None:
    """An exception that cannot even be printed is still reported."""
    error = _Nasty()

    assert "_Nasty" in summary(error)
    assert "_Nasty" in format_traceback(error)
    assert str(tmp_path / "x.py") == where(error, tmp_path / "x.py")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def on_http(request): pass", True),
        ("async def on_http(request): pass", True),
        ("from lib import answer as on_http", True),
        ("def on_event(event): pass\non_http = on_event", True),
        ("def on_event(event):\n    def on_http(): pass", False),
        ("# on_http", False),
        ("def on_http(", False),
        ("\0", False),
    ],
)
def test_a_hook_is_seen_without_running_the_script(tmp_path: Path, script: str, expected: bool) -> None:
    """For the time before a worker has loaded it; a script that cannot be read defines nothing."""
    path = tmp_path / "s.py"
    path.write_text(script)
    assert expected is ("on_http" in hooks_named(path))
    assert not hooks_named(tmp_path / "none.py")


def test_the_check_knows_the_same_hooks() -> None:
    """`iadmin config check` and the worker agree on what makes a service."""
    assert config_scripts.CALLED == host_script.CALLED
