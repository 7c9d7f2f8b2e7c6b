"""What a failed exchange means, in one sentence by cause. There was no answer in any of these cases."""

from __future__ import annotations

import errno
import os

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)

from agent.errors import DestinationError
from agent.upstream.exchange import Phase
from agent.wire.alerts import meaning_of
from agent.wire.reply import ReplyError

LOST = (ConnectionDone, ConnectionLost, ConnectionAborted)


def is_cancelled(error: BaseException) -> bool:
    """Whether somebody here gave the exchange up."""
    return isinstance(error, CancelledError | ConnectingCancelledError)


def timed_out(where: str, *, phase: Phase, timeout_s: float) -> DestinationError:
    """The whole exchange took too long; `phase` is where it was."""
    return DestinationError("timed-out", f"{where}: timed out after {timeout_s:g} s while {phase.value}")


def fault_of(error: BaseException, *, where: str, phase: Phase) -> DestinationError | None:
    """The sentence for `error`; None for what no network does, which is a fault of ours."""
    match error:
        case DestinationError():
            return error
        case DNSLookupError():
            return DestinationError("name-not-found", f"{where}: no address is known for this host name")
        case ConnectionRefusedError():
            return DestinationError("refused", f"{where}: connection refused; nothing listens there")
        case TimeoutError() | TCPTimedOutError():
            return DestinationError("timed-out", f"{where}: timed out while {phase.value}")
        case NoRouteError():
            return DestinationError("no-route", f"{where}: there is no route to this host")
        case ConnectBindError() | ConnectError():
            return DestinationError("not-connected", f"{where}: cannot connect: {_errno_text(error)}")
        case SSL.Error():
            return DestinationError("tls-failed", f"{where}: {_tls_text(error)}")
        case ReplyError():
            return DestinationError("not-http", f"{where}: {error}")
        case ConnectionLost() | ConnectionDone() | ConnectionAborted():
            return DestinationError("connection-lost", f"{where}: the connection was cut while {phase.value}")
        case _:
            return None


def _errno_text(error: BaseException) -> str:
    number = getattr(error, "osError", None)
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number).lower()
    return repr(str(error)[:200])


def _tls_text(error: SSL.Error) -> str:
    """OpenSSL's reason, last in each of its records; a plain-text peer is named as such."""
    records = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [record[-1] for record in records if record]
    if any(reason in ("wrong version number", "packet length too long", "http request") for reason in reasons):
        return "what answered does not speak TLS: is this a port for plain HTTP?"
    said = str(reasons[-1]) if reasons else ""
    meaning = meaning_of(said)
    if meaning is not None:
        return f"TLS failed: {meaning.sentence} ({said}); {meaning.cure}"
    return f"TLS failed: {', '.join(map(str, reasons))[:200] or 'the far end closed the connection'}"
