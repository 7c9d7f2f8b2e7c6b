"""What a failed exchange means."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
)

from agent.errors import DestinationError
from agent.upstream.exchange import Phase
from agent.upstream.faults import fault_of, is_cancelled, timed_out
from agent.wire.reply import ReplyError

WHERE = "https://x.example/in"


def told(error: BaseException, phase: Phase = Phase.HANDSHAKE) -> tuple[str, str]:
    fault = fault_of(error, where=WHERE, phase=phase)
    assert fault is not None
    return fault.code, fault.sentence


def of_openssl(*reasons: str) -> SSL.Error:
    return SSL.Error([("SSL routines", "", reason) for reason in reasons])


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DNSLookupError(), "name-not-found", "no address is known"),
        (ConnectionRefusedError(), "refused", "nothing listens there"),
        (ConnectionLost(), "connection-lost", "was cut while agreeing on TLS"),
        (of_openssl("wrong version number"), "tls-failed", "is this a port for plain HTTP?"),
        (of_openssl("something new"), "tls-failed", "TLS failed: something new"),
        (of_openssl(), "tls-failed", "the far end closed the connection"),
    ],
)
def test_each_cause_has_its_sentence(error: BaseException, code: str, words: str) -> None:
    """It begins with where, and says what."""
    found = told(error)
    assert code == found[0]
    assert found[1].startswith(f"{WHERE}: ")
    assert words in found[1]


def test_an_alert_is_told_with_what_to_do() -> None:
    """OpenSSL's own word stays, for who looks it up."""
    sentence = told(of_openssl("first", "tlsv13 alert certificate required"))[1]
    assert (
        f"{WHERE}: TLS failed: it wants a client certificate (tlsv13 alert certificate required); "
        "name the alias of one in the destination's SSL/Keystore"
    ) == sentence


def test_what_is_no_http_is_told_as_it_was_found() -> None:
    """By the one who has read it."""
    assert ("not-http", f"{WHERE}: the head of its answer is too long") == told(
        ReplyError("the head of its answer is too long")
    )


def test_giving_up_is_no_fault() -> None:
    """Twisted has two errors for it."""
    assert is_cancelled(CancelledError())
    assert is_cancelled(ConnectingCancelledError(None))
    assert not is_cancelled(ConnectionDone())


def test_a_fault_that_is_known_already_stays() -> None:
    """And what no network does is a fault of ours."""
    known = DestinationError("tls-pin", "not pinned")
    assert known is fault_of(known, where=WHERE, phase=Phase.WAITING)
    assert fault_of(ValueError(), where=WHERE, phase=Phase.WAITING) is None
    assert "after 30 s while reading the answer" in timed_out(WHERE, phase=Phase.READING, timeout_s=30.0).sentence
