"""Which cause OpenSSL's words stand for."""

from __future__ import annotations

import pytest

from agent.wire.misuse import MOST_LINE, Cause, alert_of, handshake_cause, printable_line


@pytest.mark.parametrize(
    ("reasons", "covered", "verify_error", "cause"),
    [
        (["tlsv1 alert unknown ca"], True, "", Cause.NOT_TRUSTED),
        (["ssl/tls alert certificate unknown"], True, "", Cause.NOT_TRUSTED),
        (["sslv3 alert bad certificate"], False, "", Cause.WRONG_NAME),
        (["sslv3 alert certificate expired"], False, "", Cause.EXPIRED),
        (["tlsv1 alert protocol version"], True, "", Cause.NO_SHARED_VERSION),
        (["tlsv1 alert internal error"], True, "", Cause.REFUSED_BY_PEER),
        (["unsupported protocol"], True, "", Cause.NO_SHARED_VERSION),
        (["no shared cipher"], True, "", Cause.NO_SHARED_CIPHER),
        (["peer did not return a certificate"], True, "", Cause.CLIENT_CERTIFICATE_MISSING),
        (["certificate verify failed"], True, "certificate has expired", Cause.CLIENT_CERTIFICATE_EXPIRED),
        (["certificate verify failed"], True, "self-signed certificate", Cause.CLIENT_CERTIFICATE_UNKNOWN),
        (["certificate verify failed"], True, "unsuitable certificate purpose", Cause.CLIENT_CERTIFICATE_REFUSED),
        (["unexpected eof while reading"], True, "", Cause.HANDSHAKE_RESET),
        (["decryption failed or bad record mac"], True, "", Cause.BROKEN_TLS),
        ([], True, "", Cause.BROKEN_TLS),
    ],
)
def test_causes(reasons: list[str], covered: bool, verify_error: str, cause: Cause) -> None:
    """Each word of OpenSSL that senders cause has its cause; the rest is broken TLS."""
    assert cause is handshake_cause(reasons, covered=covered, verify_error=verify_error)


def test_the_alert_of_the_peer_is_found() -> None:
    """However the version of OpenSSL calls it."""
    assert "unknown ca" == alert_of(["x", "tlsv1 alert unknown ca"])
    assert "" == alert_of(["no shared cipher"])


def test_a_first_line_can_be_shown_anywhere() -> None:
    """No control characters, no second line, no endless one."""
    assert "POST /http/a?[2J HTTP/1.1" == printable_line(b"\r\nPOST /http/a\x1b[2J HTTP/1.1\r\nHost: a\r\n")
    assert MOST_LINE == len(printable_line(b"x" * 1000))
