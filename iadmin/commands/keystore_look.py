"""`iadmin keystore list` and `check`: looking without changing."""

from __future__ import annotations

import stat
from datetime import timedelta

import click

from agent.errors import ExitStatus
from iadmin.commands.keystore_words import entry_data, entry_table, finding_blocks, finding_data
from iadmin.commands.keystores import AgentKeystore, keystore_command, served_alias
from iadmin.commands.lazy import Command
from iadmin.model import Outcome
from iadmin.render import Facts, Line
from keystoretools import Keystore, KeystoreError, PrivateKeyEntry, fold_alias
from keystoretools.finding import Finding, Severity, error, warning
from keystoretools.findings import findings
from keystoretools.identity import ADMIN_ALIAS, choose_identity
from keystoretools.javapick import java_would_pick, key_algorithm


@click.command("list", cls=Command)
@keystore_command
def list_(store: AgentKeystore) -> Outcome:
    """List the entries, with names and expiry.

    Without a password, what can be seen without one is listed.
    """
    keystore = store.read_or_list()
    now, named = store.tools.now(), served_alias(store.tools)
    presented = _presented(store, keystore, named)
    remarks = {entry.alias: "iadmin's own" for entry in keystore if fold_alias(entry.alias) == ADMIN_ALIAS}
    if presented is not None:
        remarks[presented.alias] = "presented to senders"
    kinds = ["RSA", "EC"] if presented is None else [key_algorithm(presented)]
    picks = (java_would_pick(keystore, kind, check_passwords=False).alias for kind in kinds)
    java = next((alias for alias in picks if alias is not None), None)
    return Outcome(
        data={
            "keystore": str(store.path),
            "format": keystore.format.value,
            "verified": keystore.verified,
            "gateway_alias": named,
            "presented": None if presented is None else presented.alias,
            "java_would_present": java,
            "entries": [entry_data(entry) for entry in keystore],
        },
        blocks=(
            Facts(
                pairs=(
                    ("Keystore", str(store.path)),
                    ("Format", keystore.format.value + ("" if keystore.verified else " (not verified)")),
                    ("Presented", _why_none(store, keystore, named) if presented is None else presented.alias),
                )
            ),
            entry_table(keystore, now, remarks),
        ),
        notes=tuple(store.notes),
    )


@click.command(cls=Command)
@click.option("--name", "names", multiple=True, metavar="HOST", help="What senders call this machine (repeatable).")
@click.option("--days", type=click.IntRange(0, 3650), default=30, show_default=True, help="Warn so long before expiry.")
@click.option("--strict", is_flag=True, help="Warnings, too, make the exit status 1.")
@keystore_command
def check(store: AgentKeystore, names: tuple[str, ...], days: int, strict: bool) -> Outcome:
    """Report what is wrong, with remedies.

    Exit status 1 when something does not work or will be refused (errors), 0 when there are only warnings. For
    monitoring: --strict, and --json.
    """
    keystore = store.read()
    named = served_alias(store.tools)
    found = [*_places(store, keystore, named)]
    found += findings(keystore, now=store.tools.now(), host_names=names, alias=named if named in keystore else None)
    found += _expiring(store, keystore, days, {one.alias for one in found if one.code in ("expired", "expires-soon")})
    found.sort(key=lambda one: one.severity.rank)
    counts = {severity: sum(one.severity is severity for one in found) for severity in Severity}
    bad = counts[Severity.ERROR] or (strict and counts[Severity.WARNING])
    if found:
        words = [f"{number} {name.value}{'s' * (number != 1)}" for name, number in counts.items() if number]
        last = Line(f"{store.path}: {', '.join(words)}.".replace("infos", "remarks").replace("1 info", "1 remark"))
    else:
        last = Line(f"{store.path} is good.", "good")
    return Outcome(
        data={"keystore": str(store.path), "good": not bad, "findings": finding_data(found)},
        blocks=(*finding_blocks(found), last),
        notes=tuple(note for note in store.notes if "everybody knows" not in note),
        exit_status=ExitStatus.FAILED if bad else ExitStatus.OK,
    )


def _presented(store: AgentKeystore, keystore: Keystore, named: str) -> PrivateKeyEntry | None:
    try:
        return choose_identity(keystore, named or None, now=store.tools.now()).entry
    except KeystoreError:
        return None


def _why_none(store: AgentKeystore, keystore: Keystore, named: str) -> str:
    if keystore.password is None and not any(entry.chain for entry in keystore.private_keys):
        return "not to be told without the password"
    try:
        choose_identity(keystore, named or None, now=store.tools.now())
    except KeystoreError as reason:
        return f"nothing: {reason.sentence}"
    return ""


def _places(store: AgentKeystore, keystore: Keystore, named: str) -> list[Finding]:
    """What the library cannot know: the file's mode, and what the configuration names."""
    found: list[Finding] = []
    mode = stat.S_IMODE(store.path.stat().st_mode)
    if mode & 0o077 and (keystore.private_keys or keystore.secret_keys):
        sentence = f"The file can be read or changed by other users of this machine (mode {mode:o})."
        found.append(warning("readable-by-others", sentence, f"Run: chmod 600 {store.path}"))
    if named and named not in keystore:
        sentence = (
            f'The configuration names the entry "{named}" for the service gateway, and it is not in the keystore.'
        )
        found.append(error("no-such-alias", sentence, "Name one that is there: iadmin keystore use ALIAS"))
    return found


def _expiring(store: AgentKeystore, keystore: Keystore, days: int, told: set[str | None]) -> list[Finding]:
    """Certificates of keys that expire within a longer time than the library's month."""
    now, found = store.tools.now(), []
    for entry in keystore:
        if isinstance(entry, PrivateKeyEntry) and entry.chain and entry.alias not in told:
            end = entry.chain[0].not_after
            if end is not None and now <= end < now + timedelta(days=days):
                sentence = (
                    f'The certificate of "{entry.alias}" ({key_algorithm(entry)}) expires on {end:%Y-%m-%d}, in'
                    f" {(end - now).days} days."
                )
                cure = f"Make a request: iadmin keystore request {entry.alias}"
                found.append(warning("expires-soon", sentence, cure, alias=entry.alias))
    return found
