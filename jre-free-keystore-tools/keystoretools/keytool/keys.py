"""Keys of entries, opened and locked as keytool does: with which password, and who is asked for it."""

from __future__ import annotations

from keystoretools.entries import PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.errors import KeystoreError, WrongKeyPasswordError
from keystoretools.keytool.failures import KeytoolError, of_library
from keystoretools.keytool.session import LEAST_PASSWORD, TRIES, Session
from keystoretools.keytool.stores import Store
from keystoretools.lockedkey import SecretKey
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password


def key_entry(session: Session, store: Store, alias: str) -> PrivateKeyEntry | SecretKeyEntry:
    """The entry with a key.  Raises KeytoolError when there is none."""
    entry = store.keystore.get(alias)
    if entry is None:
        raise KeytoolError(f"Alias <{alias}> does not exist")
    if isinstance(entry, TrustedCertificateEntry):
        raise KeytoolError(f"Alias <{alias}> has no key")
    return entry


def unlock(
    session: Session, store: Store, alias: str, given: Password | None = None
) -> tuple[PrivateKey | SecretKey, Password]:
    """A key and the password that opened it: `given`, else the store's, else asked for.

    Raises KeytoolError in Java's words.
    """
    entry = key_entry(session, store, alias)
    password = given or store.password or Password("")
    try:
        return entry.unlock(password, session.budget), password
    except WrongKeyPasswordError as error:
        if given is not None:
            raise of_library(error, store.keystore.format) from error
    except KeystoreError as error:
        raise of_library(error, store.keystore.format) from error
    answer = _ask_key_password(session, alias)
    try:
        return entry.unlock(answer, session.budget), answer
    except KeystoreError as error:
        raise of_library(error, store.keystore.format) from error


def private_key(
    session: Session, store: Store, alias: str, given: Password | None = None
) -> tuple[PrivateKey, Password]:
    """As `unlock`, for an entry that must hold a private key."""
    key, password = unlock(session, store, alias, given)
    if not isinstance(key, PrivateKey):
        raise KeytoolError(f"Alias <{alias}> has no private key")
    return key, password


def _ask_key_password(session: Session, alias: str) -> Password:
    for _ in range(TRIES):
        answer = session.prompts.password(f"Enter key password for <{alias}>")
        if answer is not None:
            return answer
    raise KeytoolError("Too many failures - try later")


def new_key_password(session: Session, store: Store, alias: str, given: Password | None) -> Password | None:
    """The password for a key that is being made; None means the store's."""
    if store.is_pkcs12:
        return None
    if given is not None:
        return given
    if session.has("protected"):
        return None
    for _ in range(TRIES):
        answer = session.prompts.password(
            f"Enter key password for <{alias}>\n\t(RETURN if same as keystore password):  "
        )
        if answer is None:
            return None
        if len(answer.reveal()) < LEAST_PASSWORD:
            session.prompts.err("Key password is too short - must be at least 6 characters\n")
        elif session.prompts.password("Re-enter new password: ") == answer:
            return answer
        else:
            session.prompts.err("They don't match. Try again\n")
    raise KeytoolError("Too many failures - key not added to keystore")
