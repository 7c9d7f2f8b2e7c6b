"""`-certreq`, `-gencert` and `-printcertreq`: requests, and certificates made from them."""

from __future__ import annotations

from collections.abc import Sequence

from keystoretools import make
from keystoretools.certificate import Certificate
from keystoretools.chain import is_self_signed
from keystoretools.contents import read_anything
from keystoretools.entries import PrivateKeyEntry
from keystoretools.errors import KeystoreError
from keystoretools.keytool import keys, stores, validity, weak
from keystoretools.keytool.ext import read_extensions
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.generate import chosen_scheme, name_of
from keystoretools.keytool.layout import pem
from keystoretools.keytool.session import Session
from keystoretools.keytool.texts import certificate_pem, request_text
from keystoretools.request import CertificateRequest


def run(session: Session) -> int:
    """One of the three, by name."""
    command = session.invocation.command
    return {"certreq": _request, "gencert": _sign, "printcertreq": _print}[command.name if command else ""](session)


def _print(session: Session) -> int:
    request = read_request(session, session.read_input())
    session.prompts.out(request_text(request, session.zone))
    session.warnings.extend(weak.signature_warnings("The certificate request", request.signature_algorithm))
    session.warnings.extend(weak.key_warnings("The certificate request", request.public_key))
    return 0


def read_request(session: Session, data: bytes) -> CertificateRequest:
    """The first request in an input, when it is as its maker signed it.  Raises KeytoolError."""
    hint = ""
    try:
        found = read_anything(data, budget=session.budget).requests
    except KeystoreError as error:
        found, hint = (), error.sentence
    if not found or found[0].problem is not None:
        raise KeytoolError("Failed to parse input", hint=hint or (found[0].problem or "" if found else ""))
    if make.is_genuine(found[0]) is False:
        raise KeytoolError(
            "Invalid PKCS #10 signature",
            java_class="java.security.SignatureException",
            hint="The request was not signed with its own key: it was changed on its way.",
        )
    return found[0]


def _request(session: Session) -> int:
    """The request for the key of an entry; its subject is that of the entry's certificate unless -dname is given."""
    store = stores.open_to_write(session)
    alias = session.alias
    entry = keys.key_entry(session, store, alias)
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        raise KeytoolError(f"{alias} has no public key (certificate)")
    key, _ = keys.private_key(session, store, alias, session.password("keypass"))
    dname = session.get("dname")
    asked = make.request(
        key,
        entry.chain[0].subject if dname is None else name_of(dname),
        extensions=read_extensions(session.invocation.extensions),
        scheme=chosen_scheme(session, key),
    )
    octets = pem("NEW CERTIFICATE REQUEST", asked.der).encode("ascii")
    name = session.get("file")
    if name is None:
        session.prompts.out_octets(octets)
    else:
        session.write_file(name, octets)
        if session.has("v"):
            session.prompts.err(f"Certification request stored in file <{name}>\nSubmit this to your CA\n")
    session.warnings.extend(weak.signature_warnings("The generated certificate request", asked.signature_algorithm))
    session.warnings.extend(weak.key_warnings("The generated certificate request", asked.public_key))
    stores.warn_about(session, store)
    return 0


def _sign(session: Session) -> int:
    """A certificate for a request, signed by an entry; followed by the signer's chain without roots."""
    days = validity.days(session.get("validity"))
    store = stores.open_to_write(session)
    alias = session.alias
    entry = keys.key_entry(session, store, alias)
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        raise KeytoolError(f"Alias <{alias}> has no certificate")
    key, _ = keys.private_key(session, store, alias, session.password("keypass"))
    asked = read_request(session, session.read_input("infile"))
    public = asked.public_key
    if public is None:
        raise KeytoolError("Failed to parse input", hint="The request has no public key that can be read.")
    dname = session.get("dname")
    start = validity.start_date(session.get("startdate"), session.now, session.zone)
    made = make.sign(
        public,
        asked.subject if dname is None else name_of(dname),
        issuer=entry.chain[0],
        key=key,
        start=start,
        end=validity.end_date(start, days),
        extensions=read_extensions(session.invocation.extensions, asked.extensions),
        scheme=chosen_scheme(session, key),
    )
    _write_out(session, [made, *(one for one in entry.chain if not is_self_signed(one))])
    _warn(session, asked, entry.chain, made)
    stores.warn_about(session, store)
    return 0


def _write_out(session: Session, certificates: list[Certificate]) -> None:
    if session.has("rfc"):
        octets = "".join(map(certificate_pem, certificates)).encode("ascii")
    else:
        octets = b"".join(one.der for one in certificates)
    name = session.get("outfile")
    if name is None:
        session.prompts.out_octets(octets)
    else:
        session.write_file(name, octets)


def _warn(session: Session, asked: CertificateRequest, issuer: Sequence[Certificate], made: Certificate) -> None:
    session.warnings.extend(weak.signature_warnings("The certificate request", asked.signature_algorithm))
    session.warnings.extend(weak.key_warnings("The certificate request", asked.public_key))
    session.warnings.extend(weak.chain_warnings("The issuer", issuer))
    session.warnings.extend(weak.warnings("The generated certificate", made))
