"""Our side of a TLS connection, over memory: what `tls.TlsTransport` needs of a TLS library.

There are two: `quickside` over Python's own `ssl`, which costs least, and `fullside` over pyOpenSSL, which can do
everything. `served` chooses.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs

from agent.wire.clientcert import ClientCertificate

RECORD_BYTES: Final = 16 * 1024
"""Plaintext of one TLS record at most (RFC 8446 section 5.1), and so of one `read`."""

TICKET_LIFE_S: Final = 4 * 3600
"""A ticket key is used for so long, and no session resumes for longer: whoever learns one reads back four hours
(nginx advises to rotate every 12 to 24 hours; RFC 8446 allows seven days)."""


class BrokenTls(Exception):
    """The TLS library does not go on. `reasons` are its own words, the last the most telling."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(*reasons)
        self.reasons: Final = reasons


@attrs.frozen(kw_only=True)
class Shown:
    """What a sender has shown of itself. `refusal`: why its certificate was not accepted; `culprit`: the subject of the
    certificate that is at fault in its chain, empty where that is its own."""

    certificate: ClientCertificate | None = None
    refusal: str = ""
    culprit: str = ""


class Side(Protocol):
    """One connection. Bytes for the peer collect until `output` takes them."""

    def hear(self, data: bytes) -> None:
        """Take what came from the socket."""

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over. Raises `BrokenTls`."""

    def read(self) -> bytes | None:
        """Plaintext of at most one record; empty once the peer has ended its side, None as long as nothing more is
        there. Raises `BrokenTls`."""

    @property
    def is_quiet(self) -> bool:
        """After a `read` that gave something: whether another would give nothing, and `output` neither."""

    def seal(self, piece: bytes) -> bytes:
        """Encrypt at most `RECORD_BYTES`, and return that with all output before it. Raises `BrokenTls`."""

    @property
    def has_output(self) -> bool:
        """Whether `output` may give something."""

    def output(self) -> bytes:
        """What TLS has to say by itself: the handshake, tickets, alerts. Empty where there is nothing."""

    def end(self) -> None:
        """Say close_notify."""

    @property
    def version(self) -> str:
        """`TLSv1.3`, after the handshake."""

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """The verified certificate of the sender after the handshake; None where it has none."""

    def shown(self) -> Shown:
        """For the sentence about a connection that failed."""
