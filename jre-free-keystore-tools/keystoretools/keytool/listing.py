"""`-list`: one line or the whole text of each entry, in the order of the aliases."""

from __future__ import annotations

from keystoretools.certificate import Certificate
from keystoretools.entries import Entry, PrivateKeyEntry, SecretKeyEntry
from keystoretools.keytool import stores, weak
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.layout import date, fingerprint, plain
from keystoretools.keytool.options import UsageError
from keystoretools.keytool.session import Session
from keystoretools.keytool.stores import Store
from keystoretools.keytool.texts import STARS, certificate_pem, certificate_text


def run(session: Session) -> int:
    """The command; exit status 0."""
    if session.has("v") and session.has("rfc"):
        raise UsageError("Must not specify both -v and -rfc with 'list' command", session.invocation.command)
    store = stores.open_to_read(session)
    alias = session.get("alias")
    if alias is not None:
        entry = store.keystore.get(alias)
        if entry is None or not entry.java_sees_it:
            raise KeytoolError(f"Alias <{alias}> does not exist")
        session.prompts.out(_entry(session, store, entry, alias))
    else:
        session.prompts.out(_all(session, store))
    stores.warn_about(session, store)
    return 0


def _all(session: Session, store: Store) -> str:
    entries = [entry for entry in store.keystore.entries if entry.java_sees_it]
    entries.sort(key=lambda entry: entry.alias.encode("utf-16-be", "surrogatepass"))
    provider = {"JCEKS": "SunJCE", "BKS": "BC"}.get(store.type_name, "SUN")
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    parts = [f"Keystore type: {store.type_name}\nKeystore provider: {provider}\n\nYour keystore contains {count}\n\n"]
    for entry in entries:
        parts.append(_entry(session, store, entry, entry.alias))
        if session.has("v") or session.has("rfc"):
            parts.append(f"\n\n{STARS}\n{STARS}\n\n\n")
    return "".join(parts)


def _entry(session: Session, store: Store, entry: Entry, alias: str) -> str:
    """One entry under the name `alias` (as typed, where it was typed); collects the warnings about it."""
    shown = plain(alias)
    created = date(session.now_ms if entry.created_ms is None else entry.created_ms, session.zone)
    is_full = session.has("v") or session.has("rfc")
    head = f"Alias name: {shown}\nCreation date: {created}\n" if is_full else f"{shown}, {created}, "
    if isinstance(entry, SecretKeyEntry):
        return head + ("Entry type: SecretKeyEntry\n" if is_full else "SecretKeyEntry, \n")
    if isinstance(entry, PrivateKeyEntry):
        _warn_chain(session, store, shown, entry.chain)
        return head + (_full_chain(session, store, entry) if is_full else _short_chain(entry))
    session.warnings.extend(weak.warnings(_label(session, shown), entry.certificate, is_trusted=True))
    if is_full:
        return head + f"Entry type: trustedCertEntry\n\n{_certificate(session, store, entry.certificate)}"
    return head + f"trustedCertEntry, \n{_short(entry.certificate)}"


def _short_chain(entry: PrivateKeyEntry) -> str:
    return "PrivateKeyEntry, \n" + (_short(entry.chain[0]) if entry.chain else "Certificate chain length: 0\n")


def _short(certificate: Certificate) -> str:
    return f"Certificate fingerprint (SHA-256): {fingerprint(certificate.sha256)}\n"


def _full_chain(session: Session, store: Store, entry: PrivateKeyEntry) -> str:
    text = f"Entry type: PrivateKeyEntry\nCertificate chain length: {len(entry.chain)}\n"
    for number, certificate in enumerate(entry.chain, 1):
        text += f"Certificate[{number}]:\n{_certificate(session, store, certificate)}"
    return text


def _certificate(session: Session, store: Store, certificate: Certificate) -> str:
    if session.has("rfc"):
        return certificate_pem(certificate)
    return certificate_text(certificate, session.zone, is_trusted=certificate in store.trusted)


def _label(session: Session, shown: str) -> str:
    return f"<{shown}>" if session.get("alias") is None else "The certificate"


def _warn_chain(session: Session, store: Store, shown: str, chain: tuple[Certificate, ...]) -> None:
    """The labels differ with the layout, as in keytool."""
    for number, certificate in enumerate(chain, 1):
        label = _label(session, shown)
        if not session.has("rfc") and not session.has("v") and len(chain) > 1:
            label += f" #{number} of {len(chain)}"
        is_trusted = certificate in store.trusted
        session.warnings.extend(weak.warnings(label, certificate, is_trusted=is_trusted))
