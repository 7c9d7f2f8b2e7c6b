"""`iadmin keystore remove`, `rename`, `passwd` and `migrate`: changing what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.keystore_users import after_new_password
from iadmin.commands.keystores import FORMATS, AgentKeystore, keystore_command, saved_data, saved_line, served_alias
from iadmin.commands.lazy import Command
from iadmin.commands.passwords import given_password, new_password, require_long_enough
from iadmin.model import Outcome
from iadmin.render import Line
from keystoretools import PROFILES, Entry, Format, Keystore, Password, WrongKeyPasswordError, fold_alias
from keystoretools.errors import PasswordNeededError, quoted
from keystoretools.identity import ADMIN_ALIAS

NEW_VARIABLE: Final = "IA_NEW_PASSWORD"
KEY_VARIABLE: Final = "IA_KEY_PASSWORD"
TRIES: Final = 3
FILE = click.Path(path_type=Path)

key_password_option = click.option(
    "--key-password-file",
    type=FILE,
    metavar="FILE",
    help=f"File whose first line is the key's own password (else ${KEY_VARIABLE}, else asked).",
)


@click.command(cls=Command)
@click.argument("alias", metavar="ALIAS")
@click.option("--force", is_flag=True, help="Also iadmin's own entry, or the one that senders see.")
@keystore_command
def remove(store: AgentKeystore, alias: str, force: bool) -> Outcome:
    """Remove an entry.

    The keystore as it was stays beside it, with the time in its name.
    """
    entry = store.read()[alias]
    if not force:
        _refuse_important(store, entry, "removed")
    saved = store.change(lambda keystore: keystore.remove(alias))
    return Outcome(
        data={**saved_data(store, saved), "removed": entry.alias},
        blocks=(Line(f"Removed {quoted(entry.alias)}.", "good"), Line(saved_line(store, saved))),
        notes=tuple(store.notes),
    )


@click.command(cls=Command)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--force", is_flag=True, help="Also iadmin's own entry, or the one that senders see.")
@keystore_command
def rename(store: AgentKeystore, old: str, new: str, force: bool) -> Outcome:
    """Give an entry another name.

    Java compares names without case; so do these tools.
    """
    if not new.strip() or not new.isprintable() or new != new.strip():
        raise OperatorError(
            "alias-not-allowed",
            f"{new!r} is no name that one can type again; choose another",
            exit_status=ExitStatus.USAGE,
        )
    entry = store.read()[old]
    if not force:
        _refuse_important(store, entry, "renamed")
    saved = store.change(lambda keystore: keystore.rename(old, new))
    return Outcome(
        data={**saved_data(store, saved), "renamed": entry.alias, "alias": new},
        blocks=(Line(f"{quoted(entry.alias)} is now {quoted(new)}.", "good"), Line(saved_line(store, saved))),
        notes=tuple(store.notes),
    )


def _refuse_important(store: AgentKeystore, entry: Entry, verb: str) -> None:
    if fold_alias(entry.alias) == ADMIN_ALIAS:
        raise OperatorError(
            "needed-entry",
            f'"{entry.alias}" is the identity of iadmin itself: without it iadmin can no longer prove to the agent who'
            f" it is. It is not {verb} unless you add --force",
            exit_status=ExitStatus.USAGE,
        )
    if fold_alias(entry.alias) == fold_alias(served_alias(store.tools)):
        raise OperatorError(
            "needed-entry",
            f'"{entry.alias}" is what the service gateway presents to senders (iaconfig.xml names it). Name another one'
            f" first with: iadmin keystore use ALIAS. It is not {verb} unless you add --force",
            exit_status=ExitStatus.USAGE,
        )


@click.command(cls=Command)
@click.option("--key", "alias", metavar="ALIAS", help="Only this key: put it under the keystore's password.")
@click.option(
    "--new-password-file",
    type=FILE,
    metavar="FILE",
    help=f"File whose first line is the new password (else ${NEW_VARIABLE}, else asked twice).",
)
@key_password_option
@keystore_command
def passwd(
    store: AgentKeystore, alias: str | None, new_password_file: Path | None, key_password_file: Path | None
) -> Outcome:
    """Change the password of the keystore or of one key.

    The keys change with the keystore. A key that has a password of its own (often that of the .pfx it came from) keeps
    it and is named: a Java server cannot start with such a keystore, and --key mends that.
    """
    keystore = store.read()
    if alias is not None:
        return _key_password(store, keystore, alias, key_password_file)
    new = given_password(store.tools, new_password_file, NEW_VARIABLE)
    if new is None:
        new = new_password(store.tools, "New password", f"--new-password-file or {NEW_VARIABLE}")
    require_long_enough(new)
    apart = keystore.locked_apart()
    if apart and keystore.format is Format.PKCS12:
        raise WrongKeyPasswordError(
            f"{_named(apart)} with another password than the keystore, and a PKCS#12 file cannot stay like that. First:"
            f" iadmin keystore passwd --key {apart[0]}"
        )
    saved = store.change(lambda now_there: now_there.set_password(new))
    store.notes[:] = [note for note in store.notes if "everybody knows" not in note]
    store.notes += after_new_password(store.tools, store.path)
    if apart:
        store.notes.append(
            f"{_named(apart)} with another password still; a Java server cannot start with this keystore. Mend it with:"
            f" iadmin keystore passwd --key {apart[0]}"
        )
    return Outcome(
        data={**saved_data(store, saved), "keys_apart": list(apart)},
        blocks=(Line("The keystore and its keys have the new password.", "good"), Line(saved_line(store, saved))),
        notes=tuple(store.notes),
    )


def _named(aliases: tuple[str, ...]) -> str:
    return f"The key{'s' * (len(aliases) > 1)} {', '.join(map(quoted, aliases))} open{'s' * (len(aliases) == 1)}"


def _key_password(store: AgentKeystore, keystore: Keystore, alias: str, file: Path | None) -> Outcome:
    entry = keystore[alias]
    if alias and fold_alias(entry.alias) not in map(fold_alias, keystore.locked_apart()):
        keystore.unlock(alias)  # a trusted certificate has no key: says so
        return Outcome(
            data={"keystore": str(store.path), "changed": False},
            blocks=(Line(f"The key {quoted(entry.alias)} has the keystore's password already."),),
            notes=tuple(store.notes),
        )
    old = _key_password_of(store, keystore, alias, file)
    saved = store.change(lambda now_there: now_there.set_key_password(alias, None, old=old))
    return Outcome(
        data={**saved_data(store, saved), "changed": True},
        blocks=(
            Line(f"The key {quoted(entry.alias)} now has the keystore's password.", "good"),
            Line(saved_line(store, saved)),
        ),
        notes=tuple(store.notes),
    )


def _key_password_of(store: AgentKeystore, keystore: Keystore, alias: str, file: Path | None) -> Password:
    """The password that opens one key: given, else asked for. Raises `KeystoreError`."""
    given = given_password(store.tools, file, KEY_VARIABLE)
    if given is not None:
        keystore.unlock(alias, given)
        return given
    for _ in range(TRIES):
        answer = store.tools.ask_secret(f"Password of the key {alias}: ")
        if answer is None:
            break
        try:
            keystore.unlock(alias, answer)
        except WrongKeyPasswordError:
            continue
        return Password(answer)
    raise PasswordNeededError(
        f"The key {quoted(alias)} opens with another password than the keystore; give it with --key-password-file or in"
        f" {KEY_VARIABLE}.",
        alias=alias,
    )


@click.command(cls=Command)
@click.option("--to", "to", type=click.Choice(sorted(FORMATS)), help="The new format (default: pkcs12).")
@click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    help="For PKCS#12: portable (every Java and OpenSSL; default), modern, or legacy (old Windows).",
)
@key_password_option
@keystore_command
def migrate(store: AgentKeystore, to: str | None, profile: str | None, key_password_file: Path | None) -> Outcome:
    """Convert the keystore to another format.

    JKS and JCEKS become PKCS#12, and back with --to. The file keeps its name, all keys come under the keystore's
    password, and the keystore as it was stays beside it. A Java program that names the type of its keystore must be
    told the new one.
    """
    keystore = store.read()
    target = FORMATS[to or "pkcs12"]
    if target is keystore.format and profile is None:
        raise OperatorError(
            "same-format",
            f"{str(store.path)!r} is a {target.value} keystore already; name another format with --to, or a --profile",
            exit_status=ExitStatus.USAGE,
        )
    opened = {alias: _key_password_of(store, keystore, alias, key_password_file) for alias in keystore.locked_apart()}
    unseen = [entry.alias for entry in keystore if not entry.java_sees_it]

    def edit(now_there: Keystore) -> Keystore:
        for alias, password in opened.items():
            now_there = now_there.set_key_password(alias, None, old=password)
        return now_there

    saved = store.change(edit, format=target, profile=PROFILES[profile or "portable"])
    if unseen:
        store.notes.append(f"Java did not see {', '.join(unseen)} before; now it does")
    count = f"{len(keystore)} entr{'y' if len(keystore) == 1 else 'ies'}"
    return Outcome(
        data={**saved_data(store, saved), "from": keystore.format.value, "to": target.value, "entries": len(keystore)},
        blocks=(
            Line(f"Converted {count} from {keystore.format.value} to {target.value}.", "good"),
            Line(saved_line(store, saved)),
        ),
        notes=tuple(store.notes),
    )
