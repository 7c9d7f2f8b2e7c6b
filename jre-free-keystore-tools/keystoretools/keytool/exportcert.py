"""`-exportcert`: the certificate of an entry, to stdout or a file."""

from __future__ import annotations

from keystoretools.entries import PrivateKeyEntry, TrustedCertificateEntry
from keystoretools.keytool import stores, weak
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.session import Session
from keystoretools.keytool.texts import certificate_pem


def run(session: Session) -> int:
    """The command; a missing alias leaves no empty file behind (keytool leaves one)."""
    store = stores.open_to_read(session)
    alias = session.alias
    entry = store.keystore.get(alias)
    if entry is None or not entry.java_sees_it:
        raise KeytoolError(f"Alias <{alias}> does not exist")
    if isinstance(entry, TrustedCertificateEntry):
        certificate = entry.certificate
    elif isinstance(entry, PrivateKeyEntry) and entry.chain:
        certificate = entry.chain[0]
    else:
        raise KeytoolError(f"Alias <{alias}> has no certificate")
    octets = certificate_pem(certificate).encode("ascii") if session.has("rfc") else certificate.der
    name = session.get("file")
    if name is None:
        session.prompts.out_octets(octets)
    else:
        session.write_file(name, octets)
        session.prompts.err(f"Certificate stored in file <{name}>\n")
    session.warnings.extend(weak.warnings("The certificate", certificate, is_trusted=certificate in store.trusted))
    stores.warn_about(session, store)
    return 0
