"""What a TLS port presents: OpenSSL contexts made of `Material`, never changed once they are in use.

A new certificate, policy or truststore is a new `Served` in the place of the old one, and so are new ticket keys:
OpenSSL makes them with each context, and pyOpenSSL cannot set them. Connections keep what they began with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL, crypto

from agent.config.tls import ClientAuth, TlsConfig, TlsPolicy
from agent.errors import OperatorError
from agent.gateway.identity import Identity
from agent.gateway.material import Material
from agent.gateway.staple import end_of, has_run_out
from agent.wire.clientcert import ClientCertificate
from keystoretools import Certificate, KeystoreError
from keystoretools.hostnames import covers

TICKET_LIFE_S: Final = 4 * 3600
"""Sessions resume for so long, and a ticket key is used for so long: whoever learns one reads back four hours
(nginx advises to rotate every 12 to 24 hours; RFC 8446 allows seven days)."""

_ALPN: Final = b"http/1.1"

_INTERMEDIATE_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_LEGACY_CIPHERS: Final = (
    f"{_INTERMEDIATE_CIPHERS}:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:"
    "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:"
    "ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA"
)
"""Older ones too, CBC and without forward secrecy, in TLS 1.2: no policy speaks TLS 1.0 and 1.1 (RFC 8996)."""

_POLICIES: Final[Mapping[TlsPolicy, tuple[int, str, int]]] = MappingProxyType(
    {
        TlsPolicy.MODERN: (SSL.TLS1_3_VERSION, _INTERMEDIATE_CIPHERS, 0),
        # The sender's order counts: it knows whether AES or ChaCha20 is faster for it (Mozilla's choice, too).
        TlsPolicy.INTERMEDIATE: (SSL.TLS1_2_VERSION, _INTERMEDIATE_CIPHERS, 0),
        TlsPolicy.LEGACY: (SSL.TLS1_2_VERSION, _LEGACY_CIPHERS, SSL.OP_CIPHER_SERVER_PREFERENCE),
    }
)
"""Policy -> least version, ciphers of TLS 1.2 and before, options. The groups are OpenSSL's own, X25519MLKEM768 first;
those of TLS 1.3 are its three ciphers."""

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


class Served:
    """The contexts of one TLS port. Raises `OperatorError` for what OpenSSL refuses to serve.

    `now` is the wall clock that certificates are held against when a sender refuses one.
    """

    def __init__(self, material: Material, config: TlsConfig, *, now: Callable[[], datetime] | None = None) -> None:
        self._now = now
        self.material: Final = material
        self.names: Final = tuple(dict.fromkeys(name for one in material.identities for name in one.names))
        self._config = config
        self._allowed = frozenset(config.fingerprint_allowlist)
        self._contexts = [self._context(identity) for identity in material.identities]

    def accept(self, owner: Any) -> SSL.Connection:
        """A new server-side connection over memory; `owner.refusal` is set when its certificate is not accepted."""
        connection = SSL.Connection(self._contexts[0], None)
        connection.set_app_data(owner)
        connection.set_accept_state()
        return connection

    def covers(self, host: str) -> bool:
        """Whether one of the certificates is for `host`; who asks for nobody is not disappointed."""
        return not host or any(covers(identity.leaf, host) for identity in self.material.identities)

    def presented_to(self, host: str) -> Identity:
        """What those get who ask for `host`."""
        identities = self.material.identities
        return next((one for one in identities if host and covers(one.leaf, host)), identities[0])

    def is_outdated(self, host: str) -> bool:
        """Whether a certificate that is presented to those who ask for `host` is out of its time at this moment."""
        if self._now is None:
            return False
        now = self._now()
        return any(
            (one.not_after is not None and one.not_after < now) or (one.not_before is not None and one.not_before > now)
            for one in self.presented_to(host).chain
        )

    def staple_doubts(self) -> tuple[str, ...]:
        """A sentence for each OCSP response that lies beside a certificate and is not sent, or not any more."""
        found = [one.staple_doubt for one in self.material.identities if one.staple_doubt]
        for one in self.material.identities:
            if one.staple and self._now is not None and has_run_out(one.staple, self._now()):
                found.append(
                    f"the OCSP response of {one.alias!r} has run out on {end_of(one.staple):%Y-%m-%d %H:%M} UTC and is "
                    "stapled no longer; put a new one in its place"
                )
        return tuple(found)

    def renewed(self) -> Served:
        """The same with new contexts, and so with new ticket keys."""
        return Served(self.material, self._config, now=self._now)

    def client_certificate(self, connection: SSL.Connection) -> ClientCertificate | None:
        """The verified certificate of the sender after the handshake; None where it has none."""
        return None if self._config.client_auth is ClientAuth.OFF else self.shown_certificate(connection)

    def shown_certificate(self, connection: SSL.Connection) -> ClientCertificate | None:
        """The sender's own certificate, verified or not; None where it has shown none."""
        shown = connection.get_peer_certificate()
        if shown is None:
            # After a refusal OpenSSL keeps the chain as far as it came, the sender's own certificate first.
            shown = next(iter(connection.get_verified_chain() or ()), None)
        if shown is not None:
            return read_client_certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, shown))
        culprit = getattr(connection.get_app_data(), "culprit", None)
        return None if culprit is None else read_client_certificate(culprit)

    def culprit_of(self, connection: SSL.Connection) -> str:
        """The subject of the certificate that is at fault in the sender's chain; empty where that is its own."""
        culprit = getattr(connection.get_app_data(), "culprit", None)
        own = self.shown_certificate(connection)
        if culprit is None or own is None:
            return ""
        found = read_client_certificate(culprit)
        return "" if found.fingerprint == own.fingerprint else found.subject

    def describe(self, now: datetime) -> dict[str, object]:
        """For the status: what is presented to whom."""
        return {
            "policy": self._config.policy.value,
            "client_auth": self._config.client_auth.value,
            "trusted_authorities": len(self.material.anchors),
            "self_made": self.material.is_selfmade,
            "certificates": [describe_identity(identity, now) for identity in self.material.identities],
        }

    # ---- making contexts ---------------------------------------------------------------------------------------

    def _context(self, identity: Identity) -> SSL.Context:
        least, ciphers, options = _POLICIES[self._config.policy]
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(least)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | options)
        # Idle connections give back their two buffers of 16 KiB.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(ciphers.encode("ascii"))
        # Tickets hold the state; a cache would hold it a second time. With client certificates OpenSSL resumes only
        # sessions that were made under this name.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"integration-agent")
        context.set_timeout(TICKET_LIFE_S)
        context.set_alpn_select_callback(_choose_protocol)
        if len(self.material.identities) > 1:
            context.set_tlsext_servername_callback(self._choose_context)
        if identity.staple:
            context.set_ocsp_server_callback(self._staple, (identity.staple, end_of(identity.staple)))
        self._ask_for_certificates(context)
        try:
            _hand_over(context, identity)
            context.check_privatekey()
        except (SSL.Error, crypto.Error, ValueError, TypeError) as error:
            raise OperatorError(
                "tls-not-served",
                f"OpenSSL refuses to serve {identity.alias!r}: {'; '.join(reasons_of(error)) or error}",
            ) from error
        return context

    def _ask_for_certificates(self, context: SSL.Context) -> None:
        if self._config.client_auth is ClientAuth.OFF:
            return
        mode = SSL.VERIFY_PEER
        if self._config.client_auth is ClientAuth.REQUIRED:
            mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        context.set_verify(mode, self._verify)
        store = context.get_cert_store()
        assert store is not None, "a context has one"
        # Whatever stands in a truststore is trusted, as in Java: an issuing authority without its root, too.
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for anchor in self.material.anchors:
            certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, anchor.der)
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
        identities = self.material.identities
        if not asked or covers(identities[0].leaf, asked):
            return
        for identity, context in zip(identities[1:], self._contexts[1:], strict=True):
            if covers(identity.leaf, asked):
                connection.set_context(context)
                return

    def _verify(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        """Called for each certificate of the sender's chain, and again for each fault in it."""
        is_pinned_only = not self.material.anchors
        if not ok and not (is_pinned_only and error not in _DATES):
            return self._refused(connection, certificate, _VERIFY_ERRORS.get(error, f"error {error} of OpenSSL"))
        if depth == 0 and self._allowed and _fingerprint(certificate) not in self._allowed:
            return self._refused(connection, certificate, "its fingerprint is not on the list")
        return bool(ok) or bool(self._allowed)

    def _refused(self, connection: SSL.Connection, certificate: crypto.X509, why: str) -> bool:
        owner = connection.get_app_data()
        if owner is not None:
            owner.refusal = owner.refusal or why
            owner.culprit = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        return False


def reasons_of(error: BaseException) -> list[str]:
    """OpenSSL's own words in an exception of pyOpenSSL, the last the most telling."""
    parts = error.args[0] if error.args else ()
    if isinstance(parts, list | tuple):
        return [str(part[-1]) for part in parts if part and part[-1]]
    return [str(error.args[-1])]


def read_client_certificate(der: bytes) -> ClientCertificate:
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


def describe_identity(identity: Identity, now: datetime) -> dict[str, object]:
    """One certificate, for the status. `days_left` counts whole days, negative once it has expired."""
    leaf = identity.leaf
    ends = [one.not_after for one in identity.chain if one.not_after is not None]
    end = min(ends, default=None)
    return {
        "alias": identity.alias,
        "subject": leaf.subject.text(),
        "issuer": leaf.issuer.text(),
        "names": list(identity.names),
        "not_after": end.isoformat() if end is not None else None,
        "days_left": (end - now).days if end is not None else None,
        "sha256": leaf.sha256.hex(),
        "stapled": bool(identity.staple) and not has_run_out(identity.staple, now),
    }


def _choose_protocol(connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    """HTTP/1.1 where it is offered; else no word on it, and the sender may try."""
    return _ALPN if _ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _fingerprint(certificate: crypto.X509) -> str:
    return Certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).sha256.hex()


def _hand_over(context: SSL.Context, identity: Identity) -> None:
    own, *issuers = [_certificate(one) for one in identity.chain]
    with warnings.catch_warnings():
        # pyOpenSSL would rather have objects of `cryptography`, which refuses certificates of old keytools.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.use_certificate(own)
        context.use_privatekey(_key(identity))
        for issuer in issuers:
            context.add_extra_chain_cert(issuer)


def _certificate(certificate: Certificate) -> x509.Certificate | crypto.X509:
    try:
        return certificate.to_cryptography()
    except ValueError:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der)


def _key(identity: Identity) -> Any:
    try:
        return identity.key.to_cryptography()
    except KeystoreError:
        return crypto.load_privatekey(crypto.FILETYPE_ASN1, identity.key.pkcs8.reveal())
