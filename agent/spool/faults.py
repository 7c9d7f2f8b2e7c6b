"""What a failing store says, and to whom: the sender gets an answer to come back, the operator a sentence."""

from __future__ import annotations

from typing import Final

import apsw

from agent.errors import ExitStatus, MachineError, SenderError
from agent.spool import doubt
from agent.spool.batch import FAULTS_OF_ONE

FULL: Final = "store-full"
"""The code of a full disk: it is neither damaged nor doubtful, and recovers by itself."""

RETRY_FULL_S: Final = 30
"""Space does not come back by itself within seconds."""
RETRY_FAILED_S: Final = 10
RETRY_BUSY_S: Final = 1
"""The backlog of a moment: the next commit takes a thousand of them."""


def refusal(error: Exception) -> SenderError:
    """The answer for a sender whose event was not stored because of `error`. Names no paths: senders are strangers."""
    if isinstance(error, SenderError):
        return error
    if isinstance(error, FAULTS_OF_ONE):
        return SenderError(
            "event-not-storable",
            "The event was not stored: it holds something that the agent cannot keep. Sending it again will not help; "
            "the agent's log names the reason.",
            status=500,
            title="Event cannot be stored",
        )
    if isinstance(error, apsw.FullError):
        return unavailable(FULL, "the agent's disk is full", RETRY_FULL_S)
    return unavailable("store-failed", "the agent's disk reported an error", RETRY_FAILED_S)


def unavailable(code: str, reason: str, after_s: int) -> SenderError:
    """A 503 with the time to come back (RFC 9110, sections 15.6.4 and 10.2.3)."""
    return SenderError(
        code,
        f"The event was not stored: {reason}. Send it again in {after_s} s or later.",
        status=503,
        title="Event not stored",
        headers=(("Retry-After", str(after_s)),),
    )


def trouble(error: Exception, folder: object) -> MachineError:
    """The sentence for the operator, who can mend it."""
    if isinstance(error, MachineError):
        return error
    if isinstance(error, apsw.FullError):
        return MachineError(
            FULL,
            f"{folder}: the disk is full, so events are refused (503) until there is space again; "
            "free some or move the spool to a larger disk",
            exit_status=ExitStatus.IO_ERROR,
        )
    if isinstance(error, doubt.DAMAGE):
        return MachineError(
            "spool-damaged",
            f"{folder}: the spool is damaged ({error}), so what needs the damaged part is refused (events: 503) or "
            "waits; restart the agent (iadmin restart): it then moves the spool aside and saves what is readable",
            exit_status=ExitStatus.IO_ERROR,
        )
    return MachineError(
        "store-failed",
        f"{folder}: the disk reported an error ({type(error).__name__}: {error}), so events are refused (503) until "
        "the spool can be opened and verified again; look at the kernel's log and at the disk",
        exit_status=ExitStatus.IO_ERROR,
    )
