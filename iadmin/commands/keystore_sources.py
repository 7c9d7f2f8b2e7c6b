"""Files that somebody sent: read, with the passwords they need, and put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from iadmin.commands.passwords import first_line
from iadmin.commands.tools import Tools
from keystoretools import Certificate, Contents, Keystore, KeystoreError, Password, PrivateKeyEntry, read_anything
from keystoretools.assemble import Assembly, assemble
from keystoretools.limits import Budget

SOURCE_VARIABLE: Final = "IA_SOURCE_PASSWORD"
WELL_KNOWN: Final = ("", "changeit", "alarmpoint", "changeme", "password")
"""Tried where no given password fits: PFX files without a password are common, and Java's stores have the second."""
TRIES: Final = 3


@attrs.frozen(kw_only=True)
class Sources:
    """What the files hold. `failures`: files of no use, with the reason; `notes`: how they were opened."""

    contents: Contents
    assembly: Assembly
    passwords: tuple[Password, ...] = attrs.field(repr=False)
    failures: tuple[tuple[str, KeystoreError], ...] = ()
    notes: tuple[str, ...] = ()
    budget: Budget = attrs.field(factory=Budget)


def read_sources(tools: Tools, files: Sequence[Path], password_files: Sequence[Path]) -> Sources:
    """Read all files; a person is asked for what no given and no well-known password opens."""
    given = [first_line(tools, file) for file in password_files]
    if (variable := tools.environ.get(SOURCE_VARIABLE)) is not None:
        given.append(Password(variable))
    octets: dict[str, bytes | KeystoreError] = {}
    for file in files:
        try:
            octets[str(file)] = tools.safe_files().load(tools.cwd / file)
        except KeystoreError as error:
            octets[str(file)] = error
    notes: list[str] = []
    budget = Budget()
    found = _read(octets, given, budget)
    if found.assembly.locked:
        known = _read(octets, [*given, *map(Password, WELL_KNOWN)], budget)
        if len(known.assembly.locked) < len(found.assembly.locked) and len(known.failures) <= len(found.failures):
            notes.append("a well-known password opened part of the files: whoever has them can read the keys in them")
            found = known
    for _ in range(TRIES):
        if not found.assembly.locked:
            break
        answer = tools.ask_secret(f"Password of {', '.join(found.assembly.locked)} (none: RETURN): ")
        if not answer:
            break
        # With a budget of its own: a person who mistypes has not spent the next try.
        found = _read(octets, [*found.passwords, Password(answer)], Budget())
    return attrs.evolve(found, notes=tuple(notes))


def _read(octets: dict[str, bytes | KeystoreError], passwords: Sequence[Password], budget: Budget) -> Sources:
    """One attempt."""
    contents: list[Contents] = []
    failures: list[tuple[str, KeystoreError]] = []
    for name, data in octets.items():
        try:
            if isinstance(data, KeystoreError):
                raise data
            contents.append(read_anything(data, passwords, name=name, budget=budget))
        except KeystoreError as error:
            failures.append((name, error))
    joined = Contents.joined(*contents)
    return Sources(
        contents=joined,
        assembly=assemble(joined, passwords=passwords, budget=budget),
        passwords=tuple(passwords),
        failures=tuple(failures),
        budget=budget,
    )


def owner_of(keystore: Keystore, certificate: Certificate) -> PrivateKeyEntry | None:
    """The entry whose key the certificate was made for; its key need not be opened, its certificate tells."""
    wanted = certificate.public_key
    if wanted is None:
        return None
    for entry in keystore.private_keys:
        mine = entry.chain[0].public_key if entry.chain else None
        if mine is not None and mine.same_key(wanted):
            return entry
    return None
