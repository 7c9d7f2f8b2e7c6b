"""What a failed exchange means, in one sentence by cause. There was no answer in any of these cases."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.web._newclient import BadResponseVersion, ParseError  # twisted.web.client does not export the first

from agent.errors import DestinationError
from agent.upstream.exchange import Phase
from agent.wire.alerts import meaning_of

LOST = (ConnectionDone, ConnectionLost, ConnectionAborted)


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it wraps: Twisted's HTTP client lists its reasons as failures."""
    yield error
    for reason in getattr(error, "reasons", ()):
        if isinstance(reason, Failure) and reason.value is not None:
            yield from causes_of(reason.value)


def is_lost(error: BaseException) -> bool:
    """Whether the connection was lost, and nothing worse is known."""
    return any(isinstance(cause, LOST) for cause in causes_of(error)) and not any(
        isinstance(cause, DestinationError | SSL.Error | ParseError) for cause in causes_of(error)
    )


def is_cancelled(error: BaseException) -> bool:
    """Whether somebody here gave the exchange up."""
    return any(isinstance(cause, CancelledError) for cause in causes_of(error))


def timed_out(where: str, *, phase: Phase, timeout_s: float) -> DestinationError:
    """The whole exchange took too long; `phase` is where it was."""
    return DestinationError("timed-out", f"{where}: timed out after {timeout_s:g} s while {phase.value}")


def fault_of(error: BaseException, *, where: str, phase: Phase) -> DestinationError | None:
    """The sentence for `error`; None for what no network does, which is a fault of ours."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, DestinationError):
            return cause
    for cause in sorted(causes, key=lambda one: isinstance(one, LOST)):  # that it was cut is the least that can be said
        fault = _known(cause, where, phase)
        if fault is not None:
            return fault
    return None


def _known(cause: BaseException, where: str, phase: Phase) -> DestinationError | None:
    match cause:
        case DNSLookupError():
            return DestinationError("name-not-found", f"{where}: no address is known for this host name")
        case ConnectionRefusedError():
            return DestinationError("refused", f"{where}: connection refused; nothing listens there")
        case TimeoutError() | TCPTimedOutError():
            return DestinationError("timed-out", f"{where}: timed out while {phase.value}")
        case NoRouteError():
            return DestinationError("no-route", f"{where}: there is no route to this host")
        case ConnectBindError() | ConnectError():
            return DestinationError("not-connected", f"{where}: cannot connect: {_errno_text(cause)}")
        case SSL.Error():
            return DestinationError("tls-failed", f"{where}: {_tls_text(cause)}")
        case BadResponseVersion() | ParseError():
            return DestinationError("not-http", f"{where}: what came back is not HTTP/1.1")
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
