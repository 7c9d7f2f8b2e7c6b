"""`iadmin keystore create` and `request`: new keys, and requests for the certificate department."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.adminkey import new_admin_entry
from iadmin.commands.edges import SavedFile
from iadmin.commands.keystore_words import certificate_data, entry_table
from iadmin.commands.keystores import FORMATS, AgentKeystore, keystore_command, saved_data, saved_line, which_to_present
from iadmin.commands.lazy import Command
from iadmin.model import Block, Outcome
from iadmin.render import Line, Script
from keystoretools import (
    Certificate,
    Extension,
    Keystore,
    Name,
    PrivateKey,
    PrivateKeyEntry,
    extend,
    fold_alias,
    make,
    write_pem,
)
from keystoretools.dname import build_name, parse_name
from keystoretools.errors import ErrorCode, OperationError, quoted
from keystoretools.hostnames import names_of
from keystoretools.identity import ADMIN_ALIAS, candidates, choose_identity

KEY_TYPES: Final[dict[str, Callable[[], PrivateKey]]] = {
    "rsa-2048": lambda: make.generate_key("RSA", bits=2048),
    "rsa-3072": lambda: make.generate_key("RSA", bits=3072),
    "rsa-4096": lambda: make.generate_key("RSA", bits=4096),
    "ec-256": lambda: make.generate_key("EC", curve="secp256r1"),
    "ec-384": lambda: make.generate_key("EC", curve="secp384r1"),
}
DEFAULT_ALIAS: Final = "server"
"""A Java server, should there be a way back to one, would present it before `apia`."""
DEFAULT_DAYS: Final = 825
"""The longest that Apple's clients accept; others accept more."""
CLOCK_SKEW: Final = timedelta(hours=1)
"""Senders whose clocks are behind shall not find the certificate not yet valid."""
MOST_COMMON_NAME: Final = 64
"""RFC 5280, ub-common-name."""

_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)

names_option = click.option(
    "--name", "names", multiple=True, metavar="HOST", help="Host name or address that senders use (repeatable)."
)
key_type_option = click.option("--key-type", type=click.Choice(list(KEY_TYPES)), default="rsa-2048", show_default=True)
subject_option = click.option("--subject", metavar="DN", help="As CN=host, O=Example, C=CA (default: CN=first name).")


@click.command(cls=Command)
@click.argument("alias", metavar="[ALIAS]", default=DEFAULT_ALIAS)
@names_option
@key_type_option
@subject_option
@click.option("--days", type=click.IntRange(1, 36500), default=DEFAULT_DAYS, show_default=True, help="Lifetime.")
@click.option("--replace", is_flag=True, help="An entry of that name may be replaced.")
@click.option("--new", is_flag=True, help="With --keystore: make the keystore if it is not there.")
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="Of a new keystore (default: pkcs12).")
@keystore_command
def create(
    store: AgentKeystore,
    alias: str,
    names: tuple[str, ...],
    key_type: str,
    subject: str | None,
    days: int,
    replace: bool,
    new: bool,
    format_: str | None,
) -> Outcome:
    """Make a key with a self-signed certificate.

    The certificate covers the names that are given, else those of this machine. No sender trusts it until it has been
    put into the sender's trust store: iadmin keystore export says how. Under the name apia, the key is made by which
    iadmin on other machines and the agent know each other.
    """
    keystore = store.read_or_new(create=new, format=FORMATS[format_] if format_ else None)
    there = keystore.get(alias)
    if there is not None and not replace:
        raise OperationError(
            f"An entry {quoted(there.alias)} is there already; choose another name, or replace it with --replace.",
            code=ErrorCode.ALIAS_EXISTS,
            alias=there.alias,
        )
    if fold_alias(alias) == ADMIN_ALIAS:
        return _create_admin_key(store, replace=replace)
    entry = _new_entry(store, alias, _names(store, names), key_type, subject, days)
    saved = store.change(lambda now_there: now_there.add(entry, replace=replace))
    after = keystore.add(entry, replace=replace)
    return Outcome(
        data={**saved_data(store, saved), "alias": alias, "certificate": certificate_data(entry.chain[0])},
        blocks=(
            Line(f"Made a key and a self-signed certificate, under the alias {quoted(alias)}.", "good"),
            Line(saved_line(store, saved)),
            entry_table([entry], store.tools.now(), {}),
            Line(f"Senders must be told to trust it: iadmin keystore export {alias} --out {alias}.cer"),
            *which_to_present(store, after, alias),
        ),
        notes=tuple(store.notes),
    )


def _create_admin_key(store: AgentKeystore, *, replace: bool) -> Outcome:
    """The key of iadmin itself: the other options have no meaning for it."""
    entry = new_admin_entry(store.tools.now())
    saved = store.change(lambda now_there: now_there.add(entry, replace=replace))
    return Outcome(
        data={**saved_data(store, saved), "alias": entry.alias, "certificate": certificate_data(entry.chain[0])},
        blocks=(
            Line(f"Made the key of iadmin itself, under the alias {quoted(entry.alias)}.", "good"),
            Line(saved_line(store, saved)),
            Line('The running agent takes it over with "iadmin reload"; other machines need a copy of the keystore.'),
        ),
        notes=tuple(store.notes),
    )


@click.command(cls=Command)
@click.argument("alias", metavar="[ALIAS]", required=False)
@names_option
@key_type_option
@subject_option
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE (default: stdout).")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--new", is_flag=True, help="With --keystore: make the keystore if it is not there.")
@keystore_command
def request(
    store: AgentKeystore,
    alias: str | None,
    names: tuple[str, ...],
    key_type: str,
    subject: str | None,
    out: Path | None,
    force: bool,
    new: bool,
) -> Outcome:
    """Make a request for the certificate department.

    For the key ALIAS; where there is no such entry, a key is made. The request asks for the names that are given, else
    for those of the present certificate. The key stays here: only the request is sent, and what comes back is put to
    the key with: iadmin keystore import FILE.
    """
    keystore = store.read_or_new(create=new, format=None)
    path = None if out is None else store.tools.cwd / out
    if path is not None and path.exists() and not force:
        raise OperatorError(
            "file-exists",
            f"{str(path)!r} exists and is not overwritten; choose another name or add --force",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    entry, saved = _asking_entry(store, keystore, alias, names, key_type, subject)
    key = keystore.unlock(entry.alias, budget=store.budget) if saved is None else entry.key
    assert isinstance(key, PrivateKey)
    wanted = names or names_of(entry.chain[0]) or _names(store, ())
    name = _subject(subject, wanted) if subject or not _has_subject(entry.chain[0]) else entry.chain[0].subject
    asked = make.request(key, name, extensions=_extensions(key, _checked(wanted), self_signed=False))
    pem = write_pem(asked)
    data: dict[str, object] = {
        "alias": entry.alias,
        "subject": name.text(),
        "names": list(wanted),
        "file": None if out is None else str(out),
        "pem": pem.decode("ascii"),
        "saved": None if saved is None else saved_data(store, saved),
    }
    told: list[Line] = []
    if saved is not None:
        told.append(
            Line(f"Made a new key, under the alias {quoted(entry.alias)}, with a certificate for the time being.")
        )
        told.append(Line(saved_line(store, saved)))
        told.extend(which_to_present(store, keystore.add(entry), entry.alias))
    told.append(Line(f"The request asks for {', '.join(wanted)}, for the key {quoted(entry.alias)}.", "good"))
    if path is not None:
        store.tools.safe_files().save(path, pem, now=store.tools.now(), create=True)
        told.append(Line(f"Wrote it to {out}. There is no secret in it: send it to your certificate department."))
    told.append(Line("What comes back, all files of it: iadmin keystore import FILE..."))
    if path is not None:
        return Outcome(data=data, blocks=tuple(told), notes=tuple(store.notes))
    blocks: tuple[Block, ...] = (Script(pem.decode("ascii")),)
    return Outcome(data=data, blocks=blocks, notes=(*store.notes, *(line.text for line in told)))


def _asking_entry(
    store: AgentKeystore,
    keystore: Keystore,
    alias: str | None,
    names: Sequence[str],
    key_type: str,
    subject: str | None,
) -> tuple[PrivateKeyEntry, SavedFile | None]:
    """The entry to make a request for, and what was saved where it had to be made first."""
    if alias is None and candidates(keystore):
        entry = choose_identity(keystore, now=store.tools.now()).entry
    else:
        there = keystore.get(alias or DEFAULT_ALIAS)
        if there is None:
            made = _new_entry(store, alias or DEFAULT_ALIAS, _names(store, names), key_type, subject, DEFAULT_DAYS)
            return made, store.change(lambda now_there: now_there.add(made))
        entry = choose_identity(keystore, there.alias, now=store.tools.now()).entry
    return entry, None


def _new_entry(
    store: AgentKeystore, alias: str, names: Sequence[str], key_type: str, subject: str | None, days: int
) -> PrivateKeyEntry:
    if not alias.strip() or not alias.isprintable() or alias != alias.strip() or alias.startswith("-"):
        raise OperatorError(
            "alias-not-allowed",
            f"{alias!r} is no name that one can type again; choose another",
            exit_status=ExitStatus.USAGE,
        )
    with store.tools.working("making a key"):
        key = KEY_TYPES[key_type]()
    now = store.tools.now().replace(microsecond=0)
    certificate = make.self_signed(
        key,
        _subject(subject, names),
        start=now - CLOCK_SKEW,
        end=now + timedelta(days=days),
        extensions=_extensions(key, _checked(names), self_signed=True),
    )
    return PrivateKeyEntry(alias=alias, key=key, chain=(certificate,), created_ms=store.now_ms)


def _extensions(key: PrivateKey, names: Sequence[tuple[str, str]], *, self_signed: bool) -> list[Extension]:
    usages = ["digitalSignature", "keyEncipherment"] if key.algorithm == "RSA" else ["digitalSignature"]
    found = [
        extend.alternative_names(names),
        extend.key_usage(usages, critical=True),
        extend.extended_key_usage(["serverAuth"]),
    ]
    if self_signed:
        # Not an authority: browsers refuse those as servers, and a trust store takes it as it is.
        found.append(extend.basic_constraints(is_authority=False, critical=True))
    return found


def _names(store: AgentKeystore, given: Sequence[str]) -> Sequence[str]:
    names = list(given) or list(store.tools.machine_names())
    if not names:
        raise OperatorError(
            "no-name",
            "this machine does not know its own name; say with --name what senders call it",
            exit_status=ExitStatus.USAGE,
        )
    if not given:
        store.notes.append(f"no --name was given: the certificate is for {', '.join(names)}, the names of this machine")
    return names


def _checked(names: Sequence[str]) -> list[tuple[str, str]]:
    """Kind and value of each name, international ones in their xn-- form. Raises `OperatorError` for slips."""
    found = []
    for name in names:
        try:
            found.append(("ip", str(ipaddress.ip_address(name.strip("[]")))))
            continue
        except ValueError:
            pass
        try:
            plain = name if name.isascii() else name.encode("idna").decode("ascii")
        except UnicodeError:
            plain = ""
        labels = plain.removesuffix(".").removeprefix("*.").split(".")
        if not all(_LABEL.fullmatch(label) for label in labels) or len(plain) > 253:
            raise OperatorError(
                "no-host-name",
                f"{name!r} is no host name or address: letters, digits, hyphens, dots; no https://, no port",
                exit_status=ExitStatus.USAGE,
            )
        found.append(("dns", plain.removesuffix(".")))
    return list(dict.fromkeys(found))


def _subject(given: str | None, names: Sequence[str]) -> Name:
    if given is not None:
        return parse_name(given if "=" in given else f"CN={given}")
    short = [name for name in names if len(name) <= MOST_COMMON_NAME]
    return build_name([("CN", short[0])] if short else [("O", "integration agent")])


def _has_subject(certificate: Certificate) -> bool:
    return certificate.problem is None and bool(certificate.subject.text())
