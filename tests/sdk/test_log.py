"""Lines of hooks."""

from typing import Any

import pytest

from agent.sdk.log import Log


def test_values_are_put_in_as_in_logging() -> None:
    """A text without values may hold any sign."""
    lines: list[tuple[str, str]] = []
    log = Log(lambda level, text: lines.append((level, text)), lambda: True)
    log.debug("%s", 1)
    log.info("100% plain")
    log.warning("%s is %d%%", "disk", 99)
    log.error("x")
    assert [("debug", "1"), ("info", "100% plain"), ("warn", "disk is 99%"), ("error", "x")] == lines
    assert log.is_debug


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("text", "values", "line"),
    [
        ("{0} reports", ("P-1",), "{0} reports P-1"),
        ("100% %s", (1,), "100% %s 1"),
        ("%d", ("x",), "%d x"),
        ("%s %s", (1,), "%s %s 1"),
        ("%s", (Unshowable(),), "%s <Unshowable>"),
        (None, (), "None"),
    ],
)
def test_a_format_that_does_not_fit_fails_nothing(text: Any, values: tuple[object, ...], line: str) -> None:
    """The line has all that was given; the original writes `{0}`, and whoever translates forgets one."""
    lines: list[tuple[str, str]] = []
    Log(lambda level, said: lines.append((level, said))).info(text, *values)
    assert [("info", line)] == lines
