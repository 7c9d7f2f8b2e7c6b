"""Who is to blame, said once: the few error types of the agent.

Each type names the party that can mend the fault, because that decides where the sentence goes: to the sender as an
HTTP answer, to the operator as a line and an exit status, to the author of a service as a dead letter's reason.

Every error carries `code` (stable, lower case with hyphens; scripts and metrics may rely on it) and `sentence` (one
sentence for a person: value found, value expected, where, what to do). Secrets never enter a sentence.
"""

from __future__ import annotations

import enum
from typing import Final


class ExitStatus(enum.IntEnum):
    """Exit statuses of all our commands, after BSD's sysexits.h."""

    OK = 0
    FAILED = 1
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    OS_ERROR = 71
    CANNOT_CREATE = 73
    IO_ERROR = 74
    TEMPORARY = 75
    NO_PERMISSION = 77
    CONFIG = 78


class AgentError(Exception):
    """The root: never raised itself, caught at the one border of each task."""

    exit_status: ExitStatus = ExitStatus.SOFTWARE

    def __init__(self, code: str, sentence: str, *, exit_status: ExitStatus | None = None) -> None:
        super().__init__(sentence)
        self.code: Final = code
        self.sentence: Final = sentence
        if exit_status is not None:
            self.exit_status = exit_status

    @property
    def lines(self) -> tuple[str, ...]:
        """What a terminal shows: one line, or one per fault where many are reported at once."""
        return (self.sentence,)


class OperatorError(AgentError):
    """The operator can mend it: configuration, arguments, files of the home."""

    exit_status = ExitStatus.CONFIG


class MachineError(AgentError):
    """The machine refuses: a port in use, a full or failing disk, a process that cannot be started."""

    exit_status = ExitStatus.UNAVAILABLE


class ServiceError(AgentError):
    """An integration service failed: it raised, overran its time, broke its worker or sent nonsense.

    `retryable` is false when running the same event again cannot help; `after_s` is the pause the service asked for.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        retryable: bool = True,
        after_s: float | None = None,
        traceback: str = "",
    ) -> None:
        super().__init__(code, sentence)
        self.retryable: Final = retryable
        self.after_s: Final = after_s
        self.traceback: Final = traceback


class DestinationError(AgentError):
    """The far end of a destination failed: unreachable, refused, or answered with an error.

    `retryable` is false when the same request would be refused again (most 4xx answers).
    """

    def __init__(self, code: str, sentence: str, *, retryable: bool = True, after_s: float | None = None) -> None:
        super().__init__(code, sentence)
        self.retryable: Final = retryable
        self.after_s: Final = after_s


class SenderError(AgentError):
    """The sender of a request is to blame, or must be told to come back: becomes an HTTP answer.

    `status` is the HTTP status, `title` the short name of the problem (RFC 9457), `sentence` its detail. `close` asks
    for the connection to end after the answer, because what follows on it cannot be trusted or would be too much.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        status: int,
        title: str,
        close: bool = False,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, sentence)
        self.status: Final = status
        self.title: Final = title
        self.close: Final = close
        self.headers: Final = headers
