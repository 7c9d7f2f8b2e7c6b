"""`context.log`: what a hook writes into the agent's log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs


class LogSink(Protocol):
    """Where log lines go; the worker process has one."""

    def __call__(self, level: str, text: str, event_id: str) -> None: ...


def drop(level: str, text: str, event_id: str) -> None:
    """Outside a worker process there is no agent to log to."""


@attrs.frozen
class Log:
    """`context.log`: lines in the agent's log, under the service's name and with the id of the event in hand.

    Arguments are put in with `%`, as in Python's own `logging`, which arrives in the agent's log as well:

        context.log.info("host %s is back after %d s", host, seconds)
    """

    _write: Callable[[str, str], None]
    _is_debug: Callable[[], bool] = lambda: False

    @property
    def is_debug(self) -> bool:
        """Whether debug lines were written when the service was started: for what takes long to put into words."""
        return self._is_debug()

    def debug(self, text: str, *values: object) -> None:
        """What only helps to find a bug; not written by default."""
        self._write("debug", _put_in(text, values))

    def info(self, text: str, *values: object) -> None:
        """What happened; one line for each thing that matters."""
        self._write("info", _put_in(text, values))

    def warning(self, text: str, *values: object) -> None:
        """What somebody should mend."""
        self._write("warn", _put_in(text, values))

    def error(self, text: str, *values: object) -> None:
        """What failed."""
        self._write("error", _put_in(text, values))


def _put_in(text: object, values: tuple[object, ...]) -> str:
    """Never raises: an alarm must not fail over the line that was to tell of it."""
    try:
        return str(text) % values if values else str(text)
    except Exception:
        # A format that does not fit, or a value that cannot be shown.
        return f"{_shown(text)} {' '.join(map(_shown, values))}"


def _shown(value: object) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
