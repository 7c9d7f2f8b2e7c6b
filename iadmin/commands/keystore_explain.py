"""`iadmin keystore explain FILE...`: what somebody sent, in plain words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from agent.errors import AgentError, ExitStatus
from iadmin.commands.keystore_sources import SOURCE_VARIABLE, Sources, owner_of, read_sources
from iadmin.commands.keystore_words import TONES, certificate_data, entry_data, finding_data
from iadmin.commands.keystores import AgentKeystore, keystore_command
from iadmin.commands.lazy import Command
from iadmin.model import Outcome
from iadmin.render import Line
from keystoretools import Certificate, Keystore, KeystoreError
from keystoretools.certificate_findings import title
from keystoretools.contents import LockedStore, Part
from keystoretools.cures import FIND_THE_KEY
from keystoretools.errors import ErrorCode
from keystoretools.explain import explain as explain_contents
from keystoretools.finding import Finding

MAX_ENTRIES: Final = 1000
"""Of a keystore, in JSON: the trust stores of browsers and of Java hold some 150."""


@click.command(cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", "names", multiple=True, metavar="HOST", help="What senders call this machine (repeatable).")
@click.option(
    "--source-password-file",
    "password_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is a password of the FILEs (repeatable; else ${SOURCE_VARIABLE}, else asked).",
)
@keystore_command
def explain(
    store: AgentKeystore, files: tuple[Path, ...], names: tuple[str, ...], password_files: tuple[Path, ...]
) -> Outcome:
    """Say in plain words what is in any FILE.

    Certificates, keys, requests, keystores, in whatever format they came: what is in them, what belongs together, what
    is missing or wrong, and what to do next. Nothing is changed. Give all files of one mail at once.
    """
    tools = store.tools
    sources = read_sources(tools, files, password_files)
    told = explain_contents(
        sources.contents, now=tools.now(), host_names=names, assembly=sources.assembly, budget=sources.budget
    )
    at_home, steps = _at_home(store, sources, list(told.next_steps), files)
    findings = [one for one in told.findings if not _is_answered(one, at_home)]
    inside = [*told.inside, *(f"{name}: {error.sentence}" for name, error in sources.failures)]
    groups = {
        "What is in it": inside,
        "What belongs together": [*told.together, *at_home.values()],
        "What to know": [one.sentence for one in findings],
        "What to do next": steps,
    }
    worst = {one.sentence: one.severity for one in findings}
    blocks: list[Line] = []
    for heading, lines in groups.items():
        if lines:
            blocks.append(Line(heading + ":", "bold"))
            blocks += [Line(f"  - {line}", TONES[worst[line]] if line in worst else "") for line in lines]
    return Outcome(
        data={
            "inside": inside,
            "together": groups["What belongs together"],
            "findings": finding_data(findings),
            "next_steps": steps,
            "failures": [
                {"file": name, "code": str(error.code), "sentence": error.sentence} for name, error in sources.failures
            ],
            "certificates": [
                {"place": part.place, **certificate_data(part.value)}
                for part in sources.contents.parts
                if isinstance(part.value, Certificate)
            ],
            "keystores": [one for part in sources.contents.parts for one in _store_data(part)],
        },
        blocks=tuple(blocks),
        notes=sources.notes,
        exit_status=_status(sources),
    )


def _store_data(part: Part) -> Iterator[dict[str, Any]]:
    """A keystore for JSON, with its first entries."""
    store = part.value
    if isinstance(store, Keystore):
        shown = islice(store, MAX_ENTRIES)
        yield {
            "place": part.place,
            "format": store.format.value,
            "opened": store.password is not None,
            "entries": [entry_data(one) for one in shown],
            "left_out": max(0, len(store) - MAX_ENTRIES),
        }
    elif isinstance(store, LockedStore):
        yield {"place": part.place, "format": None, "opened": False, "entries": [], "left_out": None}


def _status(sources: Sources) -> ExitStatus:
    """What is wrong with the files: of no use, or not there."""
    if not sources.failures:
        return ExitStatus.OK
    is_missing = all(error.code is ErrorCode.NO_SUCH_FILE for _, error in sources.failures)
    return ExitStatus.NO_INPUT if is_missing else ExitStatus.DATA


def _at_home(
    store: AgentKeystore, sources: Sources, steps: list[str], files: Sequence[Path]
) -> tuple[dict[str, str], list[str]]:
    """Whether the key to a certificate that came alone is in the agent's own keystore; looked up without a password.

    Gives sentences by the certificate's title, and what is to be done then.
    """
    keystore = _own_keystore(store) if sources.assembly.lonely else None
    lines: dict[str, str] = {}
    for chain in sources.assembly.lonely if keystore is not None else ():
        assert keystore is not None
        entry = owner_of(keystore, chain.chain[0])
        if entry is not None:
            called = title(chain.chain[0])
            lines[called] = (
                f"The private key to {called} is in the agent's keystore, under the alias {entry.alias}: the"
                " certificate answers the request made there."
            )
    if lines:
        steps = [step for step in steps if step != FIND_THE_KEY]
        command = f"iadmin keystore import {shlex.join(map(str, files))}"
        steps.insert(0, f"Put the certificate to its key: {command}")
    return lines, steps


def _is_answered(finding: Finding, at_home: Iterable[str]) -> bool:
    """A certificate without its key is no fault where the key is at home."""
    return finding.code == "no-key-for-certificate" and any(called in finding.sentence for called in at_home)


def _own_keystore(store: AgentKeystore) -> Keystore | None:
    from keystoretools import open_keystore

    try:
        return open_keystore(store.tools.safe_files().load(store.path))
    except (KeystoreError, AgentError):
        return None
