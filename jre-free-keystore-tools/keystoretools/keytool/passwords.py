"""`-storepasswd` and `-keypasswd`."""

from __future__ import annotations

from keystoretools.entries import TrustedCertificateEntry
from keystoretools.errors import KeystoreError
from keystoretools.keytool import keys, stores
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.session import LEAST_PASSWORD, TRIES, Session
from keystoretools.keytool.stores import Store
from keystoretools.model import Format
from keystoretools.secret import Password


def run(session: Session) -> int:
    """Either command, by name."""
    command = session.invocation.command
    return _store(session) if command is not None and command.name == "storepasswd" else _key(session)


def _store(session: Session) -> int:
    """As keytool: in JKS and JCEKS the keys keep their passwords; what then does not work any more is said."""
    store = stores.open_to_write(session)
    old = store.password
    new = session.password("new") or _ask_new(session, "keystore password", old)
    is_pkcs12 = store.is_pkcs12
    store.keystore = store.keystore.set_password(new, keys_too=is_pkcs12, budget=session.budget)
    stores.save(session, store)
    if not is_pkcs12 and old is not None and old != new:
        for alias in _opened_by(session, store, old):
            session.prompts.hint(
                f'The key "{alias}" still has the old password; a Java server that knows only the keystore\'s password'
                f" does not start. To change it too: iakeytool -keypasswd -keystore {store.name} -alias {alias}"
            )
    return 0


def _opened_by(session: Session, store: Store, password: Password) -> list[str]:
    found = []
    for entry in store.keystore.entries:
        if isinstance(entry, TrustedCertificateEntry):
            continue
        try:
            entry.unlock(password, session.budget)
        except KeystoreError:
            continue
        found.append(entry.alias)
    return found


def _key(session: Session) -> int:
    """The password of one key."""
    if stores.type_of(session, "storetype") is Format.PKCS12:
        raise _not_in_pkcs12()
    if stores.is_pkcs12_there(session):
        raise _not_in_pkcs12()
    store = stores.open_to_write(session)
    alias = session.alias
    given, new = session.password("keypass"), session.password("new")
    keys.key_entry(session, store, alias)
    if given is not None and new is not None and _has_already(session, store, alias, given, new):
        session.prompts.hint(
            f'The key "{alias}" has that password already (iakeytool gives imported keys the store\'s).'
        )
        stores.warn_about(session, store)
        return 0
    key, old = keys.unlock(session, store, alias, given)
    del key
    new = new or _ask_new(session, f"key password for <{alias}>", old)
    store.keystore = store.keystore.set_key_password(alias, new, old=old)
    stores.save(session, store)
    return 0


def _has_already(session: Session, store: Store, alias: str, given: Password, new: Password) -> bool:
    """Whether the new password opens the key and the given one does not: a guide's second step, done before."""
    entry = keys.key_entry(session, store, alias)
    try:
        entry.unlock(given, session.budget)
        return False
    except KeystoreError:
        pass
    try:
        entry.unlock(new, session.budget)
    except KeystoreError:
        return False
    return True


def _ask_new(session: Session, what: str, old: Password | None) -> Password:
    """A new password, typed twice.  Raises KeytoolError after three failures."""
    for _ in range(TRIES):
        answer = session.prompts.password(f"New {what}: ")
        if answer is None or len(answer.reveal()) < LEAST_PASSWORD:
            session.prompts.err("Password is too short - must be at least 6 characters\n")
        elif answer == old:
            session.prompts.err("Passwords must differ\n")
        elif session.prompts.password(f"Re-enter new {what}: ") == answer:
            return answer
        else:
            session.prompts.err("They don't match. Try again\n")
    raise KeytoolError("Too many failures - try later")


def _not_in_pkcs12() -> KeytoolError:
    return KeytoolError(
        "-keypasswd commands not supported if -storetype is PKCS12",
        java_class="java.lang.UnsupportedOperationException",
        hint="In a PKCS12 keystore keys have the keystore's password: use -storepasswd.",
    )
