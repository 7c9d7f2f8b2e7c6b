"""TLS by Python's own `ssl`: for each connection less memory than with pyOpenSSL, and a fifth less time.

It cannot choose between certificates by name without telling stderr of every name that is not ASCII, staple, take
fingerprints, or say which certificate of a sender was refused. Nor can it leave out groups: OpenSSL 3.0 lets a sender
ask for ffdhe8192, which is a hundred milliseconds of the reactor. All of these are left to `fullside`.
"""

from __future__ import annotations

import os
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.gateway.identity import Identity
from agent.gateway.policies import Spoken
from agent.gateway.tlsside import RECORD_BYTES, BrokenTls, Shown
from agent.wire.clientcert import ClientCertificate
from agent.wire.keyshare import P256, X25519, X25519_MLKEM768, first_share
from keystoretools import write_pem

_WORDS: Final = re.compile(r"(?:\[[^]]*\] )?(.*?)(?: \(_ssl\.c:\d+\))?")
"""`[SSL: NO_SHARED_CIPHER] no shared cipher (_ssl.c:1006)`: OpenSSL's words between Python's."""

_GROUPS: Final = frozenset({X25519, P256, *([X25519_MLKEM768] if ssl.OPENSSL_VERSION_INFO >= (3, 5) else [])})
"""The cheap ones. OpenSSL takes a sender's first key share if it knows its group; so a sender who begins with
X25519MLKEM768 gets it in any case, from `fullside` where Python's OpenSSL is older than that."""

TICKETS: Final = 1
"""After a full handshake of TLS 1.3. OpenSSL's two are for senders that open several connections at once and use a
ticket once only, and each costs a tenth of a handshake."""


class CannotQuickly(Exception):
    """`ssl` does not take it, or cannot be given it on this system."""


def is_for_quick(hello: bytes) -> bool:
    """Whether a connection that begins with these bytes will cost little."""
    return first_share(hello) in _GROUPS


class QuickContexts:
    """The one certificate of a port. Raises `CannotQuickly`."""

    def __init__(self, identity: Identity, spoken: Spoken) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if spoken.needs_tls13 else ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        if not spoken.server_chooses:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.num_tickets = TICKETS
        try:
            context.set_ciphers(spoken.ciphers)
            context.set_alpn_protocols(["http/1.1"])
            _hand_over(context, identity)
        except (OSError, ValueError, AttributeError) as error:  # `ssl.SSLError` is an OSError
            raise CannotQuickly(str(error)) from error
        self._context = context

    def accept(self) -> QuickSide:
        """Our side of a new connection."""
        return QuickSide(self._context)


class QuickSide:
    """A `Side` over two `ssl.MemoryBIO`."""

    __slots__ = ("_incoming", "_outgoing", "_tls", "is_quiet")

    client_certificate: Final[ClientCertificate | None] = None

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_quiet = False

    def hear(self, data: bytes) -> None:
        """Take what came from the socket."""
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise BrokenTls(_reasons_of(error)) from error
        return True

    def read(self) -> bytes | None:
        """Plaintext of at most one record. That nothing is there is asked first: an exception costs more."""
        incoming = self._incoming
        most = incoming.pending or self._tls.pending()
        if not most:
            return None
        if most > RECORD_BYTES:
            most = RECORD_BYTES
        try:
            data = self._tls.read(most)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            raise BrokenTls(_reasons_of(error)) from error
        # Less than was asked for is the end of a record.
        self.is_quiet = len(data) < most and not incoming.pending and not self._outgoing.pending
        return data

    def seal(self, piece: bytes) -> bytes:
        """Encrypt a piece."""
        try:
            self._tls.write(piece)
        except ssl.SSLError as error:
            raise BrokenTls(_reasons_of(error)) from error
        return self._outgoing.read()

    @property
    def has_output(self) -> bool:
        """Whether `output` gives something."""
        return self._outgoing.pending > 0

    def output(self) -> bytes:
        """What TLS has to say by itself."""
        return self._outgoing.read()

    def end(self) -> None:
        """Say close_notify; `unwrap` would wait for the peer's as well."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()

    @property
    def version(self) -> str:
        """`TLSv1.3`."""
        return self._tls.version() or ""

    def shown(self) -> Shown:
        """Nobody is asked for a certificate."""
        return Shown()


def _hand_over(context: ssl.SSLContext, identity: Identity) -> None:
    """`ssl` reads keys from files only: one in memory that has no name, and is gone afterwards."""
    number = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(number, "wb", closefd=False) as file:
            file.write(write_pem([identity.key, *identity.chain]))
        context.load_cert_chain(Path(f"/proc/self/fd/{number}"))
    finally:
        os.close(number)


def _reasons_of(error: ssl.SSLError) -> list[str]:
    found = _WORDS.fullmatch(str(error.args[-1]))
    return [found[1] if found else str(error)]
