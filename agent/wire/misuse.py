"""`Misuse`: the facts of one connection that failed or was misused, before anybody puts them into words.

Made by the gateway (`agent.gateway`), one for each such connection, and handed to the desk (`agent.boundaries.Desk`).
The sentence with the remedy is made elsewhere; here stands only what was seen. A record has no time: whoever keeps it
has a clock.

Which fields are filled:

* always: `peer`, `port`, `expects_tls`, `cause`;
* when bytes came that are not what the port speaks: `first_line`, and `host` where an HTTP request named it;
* when a ClientHello came, on either kind of port: `hello`;
* when OpenSSL ended the handshake: `reasons`, its words, the last the most telling; `alert` where the peer sent one;
* on a TLS port: `our_names`, what the served certificate covers; `our_gap`, the sentence about an issuer that is
  missing in what we present; `client_certificate` and `verify_error` where the sender's own certificate was the
  matter; `culprit`, the subject of the one in its chain that is at fault, where that is not its own.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

import attrs

from agent.wire.clientcert import ClientCertificate
from agent.wire.hello import ClientHello

MOST_LINE: Final = 200
"""Characters of a first line that are kept: enough for the method and the URL of any service."""


class Cause(enum.StrEnum):
    """What went wrong. The values are stable: metrics and scripts rely on them."""

    PLAINTEXT = "plaintext"
    """HTTP without TLS on a TLS port."""
    TLS_ON_PLAIN_PORT = "tls-on-plain-port"
    SSL2 = "ssl2"
    """A hello in the form of SSL 2.0, on either kind of port."""
    OTHER_PROTOCOL = "other-protocol"
    """SSH, SMTP, the PROXY protocol and so on; `tongue` says which."""
    SILENT = "silent"
    """Connected and sent nothing until the deadline."""
    LEFT = "left"
    """Connected and closed without a byte: health checks, port scanners."""
    CUT_SHORT = "cut-short"
    """Sent so few bytes that nothing can be said, and closed or fell silent."""
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    HANDSHAKE_RESET = "handshake-reset"
    """The peer closed or reset the connection in the middle of the handshake, without an alert."""
    NOT_TRUSTED = "not-trusted"
    """The sender refused our certificate: it does not know its authority (or says only `certificate unknown`)."""
    EXPIRED = "expired"
    """The sender refused our certificate for its dates."""
    WRONG_NAME = "wrong-name"
    """The sender refused our certificate or left, and had asked for a name that it does not cover."""
    REFUSED_BY_PEER = "refused-by-peer"
    """Another alert of the sender; `alert` says which."""
    NO_SHARED_VERSION = "no-shared-version"
    NO_SHARED_CIPHER = "no-shared-cipher"
    CLIENT_CERTIFICATE_MISSING = "client-certificate-missing"
    CLIENT_CERTIFICATE_UNKNOWN = "client-certificate-unknown"
    """Not issued by an authority of our truststore, or not on the list of fingerprints."""
    CLIENT_CERTIFICATE_EXPIRED = "client-certificate-expired"
    CLIENT_CERTIFICATE_REFUSED = "client-certificate-refused"
    """Bad for another reason (purpose, signature); `verify_error` says which."""
    LEFT_AFTER_HANDSHAKE = "left-after-handshake"
    """A handshake that succeeded, and not one byte of a request after it."""
    BROKEN_TLS = "broken-tls"
    """Bytes that are not TLS any more, or anything else that OpenSSL refuses."""


@attrs.frozen(kw_only=True)
class Misuse:
    """One connection. Texts from outside are printable, one line, and bounded; they are shown as they are.

    `port` is the port of ours that was called, `expects_tls` what it speaks. `tongue` is the value of the
    `agent.wire.sniff.Tongue` that was recognised. `duration_s` counts from the accept.
    """

    peer: str
    port: int
    expects_tls: bool
    cause: Cause
    tongue: str = ""
    first_line: str = ""
    host: str = ""
    hello: ClientHello | None = None
    alert: str = ""
    reasons: tuple[str, ...] = ()
    verify_error: str = ""
    culprit: str = ""
    client_certificate: ClientCertificate | None = None
    our_names: tuple[str, ...] = ()
    our_gap: str = ""
    duration_s: float = 0.0


def printable_line(data: bytes) -> str:
    """The first line of `data` as text that can be shown anywhere: other than printable ASCII becomes `?`."""
    line = data.lstrip(b"\r\n")[: MOST_LINE * 2].split(b"\n", 1)[0].rstrip(b"\r")
    text = "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in line)
    return text if len(text) <= MOST_LINE else text[: MOST_LINE - 3] + "..."


_DISTRUST: Final = frozenset({"unknown ca", "bad certificate", "certificate unknown", "unsupported certificate"})
_VERSIONS: Final = frozenset({"unsupported protocol", "version too low", "wrong ssl version", "unknown protocol",
                              "wrong version number", "no protocols available"})  # fmt: skip
_CIPHERS: Final = frozenset({"no shared cipher", "no shared group", "no suitable key share", "no ciphers available",
                             "no suitable signature algorithm", "no shared signature algorithms"})  # fmt: skip


def alert_of(reasons: Sequence[str]) -> str:
    """The alert of the peer in OpenSSL's reasons, `unknown ca`; empty when there was none.

    OpenSSL says `tlsv1 alert unknown ca`, `ssl/tls alert bad certificate` or `sslv3 alert bad certificate`.
    """
    for reason in reversed(reasons):
        _, found, alert = reason.lower().partition(" alert ")
        if found:
            return alert.strip()
    return ""


def handshake_cause(reasons: Sequence[str], *, covered: bool, outdated: bool = False, verify_error: str = "") -> Cause:
    """Which cause OpenSSL's reasons stand for.

    `covered`: our certificate covers the name that was asked for. `outdated`: it is out of its time, which few senders
    say as such: Java says "certificate unknown", and OpenSSL "bad certificate" for one that is not yet valid.
    """
    alert = alert_of(reasons)
    words = {reason.lower() for reason in reasons}
    if alert:
        if alert == "certificate expired":
            return Cause.EXPIRED
        if alert in _DISTRUST:
            if not covered:
                return Cause.WRONG_NAME
            return Cause.EXPIRED if outdated else Cause.NOT_TRUSTED
        return Cause.NO_SHARED_VERSION if alert == "protocol version" else Cause.REFUSED_BY_PEER
    if words & {"peer did not return a certificate"}:
        return Cause.CLIENT_CERTIFICATE_MISSING
    if words & {"certificate verify failed"} or verify_error:
        return _client_cause(verify_error)
    if words & _VERSIONS:
        return Cause.NO_SHARED_VERSION
    if words & _CIPHERS:
        return Cause.NO_SHARED_CIPHER
    return Cause.HANDSHAKE_RESET if any(word.startswith("unexpected eof") for word in words) else Cause.BROKEN_TLS


def _client_cause(verify_error: str) -> Cause:
    said = verify_error.lower()
    if "expired" in said or "not yet valid" in said:
        return Cause.CLIENT_CERTIFICATE_EXPIRED
    if "issuer" in said or "self" in said or "fingerprint" in said or "unable to verify" in said:
        return Cause.CLIENT_CERTIFICATE_UNKNOWN
    return Cause.CLIENT_CERTIFICATE_REFUSED
