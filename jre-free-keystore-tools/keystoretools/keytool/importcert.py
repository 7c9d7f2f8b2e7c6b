"""`-importcert`: a certificate to trust, or a CA's reply to the request of a private key."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from keystoretools import reply
from keystoretools.certificate import Certificate
from keystoretools.chain import is_self_signed
from keystoretools.contents import read_anything
from keystoretools.detect import Kind, sniff
from keystoretools.entries import Entry, PrivateKeyEntry, TrustedCertificateEntry
from keystoretools.errors import ErrorCode, KeystoreError, OperationError
from keystoretools.keytool import cacerts, keys, stores, weak
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.layout import name_text, plain
from keystoretools.keytool.session import Session
from keystoretools.keytool.stores import Store
from keystoretools.keytool.texts import certificate_text


def run(session: Session) -> int:
    """The command.  Status 1 also when nobody answered a question."""
    store = stores.open_to_write(session, may_create=True)
    alias = session.alias
    data = session.read_input()
    entry = store.keystore.get(alias)
    if isinstance(entry, PrivateKeyEntry):
        return _reply(session, store, entry, data)
    return _trusted(session, store, alias, entry, data)


def read_certificates(session: Session, data: bytes) -> tuple[Certificate, ...]:
    """All certificates of an input in its order; none when there are none.  Raises KeystoreError."""
    return read_anything(data, budget=session.budget).certificates


# --- a certificate to trust ---


def _trusted(session: Session, store: Store, alias: str, there: Entry | None, data: bytes) -> int:
    if there is not None:
        hint = "" if isinstance(there, TrustedCertificateEntry) else "That entry is a secret key; choose another alias."
        raise KeytoolError(f"Certificate not imported, alias <{alias}> already exists", hint=hint)
    certificate, left = _first(session, data)
    session.warnings.extend(weak.warnings("The input", certificate, is_trusted=certificate in store.trusted))
    answer = True if session.has("noprompt") else _wanted(session, store, certificate)
    if not answer:
        session.prompts.err("Certificate was not added to keystore\n")
        stores.warn_about(session, store)
        return _unanswered(session) if answer is None else 0
    store.keystore = store.keystore.add(
        TrustedCertificateEntry(alias=alias.lower(), certificate=certificate, created_ms=session.now_ms)
    )
    session.prompts.err("Certificate was added to keystore\n")
    stores.save(session, store)
    if left:
        session.prompts.hint(
            f"The file holds {left} more certificates, which were not imported: only the first one can be."
        )
    _say_where_the_key_is(session, store, alias, certificate)
    return 0


def _first(session: Session, data: bytes) -> tuple[Certificate, int]:
    """The first certificate of the input, and how many follow."""
    hint = ""
    try:
        found = read_certificates(session, data)
    except KeystoreError as error:
        found, hint = (), error.sentence
    if not found:
        raise KeytoolError("Input not an X.509 certificate", hint=hint)
    if _is_pkcs7(data):
        raise KeytoolError(
            "Input not an X.509 certificate",
            hint=f"It is a PKCS#7 file with {len(found)} certificates. iadmin keystore import takes all of them; here"
            " they can only be the reply for a private key.",
        )
    if found[0].problem is not None:
        raise KeytoolError("Input not an X.509 certificate", hint=found[0].problem)
    return found[0], len(found) - 1


def _is_pkcs7(data: bytes) -> bool:
    """A certificate's file and a chain's are told apart by the first block, as keytool does."""
    if sniff(data).kind is Kind.PEM:
        return b"-----BEGIN PKCS7-----" in data and b"CERTIFICATE-----" not in data
    return sniff(data).kind is Kind.PKCS7


def _wanted(session: Session, store: Store, certificate: Certificate) -> bool | None:
    """Whether it shall be trusted: by its issuer in the store, else by asking; None when nobody answers."""
    known = _certificates(store)
    system = _system(session)
    same = next((alias for alias, one in known if one == certificate), None)
    if same is not None:
        session.prompts.err(f"Certificate already exists in keystore under alias <{plain(same)}>\n")
        session.say_warnings_now()
        return session.prompts.confirm("Do you still want to add it? [no]:  ")
    if is_self_signed(certificate):
        there = next((alias for alias, one in system if one == certificate), None)
        if there is not None:
            session.prompts.err(f"Certificate already exists in system-wide CA keystore under alias <{plain(there)}>\n")
            session.say_warnings_now()
            return session.prompts.confirm("Do you still want to add it to your own keystore? [no]:  ")
    elif reply.completed(certificate, [one for _, one in (*known, *system)]) is not None:
        return True
    session.prompts.out(certificate_text(certificate, session.zone))
    session.say_warnings_now()
    return session.prompts.confirm("Trust this certificate? [no]:  ")


def _certificates(store: Store) -> list[tuple[str, Certificate]]:
    """Every certificate that an alias of the store stands for."""
    found: list[tuple[str, Certificate]] = []
    for entry in store.keystore.entries:
        if isinstance(entry, TrustedCertificateEntry) and entry.java_sees_it:
            found.append((entry.alias, entry.certificate))
        elif isinstance(entry, PrivateKeyEntry) and entry.chain:
            found.append((entry.alias, entry.chain[0]))
    return found


def _system(session: Session) -> tuple[tuple[str, Certificate], ...]:
    """What Java or the system trusts, when -trustcacerts says that it counts."""
    return cacerts.trusted(session.environ, session.budget) if session.has("trustcacerts") else ()


def _say_where_the_key_is(session: Session, store: Store, alias: str, certificate: Certificate) -> None:
    """The classic trap: a server certificate that lands beside its key, or without one."""
    key = certificate.public_key
    if key is None or certificate.is_authority:
        return
    for entry in store.keystore.private_keys:
        own = entry.chain[0].public_key if entry.chain else None
        if own is not None and own.same_key(key):
            session.prompts.hint(
                f'The private key of this certificate is in the entry "{plain(entry.alias)}"; to join them, import it'
                f" there: -importcert -alias {plain(entry.alias)}"
            )
            return
    if store.keystore.private_keys:
        session.prompts.hint(
            f'"{plain(alias)}" is a trusted certificate: the keystore has no private key for it, so a server cannot'
            " present it. The key is where the request was made."
        )


# --- a reply ---


def _reply(session: Session, store: Store, entry: PrivateKeyEntry, data: bytes) -> int:
    key, password = keys.private_key(session, store, session.alias, session.password("keypass"))
    joined = _joined(session, store, entry, _reply_certificates(session, data))
    session.warnings.extend(weak.chain_warnings("Reply", joined.chain, trusted=store.trusted))
    if joined.untrusted_top is not None and not session.has("noprompt"):
        answer = _ask_about_top(session, joined.untrusted_top)
        if not answer:
            session.prompts.err("Certificate reply was not installed in keystore\n")
            stores.warn_about(session, store)
            return _unanswered(session) if answer is None else 0
    stores.require_whole_chain(store, joined.chain)
    changed = attrs.evolve(entry, chain=joined.chain, created_ms=session.now_ms)
    if not store.is_pkcs12 and password != store.password:
        changed = attrs.evolve(changed, key=key, key_password=password)
    store.keystore = store.keystore.add(changed, replace=True)
    session.prompts.err("Certificate reply was installed in keystore\n")
    stores.save(session, store)
    if joined.missing is not None and joined.unrelated:
        session.prompts.hint(
            f"The chain has a gap: the certificate of {name_text(joined.missing.name)} is missing. Clients will not"
            " trust it; get that certificate and import the whole chain again."
        )
    elif joined.unrelated:
        session.prompts.hint(f"{len(joined.unrelated)} certificates at the end of the chain do not belong to it.")
    return 0


def _reply_certificates(session: Session, data: bytes) -> Sequence[Certificate]:
    if not data.strip():
        raise KeytoolError("Reply has no certificates")
    hint = ""
    try:
        found = read_certificates(session, data)
    except KeystoreError as error:
        found, hint = (), error.sentence
    if not found and sniff(data).kind is Kind.PKCS7:
        raise KeytoolError("Reply has no certificates", hint=hint)
    if not found:
        raise KeytoolError("No certificate data found", java_class="java.security.cert.CertificateException", hint=hint)
    return found


def _joined(session: Session, store: Store, entry: PrivateKeyEntry, found: Sequence[Certificate]) -> reply.Reply:
    alias = session.alias
    try:
        return reply.join(entry, found, [one for _, one in (*_certificates(store), *_system(session))])
    except OperationError as error:
        texts = {
            ErrorCode.NO_PRIVATE_KEY: f"{alias} has no public key (certificate)",
            ErrorCode.KEY_DOES_NOT_MATCH: (
                "Public keys in reply and keystore don't match"
                if len(found) == 1
                else f"Certificate reply does not contain public key for <{alias}>"
            ),
            ErrorCode.ALIAS_EXISTS: "Certificate reply and certificate in keystore are identical",
            ErrorCode.CHAIN_INCOMPLETE: "Failed to establish chain from reply",
        }
        raise KeytoolError(texts.get(error.code, error.sentence), hint=error.sentence) from error


def _ask_about_top(session: Session, top: Certificate) -> bool | None:
    session.prompts.err("\nTop-level certificate in reply:\n\n")
    session.prompts.out(certificate_text(top, session.zone))
    session.prompts.err("\n... is not trusted. ")
    session.say_warnings_now()
    return session.prompts.confirm("Install reply anyway? [no]:  ")


def _unanswered(session: Session) -> int:
    session.prompts.hint("Nobody answered the question; use -noprompt where no one can.")
    return 1
