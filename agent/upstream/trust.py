"""Whether the far end of a TLS connection is who it should be, and what to say when it is not.

Trust is the context's: by default that of the machine, the certificate authorities that its administrator keeps
(`SSL_CERT_FILE` and `SSL_CERT_DIR` win). The host name is checked by service_identity (RFC 9525). With pins, the own
certificate of the far end must be one of them, and that is the only check. A failed check ends the handshake with the
`DestinationError` that reaches the sender as the reason of the lost connection.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.config.outbound import ClientTls
from agent.errors import DestinationError
from agent.upstream.handshake import HandshakeTold

MAX_NAMES_SHOWN: Final = 5

MACHINES_TRUST: Final = ClientTls()

RESIGNERS: Final = {
    "zscaler": "Zscaler",
    "netskope": "Netskope",
    "goskope": "Netskope",
    "blue coat": "Symantec Blue Coat",
    "bluecoat": "Symantec Blue Coat",
    "fortinet": "Fortinet FortiGate",
    "fortigate": "Fortinet FortiGate",
    "palo alto": "Palo Alto Networks",
    "forcepoint": "Forcepoint",
    "websense": "Forcepoint Websense",
    "sophos": "Sophos",
    "mcafee": "McAfee Web Gateway",
    "skyhigh": "Skyhigh Web Gateway",
    "cisco umbrella": "Cisco Umbrella",
    "checkpoint": "Check Point",
    "check point": "Check Point",
    "barracuda": "Barracuda",
    "squid": "Squid ssl-bump",
    "mitmproxy": "mitmproxy",
    "burp": "Burp Suite",
    "fiddler": "Fiddler",
    "kaspersky": "Kaspersky",
    "eset ssl filter": "ESET",
    "bitdefender": "Bitdefender",
    "avast": "Avast",
}
"""Words in the issuer's name of certificates that proxies and virus scanners sign on the way, and whose they are."""

CAUSES: Final = {
    9: ("tls-not-yet-valid", "its certificate is not valid before {begin}: check the clock of this machine"),
    10: ("tls-expired", "its certificate expired on {end}: whoever runs it must renew it"),
    18: ("tls-unknown-ca", "its certificate is signed by itself and not trusted by this machine"),
    19: ("tls-unknown-ca", "its chain ends in a root that this machine does not trust: {issuer}"),
    20: ("tls-unknown-ca", "this machine does not know who issued its certificate: {issuer}"),
    21: ("tls-unknown-ca", "it does not send the certificates between its own and a root: {issuer} is missing"),
    23: ("tls-revoked", "its certificate was revoked"),
    26: ("tls-wrong-purpose", "its certificate is not made for servers"),
}
"""By the error numbers of OpenSSL (x509_vfy.h): code and sentence."""


def system_context(*, with_system: bool = True) -> SSL.Context:
    """A client context that trusts what the system trusts, or nobody. TLS 1.2 is the oldest version (RFC 9325)."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # The wheel's OpenSSL looks in its own folder, which is empty; pyOpenSSL then tries where distributions keep them.
    if with_system:
        context.set_default_verify_paths()
    return context


@implementer(IOpenSSLClientConnectionCreator)
class TrustedPeer:
    """Makes the TLS side of one connection to `host`; `shaken` is called when the handshake has succeeded.

    `via` names the proxy on the way, for sentences.
    """

    def __init__(
        self,
        *,
        context: SSL.Context,
        host: str,
        shaken: Callable[[], None] = lambda: None,
        rules: ClientTls = MACHINES_TRUST,
        via: str = "",
    ) -> None:
        self._context = context
        self._host = host
        self._rules = rules
        self._via = via
        self._is_address = isIPAddress(host) or isIPv6Address(host)
        self._shaken = shaken

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        told = HandshakeTold(self._host) if self._rules.verbose else None
        if not self._is_address:
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        # Weak: the connection belongs to the protocol, and a cycle through OpenSSL is not collected.
        protocol = weakref.ref(tlsProtocol)

        def check(_: SSL.Connection, certificate: object, number: int, depth: int, ok: int) -> bool:
            # Nothing may be raised into OpenSSL: it would vanish, and the check with it.
            try:
                fault = self._fault(certificate.to_cryptography(), number, depth, bool(ok))  # type: ignore[attr-defined]
            except Exception as error:
                fault = DestinationError("tls-failed", f"{self._host}: its certificate cannot be read: {error}")
            if told is not None:
                told.saw(certificate, depth, fault)
            if fault is None:
                if depth == 0:
                    self._shaken()
                return True
            tls = protocol()
            if tls is not None:
                tls.failVerification(Failure(fault))  # type: ignore[no-untyped-call]
            return False

        connection.set_verify(SSL.VERIFY_PEER, check)
        if told is not None:
            told.follow(connection)
        return connection

    def _fault(self, certificate: x509.Certificate, number: int, depth: int, is_ok: bool) -> DestinationError | None:
        if self._rules.ignore_errors:
            return None
        if self._rules.fingerprints:
            return self._fault_of_pin(certificate) if depth == 0 else None
        if not is_ok:
            return self._fault_of(certificate, number)
        if depth:
            return None
        try:
            if self._is_address:
                verify_certificate_ip_address(certificate, self._host)
            else:
                verify_certificate_hostname(certificate, self._host)
        except (VerificationError, CertificateError):
            return DestinationError(
                "tls-wrong-name",
                f"{self._host} shows a certificate for {_names(certificate)}: check the host name of the destination",
            )
        return None

    def _fault_of(self, certificate: x509.Certificate, number: int) -> DestinationError:
        code, template = CAUSES.get(
            number, ("tls-untrusted", f"its certificate is not accepted (OpenSSL verify error {number})")
        )
        cause = template.format(
            begin=certificate.not_valid_before_utc.date().isoformat(),
            end=certificate.not_valid_after_utc.date().isoformat(),
            issuer=repr(certificate.issuer.rfc4514_string()[:200]),
        )
        remedy = ""
        if code == "tls-unknown-ca":
            remedy = f"; {self._unknown_remedy(certificate)}"
        return DestinationError(code, f"{self._host} is not trusted: {cause}{remedy}")

    def _unknown_remedy(self, certificate: x509.Certificate) -> str:
        issuer = certificate.issuer.rfc4514_string()
        product = resigner_of(issuer)
        where = f" {self._via}" if self._via else ""
        if product:
            return (
                f"that is the proxy{where} ({product}), which opens TLS and signs it anew: get its root certificate "
                "from whoever runs it and put it into the destination's Truststore, or have this host excepted there"
            )
        if self._via:
            return (
                f"perhaps the proxy{where} opens TLS and signs it anew: compare with the issuer seen without it, and "
                "put the right root into the destination's Truststore"
            )
        own = f" {certificate.fingerprint(hashes.SHA256()).hex()}"
        return (
            "put that authority into the destination's Truststore or into the machine's trust, or pin the certificate "
            f"(SSL/fingerprint), once you have compared its SHA-256{own} with the far end's administrator"
        )

    def _fault_of_pin(self, certificate: x509.Certificate) -> DestinationError | None:
        found = certificate.fingerprint(hashes.SHA256()).hex()
        if found in self._rules.fingerprints:
            return None
        return DestinationError(
            "tls-pin",
            f"{self._host} shows a certificate that is not pinned, SHA-256 {found}: if the far end has renewed it, "
            "compare and put that into SSL/fingerprint; otherwise somebody stands between",
        )


def resigner_of(issuer: str) -> str:
    """The product whose root an issuer's name belongs to; empty where it is none that is known."""
    lowered = issuer.lower()
    return next((product for word, product in RESIGNERS.items() if word in lowered), "")


def _names(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "no name at all"
    shown = [repr(str(name.value)[:100]) for name in names]
    more = f" and {len(shown) - MAX_NAMES_SHOWN} more" if len(shown) > MAX_NAMES_SHOWN else ""
    return ", ".join(shown[:MAX_NAMES_SHOWN]) + more if shown else "no name at all"
