"""Lines of hooks."""

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
