"""TLS by pyOpenSSL: several certificates by name, stapling, and senders that are asked for theirs.

pyOpenSSL says with an exception that nothing is there to be read, and each costs as much as decrypting; `Frames` saves
it. It cannot set ticket keys, but OpenSSL makes them with each context.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import attrs
from OpenSSL import SSL, crypto

from agent.config.tls import ClientAuth, TlsConfig
from agent.errors import OperatorError
from agent.gateway.identity import Identity
from agent.gateway.material import Material
from agent.gateway.policies import POLICIES
from agent.gateway.staple import end_of
from agent.gateway.tlsside import RECORD_BYTES, TICKET_LIFE_S, BrokenTls, Shown
from agent.ownkey import REFUSED, openssl_certificate, present
from agent.wire.clientcert import ClientCertificate
from agent.wire.records import Frames
from keystoretools import Certificate
from keystoretools.hostnames import covers

OUTPUT_BYTES: Final = 32 * 1024
"""Taken from OpenSSL at a time: a full record with its frame, and whatever was queued before it."""

_ALPN: Final = b"http/1.1"

_VERIFY_ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        2: "its issuer is unknown",
        9: "it is not yet valid",
        10: "it has expired",
        18: "it is self-signed and unknown",
        19: "it is self-signed and unknown",
        20: "its issuer is unknown",
        21: "its issuer is unknown: unable to verify its signature",
        23: "it has been revoked",
        24: "one of its authorities is none",
        26: "it is not meant for TLS clients (purpose)",
        79: "one of its authorities is none",
    }
)
"""Numbers of openssl-verification-options(1): X509_V_ERR_..."""

_DATES: Final = frozenset({9, 10})


@attrs.define
class Verdict:
    """Why the sender's certificate was not accepted, and which of its chain (DER) is at fault."""

    refusal: str = ""
    culprit: bytes | None = None


class FullContexts:
    """The contexts of a port, one for each certificate. Raises `OperatorError` for what OpenSSL refuses to serve.

    `now` is the wall clock that staples are held against.
    """

    def __init__(self, material: Material, config: TlsConfig, *, now: Callable[[], datetime] | None) -> None:
        self._material = material
        self._config = config
        self._now = now
        self._asks = config.client_auth is not ClientAuth.OFF
        self._allowed = frozenset(config.fingerprint_allowlist)
        self._contexts = [self._context(identity) for identity in material.identities]

    def accept(self) -> FullSide:
        """Our side of a new connection."""
        return FullSide(self._contexts[0], asks=self._asks)

    # ---- making contexts ---------------------------------------------------------------------------------------

    def _context(self, identity: Identity) -> SSL.Context:
        spoken = POLICIES[self._config.policy]
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION if spoken.needs_tls13 else SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        if spoken.server_chooses:
            context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        # Idle connections give back their two buffers of 16 KiB.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(spoken.ciphers.encode("ascii"))
        # Tickets hold the state; a cache would hold it a second time. With client certificates OpenSSL resumes only
        # sessions that were made under this name.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"integration-agent")
        context.set_timeout(TICKET_LIFE_S)
        context.set_alpn_select_callback(_choose_protocol)
        if len(self._material.identities) > 1:
            context.set_tlsext_servername_callback(self._choose_context)
        if identity.staple:
            context.set_ocsp_server_callback(self._staple, (identity.staple, end_of(identity.staple)))
        self._ask_for_certificates(context)
        try:
            present(context, identity.key, identity.chain)
        except REFUSED as error:
            raise OperatorError(
                "tls-not-served",
                f"OpenSSL refuses to serve {identity.alias!r}: {'; '.join(_reasons_of(error)) or error}",
            ) from error
        return context

    def _ask_for_certificates(self, context: SSL.Context) -> None:
        if not self._asks:
            return
        mode = SSL.VERIFY_PEER
        if self._config.client_auth is ClientAuth.REQUIRED:
            mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        context.set_verify(mode, self._verify)
        store = context.get_cert_store()
        assert store is not None, "a context has one"
        # Whatever stands in a truststore is trusted, as in Java: an issuing authority without its root, too.
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for anchor in self._material.anchors:
            certificate = openssl_certificate(anchor)
            store.add_cert(certificate)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.add_client_ca(certificate)

    # ---- OpenSSL calls these -----------------------------------------------------------------------------------

    def _staple(self, connection: SSL.Connection, data: tuple[bytes, datetime | None] | None) -> bytes:
        """Good when it was read may be long ago: one that has run out is worse than none."""
        response, end = data or (b"", None)
        return b"" if end is not None and self._now is not None and self._now() >= end else response

    def _choose_context(self, connection: SSL.Connection) -> None:
        asked = (connection.get_servername() or b"").decode("ascii", "replace")
        identities = self._material.identities
        if not asked or covers(identities[0].leaf, asked):
            return
        for identity, context in zip(identities[1:], self._contexts[1:], strict=True):
            if covers(identity.leaf, asked):
                connection.set_context(context)
                return

    def _verify(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        """Called for each certificate of the sender's chain, and again for each fault in it."""
        is_pinned_only = not self._material.anchors
        if not ok and not (is_pinned_only and error not in _DATES):
            return _refused(connection, certificate, _VERIFY_ERRORS.get(error, f"error {error} of OpenSSL"))
        if depth == 0 and self._allowed and _fingerprint(certificate) not in self._allowed:
            return _refused(connection, certificate, "its fingerprint is not on the list")
        return bool(ok) or bool(self._allowed)


class FullSide:
    """A `Side` over a connection of pyOpenSSL. `asks`: the sender is asked for its certificate."""

    def __init__(self, context: SSL.Context, *, asks: bool) -> None:
        self._verdict = Verdict()
        self._asks = asks
        self._frames = Frames()
        self._is_only_record = False
        self.is_quiet = False
        """The only record that came has been read."""
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._verdict)
        self._tls.set_accept_state()

    def hear(self, data: bytes) -> None:
        """Take what came from the socket."""
        self._is_only_record = self._frames.take(data)
        self.is_quiet = False
        self._tls.bio_write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over."""
        self._is_only_record = False
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise BrokenTls(_reasons_of(error)) from error
        return True

    def read(self) -> bytes | None:
        """Plaintext of at most one record. After the only record OpenSSL is not asked for another."""
        if self.is_quiet:
            return None
        try:
            data = self._tls.recv(RECORD_BYTES)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise BrokenTls(_reasons_of(error)) from error
        self.is_quiet = self._is_only_record
        return data

    def seal(self, piece: bytes) -> bytes:
        """Encrypt a piece."""
        try:
            self._tls.send(piece)
        except SSL.Error as error:
            raise BrokenTls(_reasons_of(error)) from error
        return self._tls.bio_read(OUTPUT_BYTES)

    @property
    def has_output(self) -> bool:
        """Whether `output` may give something."""
        return not self.is_quiet

    def output(self) -> bytes:
        """What TLS has to say by itself."""
        found: list[bytes] = []
        # Fewer bytes than were asked for are all; asking once more would end in an exception.
        while not found or len(found[-1]) == OUTPUT_BYTES:
            try:
                found.append(self._tls.bio_read(OUTPUT_BYTES))
            except SSL.WantReadError:
                break
        return b"".join(found)

    def end(self) -> None:
        """Say close_notify."""
        with suppress(SSL.Error):
            self._tls.shutdown()

    @property
    def version(self) -> str:
        """`TLSv1.3`."""
        return self._tls.get_protocol_version_name()

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """The verified certificate of the sender; None where it has none."""
        return self._certificate() if self._asks else None

    def shown(self) -> Shown:
        """What the sender has shown, verified or not."""
        own = self._certificate()
        culprit = None if self._verdict.culprit is None else _read(self._verdict.culprit)
        is_another = own is not None and culprit is not None and culprit.fingerprint != own.fingerprint
        return Shown(
            certificate=own,
            refusal=self._verdict.refusal,
            culprit=culprit.subject if culprit is not None and is_another else "",
        )

    def _certificate(self) -> ClientCertificate | None:
        shown = self._tls.get_peer_certificate()
        if shown is None:
            # After a refusal OpenSSL keeps the chain as far as it came, the sender's own certificate first.
            shown = next(iter(self._tls.get_verified_chain() or ()), None)
        if shown is not None:
            return _read(crypto.dump_certificate(crypto.FILETYPE_ASN1, shown))
        return None if self._verdict.culprit is None else _read(self._verdict.culprit)


def _refused(connection: SSL.Connection, certificate: crypto.X509, why: str) -> bool:
    verdict: Any = connection.get_app_data()
    verdict.refusal = verdict.refusal or why
    verdict.culprit = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    return False


def _reasons_of(error: BaseException) -> list[str]:
    """OpenSSL's own words in an exception of pyOpenSSL, the last the most telling."""
    parts = error.args[0] if error.args else ()
    if isinstance(parts, list | tuple):
        return [str(part[-1]) for part in parts if part and part[-1]]
    return [str(error.args[-1])]


def _read(der: bytes) -> ClientCertificate:
    """The facts of a certificate. What cannot be read in it is empty."""
    certificate = Certificate(der)
    end = certificate.not_after
    return ClientCertificate(
        subject=certificate.subject.text(),
        issuer=certificate.issuer.text(),
        names=tuple((name.kind, name.value) for name in certificate.alternative_names),
        fingerprint=certificate.sha256.hex(),
        not_after=end.isoformat() if end is not None else "",
    )


def _choose_protocol(connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    """HTTP/1.1 where it is offered; else no word on it, and the sender may try."""
    return _ALPN if _ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _fingerprint(certificate: crypto.X509) -> str:
    return Certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).sha256.hex()
