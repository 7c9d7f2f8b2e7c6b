"""`-delete` and `-changealias`."""

from __future__ import annotations

import attrs

from keystoretools.entries import TrustedCertificateEntry
from keystoretools.keytool import keys, stores
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.session import Session


def run(session: Session) -> int:
    """Either command, by name."""
    command = session.invocation.command
    return _delete(session) if command is not None and command.name == "delete" else _rename(session)


def _delete(session: Session) -> int:
    stores.require_file(session)
    given = session.get("alias")
    alias = _ask(session, "Enter alias name:  ", "Must specify alias") if given is None else given
    store = stores.open_to_write(session)
    if alias not in store.keystore:
        raise KeytoolError(f"Alias <{alias}> does not exist")
    store.keystore = store.keystore.remove(alias)
    stores.save(session, store)
    return 0


def _rename(session: Session) -> int:
    """The entry under another name; its date becomes now, its key keeps its password."""
    stores.require_file(session)
    new = session.get("destalias") or _ask(session, "Enter destination alias name:  ", "Must specify destination alias")
    store = stores.open_to_write(session)
    if new in store.keystore:
        raise KeytoolError(f"Destination alias <{new}> already exists")
    alias = session.alias
    entry = store.keystore.get(alias)
    if entry is None:
        raise KeytoolError(f"Alias <{alias}> does not exist")
    if not isinstance(entry, TrustedCertificateEntry):
        # keytool asks too; the key itself stays as it lies
        keys.unlock(session, store, alias, session.password("keypass"))
    renamed = attrs.evolve(entry, alias=new.lower(), created_ms=session.now_ms)
    store.keystore = store.keystore.remove(alias).add(renamed)
    stores.save(session, store)
    return 0


def _ask(session: Session, question: str, complaint: str) -> str:
    answer = session.prompts.ask(question)
    if not answer:
        raise KeytoolError(complaint)
    return answer
