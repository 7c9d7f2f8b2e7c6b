"""`-importkeystore`: entries of one store into another, or a store into another format in its place.

Imported keys get the password of the *destination*, unless -destkeypass says otherwise.  keytool leaves them under the
source's password in a JKS, and every Java server then refuses the whole store ("Cannot recover key").
"""

from __future__ import annotations

import attrs

from keystoretools.entries import Entry, PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry, fold_alias
from keystoretools.javapick import FIRST_SIZE, grown_size, hashtable_order
from keystoretools.keytool import keys, stores, weak
from keystoretools.keytool.failures import ARGUMENT, KEYSTORE, KeytoolError
from keystoretools.keytool.layout import plain
from keystoretools.keytool.session import Session
from keystoretools.keytool.stores import Store
from keystoretools.lockedkey import SecretKey
from keystoretools.model import Format
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password


class _NotStored(Exception):
    """The destination's format cannot hold the entry: Java's words."""


@attrs.define
class _Import:
    """One import: where to, and what was told on the way."""

    session: Session
    source: Store
    destination: Store
    key_password: Password | None
    adapted: list[str] = attrs.field(factory=list)
    unanswered: bool = False
    added: dict[str, Entry] = attrs.field(factory=dict)  # by folded alias; put into the destination at the end

    def is_taken(self, alias: str) -> bool:
        return fold_alias(alias) in self.added or alias in self.destination.keystore

    def finish(self) -> None:
        self.destination.keystore = self.destination.keystore.add_all(self.added.values(), replace=True)


def run(session: Session) -> int:
    """The command.  Status 1 when an entry could not be imported; cancelled ones are as the user wanted."""
    source_name = session.get("srckeystore")
    _check_options(session)
    if source_name is None:
        raise KeytoolError("Please specify -srckeystore")
    destination_name = stores.keystore_name(session, "destkeystore")
    if session.is_same_file(source_name, destination_name):
        return _in_place(session, source_name, destination_name)
    path = session.path(source_name)
    if path.is_file() and not path.stat().st_size:
        raise _empty(source_name)
    session.prompts.err(f"Importing keystore {source_name} to {destination_name}...\n")
    destination = _open_destination(session)
    source = _open_source(session, source_name)
    stores.ignores_key_password(session, source, session.password("srckeypass"), "srckeypass")
    job = _Import(session, source, destination, _key_password(session, destination))
    failed = _entries(job)
    if failed is None:
        return 1
    job.finish()
    stores.save(session, destination)
    _say_what_was_adapted(job)
    return 1 if failed or job.unanswered else 0


def _check_options(session: Session) -> None:
    for switch, names, words in (
        (
            "srcprotected",
            ("srcstorepass", "srckeypass"),
            "-srcprotected is specified, then -srcstorepass and -srckeypass",
        ),
        (
            "destprotected",
            ("deststorepass", "destkeypass"),
            "-protected is specified, then -storepass, -keypass, and -new",
        ),
    ):
        if session.has(switch) and any(session.password(name) is not None for name in names):
            raise KeytoolError(f"if {words} must not be specified", java_class=ARGUMENT)


def _open_destination(session: Session, *, fresh: bool = False, fallback: Password | None = None) -> Store:
    return stores.open_to_write(
        session,
        may_create=True,
        option="destkeystore",
        password_option="deststorepass",
        type_option="deststoretype",
        question="Enter destination keystore password:  ",
        fresh=fresh,
        fallback=fallback,
    )


def _open_source(session: Session, name: str) -> Store:
    data = session.read_file(name)
    if not data:
        raise _empty(name)
    stores.require_store(session, data, session.get("srcstoretype"))
    password = session.password("srcstorepass")
    if password is None and not session.has("srcprotected") and stores.wants_password(session, data):
        password = session.prompts.password("Enter source keystore password:  ")
    return stores.opened(session, name, data, password, session.get("srcstoretype"), is_source=True)


def _empty(name: str) -> KeytoolError:
    return KeytoolError(f"Source keystore file exists, but is empty: {name}")


def _key_password(session: Session, destination: Store) -> Password | None:
    """-destkeypass; in PKCS#12 it must be the store's, as keytool has it."""
    given = session.password("destkeypass")
    return None if stores.ignores_key_password(session, destination, given, "destkeypass") else given


def _in_place(session: Session, source_name: str, name: str) -> int:
    """The store in another format under its own name; the old file is kept beside it."""
    session.lock(session.path(name))
    source = _open_source(session, source_name)
    destination = _open_destination(session, fresh=True, fallback=source.password)
    job = _Import(session, source, destination, _key_password(session, destination))
    failed = _entries(job)
    if failed is None:
        return 1
    if failed:
        raise KeytoolError("Not all entries could be imported", hint=f"{name} is as it was; nothing was migrated.")
    job.finish()
    backup = _backup(session, source)
    stores.save(session, destination, warn=False)
    old, new = source.keystore.format.value, destination.keystore.format.value
    stores.warn_about(session, destination)
    if old == new:
        session.warnings.append(f'The original keystore "{source_name}" is backed up as "{backup}"...')
    else:
        session.warnings.append(f'Migrated "{source_name}" to {new}. The {old} keystore is backed up as "{backup}".')
    return 0


def _backup(session: Session, source: Store) -> str:
    """A copy under the first free name: .old, .old2, ..."""
    number = 1
    while True:
        name = f"{source.name}.old{number if number > 1 else ''}"
        if not session.path(name).exists():
            session.write_copy(name, source.before or b"")
            return name
        number += 1


def _entries(job: _Import) -> int | None:
    """All entries, or the one of -srcalias: how many failed; None when the user stopped it."""
    session = job.session
    alias = session.get("srcalias")
    if alias is not None:
        entry = job.source.keystore.get(alias)
        if entry is None:
            raise KeytoolError(f"Alias <{alias}> does not exist")
        outcome = _one(job, entry, session.get("destalias") or alias, said=alias)
        if outcome is False:
            return 1
        return 0 if outcome or not job.unanswered else None
    if session.get("destalias") is not None or session.password("srckeypass") is not None:
        raise KeytoolError("if alias not specified, destalias and srckeypass must not be specified")
    return _all(job)


def _all(job: _Import) -> int:
    session = job.session
    entries = _in_java_order(session, job.source)
    done = failed = 0
    for entry in entries:
        outcome = _one(job, entry, entry.alias, said=entry.alias)
        if outcome:
            done += 1
            session.prompts.err(f"Entry for alias {plain(entry.alias)} successfully imported.\n")
        elif outcome is False:
            failed += 1
            if not session.has("noprompt") and session.prompts.confirm(
                "Do you want to quit the import process? [no]:  "
            ):
                break
    session.prompts.err(
        f"Import command completed:  {done} entries successfully imported, {len(entries) - done} entries failed or"
        " cancelled\n"
    )
    return failed


def _in_java_order(session: Session, source: Store) -> list[Entry]:
    """The entries that Java sees, as it enumerates them."""
    entries = [entry for entry in source.keystore.entries if entry.java_sees_it]
    if source.is_pkcs12:
        return entries
    by_alias = {entry.alias: entry for entry in entries}
    # keytool reads a JCEKS of unnamed type twice, the second time into the table that has grown
    is_read_twice = source.keystore.format is Format.JCEKS and session.get("srcstoretype") is None
    size = grown_size(len(by_alias)) if is_read_twice else FIRST_SIZE
    return [by_alias[alias] for alias in hashtable_order(list(by_alias), size)]


def _one(job: _Import, entry: Entry, alias: str, *, said: str) -> bool | None:
    """One entry: True when it is in, False when it failed, None when it was cancelled."""
    session = job.session
    new_alias = _free_alias(job, alias, said)
    if new_alias is None:
        return None
    try:
        job.added[fold_alias(new_alias)] = _adapted(job, entry, new_alias)
    except _NotStored as error:
        shown = plain(said)
        session.prompts.err(
            f"Problem importing entry for alias {shown}: {error}.\nEntry for alias {shown} not imported.\n"
        )
        return False
    _warn(job, entry, new_alias)
    return True


def _warn(job: _Import, entry: Entry, alias: str) -> None:
    """About the certificate of an entry that was imported."""
    certificate = None
    if isinstance(entry, TrustedCertificateEntry):
        certificate = entry.certificate
    elif isinstance(entry, PrivateKeyEntry) and entry.chain:
        certificate = entry.chain[0]
    if certificate is not None:
        job.session.warnings.extend(weak.warnings(f"<{plain(alias)}>", certificate))


def _free_alias(job: _Import, alias: str, said: str) -> str | None:
    """The name to store under: an existing one only when the user agrees (or -noprompt); None cancels.

    The texts name the entry as it is called in the source, as keytool's do.
    """
    session, shown = job.session, plain(said)
    while job.is_taken(alias):
        if session.has("noprompt"):
            session.prompts.err(f"Warning: Overwriting existing alias {shown} in destination keystore\n")
            return alias
        answer = session.prompts.confirm(f"Existing entry alias {shown} exists, overwrite? [no]:  ")
        if answer:
            return alias
        other = session.prompts.ask("Enter new alias name\t(RETURN to cancel import for this entry):  ")
        if other is None:
            job.unanswered = True
        if not other:
            session.prompts.err(f"Entry for alias {shown} not imported.\n")
            return None
        alias = other
    return alias


def _adapted(job: _Import, entry: Entry, alias: str) -> Entry:
    """The entry under its new name and date, its key open and to be locked under the destination's password."""
    session = job.session
    renamed = attrs.evolve(entry, alias=alias.lower(), created_ms=session.now_ms)
    if isinstance(renamed, TrustedCertificateEntry):
        return renamed
    given = None if job.source.is_pkcs12 else session.password("srckeypass")
    key, opened_by = keys.unlock(session, job.source, entry.alias, given)
    if not isinstance(key, PrivateKey) and not job.destination.keystore.format.holds_secret_keys:
        raise _NotStored(f"{KEYSTORE}: Cannot store non-PrivateKeys")
    target = job.key_password
    is_java_only = job.destination.keystore.format is not Format.PKCS12
    if is_java_only and target is None and opened_by != job.destination.password:
        job.adapted.append(alias)
    if isinstance(renamed, PrivateKeyEntry) and isinstance(key, PrivateKey):
        try:
            stores.require_whole_chain(job.destination, renamed.chain)
        except KeytoolError as error:
            raise _NotStored(f"{error.java_class}: {error.text}") from error
        return attrs.evolve(renamed, key=key, key_password=target)
    if isinstance(renamed, SecretKeyEntry) and isinstance(key, SecretKey):
        return attrs.evolve(renamed, key=key, key_password=target)
    raise AssertionError("an entry unlocks to a key of its own kind")


def _say_what_was_adapted(job: _Import) -> None:
    for alias in job.adapted:
        job.session.prompts.hint(
            f'The key "{plain(alias)}" now has the password of {job.destination.name}, not that of'
            f" {job.source.name} (keytool would have kept that one, and Java servers would not start)."
        )
    for alias in job.destination.keystore.locked_apart(budget=job.session.budget):
        if job.key_password is not None:
            job.session.prompts.hint(
                f'The key "{plain(alias)}" has another password than the keystore: a Java server that knows only the'
                f" keystore's does not start. To change it: iakeytool -keypasswd -keystore {job.destination.name}"
                f" -alias {plain(alias)}"
            )
