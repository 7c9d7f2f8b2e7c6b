"""`iadmin keystore import FILE...`: key, certificate and chain from whatever was sent."""

from __future__ import annotations

from pathlib import Path

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.keystore_plan import Plan, Wishes, plan_import
from iadmin.commands.keystore_secrets import FoundSecrets, find_secrets, plan_secrets
from iadmin.commands.keystore_sources import SOURCE_VARIABLE, Sources, read_sources
from iadmin.commands.keystore_words import entry_table, finding_blocks, finding_data
from iadmin.commands.keystores import (
    FORMATS,
    AgentKeystore,
    keystore_command,
    operator_error,
    saved_data,
    saved_line,
    which_to_present,
)
from iadmin.commands.lazy import Command
from iadmin.model import Outcome
from iadmin.render import Line
from keystoretools import Keystore
from keystoretools.errors import PasswordNeededError
from keystoretools.finding import Finding, Severity
from keystoretools.findings import findings
from keystoretools.identity import candidates


@click.command("import", cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--alias", metavar="NAME", help="What to call the entry (default: as in the file, or the host name).")
@click.option(
    "--source-password-file",
    "password_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is a password of the FILEs (repeatable; else ${SOURCE_VARIABLE}, else asked).",
)
@click.option("--trust", is_flag=True, help="Certificates without a key are to be trusted, not presented.")
@click.option("--replace", is_flag=True, help="An entry of that name with another key may be replaced.")
@click.option("--force", is_flag=True, help="Import a chain with a gap all the same.")
@click.option("--new", is_flag=True, help="With --keystore: make the keystore if it is not there.")
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="Of a new keystore (default: pkcs12).")
@keystore_command
def import_(
    store: AgentKeystore,
    files: tuple[Path, ...],
    alias: str | None,
    password_files: tuple[Path, ...],
    trust: bool,
    replace: bool,
    force: bool,
    new: bool,
    format_: str | None,
) -> Outcome:
    """Take key, certificate and chain from FILEs.

    Give all files of one mail at once, in any order and any format: they are put together, the chain is put in order,
    and the key comes under the keystore's own password. A certificate that answers a request goes to its key. The
    keystore as it was stays beside it, with the time in its name.
    """
    sources = read_sources(store.tools, files, password_files)
    _require_open(sources)
    keystore = store.read_or_new(create=new, format=FORMATS[format_] if format_ else None)
    wishes = Wishes(alias=alias, trust=trust, replace=replace, force=force)
    secrets = find_secrets(sources)
    plan = _plan(keystore, sources, secrets, wishes)
    notes = (*sources.notes, *store.notes, *plan.remarks)
    if not plan.steps:
        return Outcome(
            data={"keystore": str(store.path), "imported": [], "findings": []},
            blocks=(Line("There was nothing to import."),),
            notes=notes,
        )
    after = plan.apply(keystore)
    saved = store.change(lambda now_there: _plan(now_there, sources, secrets, wishes).apply(now_there))
    names = {step.entry.alias for step in plan.steps}
    found = [one for one in findings(after, now=store.tools.now()) if one.alias in names and _worth_telling(one)]
    return Outcome(
        data={
            **saved_data(store, saved),
            "imported": [step.entry.alias for step in plan.steps],
            "sentences": [step.sentence for step in plan.steps],
            "findings": finding_data(found),
        },
        blocks=(
            *(Line(step.sentence, "good") for step in plan.steps),
            Line(saved_line(store, saved)),
            entry_table([step.entry for step in plan.steps], store.tools.now(), {}),
            *finding_blocks(found),
            *_next(store, after, plan),
        ),
        notes=notes,
    )


def _require_open(sources: Sources) -> None:
    """Nothing is imported by halves: unreadable files and locked keys are told before anything is changed."""
    if sources.failures:
        name, error = sources.failures[0]
        refused = operator_error(error)
        raise OperatorError(str(error.code), f"{name}: {refused}", exit_status=refused.exit_status)
    unusable = next((one for one in sources.assembly.problems if one.code == "key-unusable"), None)
    if unusable is not None:
        raise OperatorError(unusable.code, unusable.sentence, exit_status=ExitStatus.DATA)
    if sources.assembly.untried:
        most = sources.budget.limits.keys_tried
        raise OperatorError(
            "limits",
            f"The files hold {most + sources.assembly.untried} private keys; at most {most} are imported in one"
            " command. Take over those that are needed: iakeytool -importkeystore -srckeystore FILE -srcalias ALIAS"
            " -destkeystore KEYSTORE",
            exit_status=ExitStatus.DATA,
        )
    locked = sources.assembly.locked
    if locked:
        tried = "none of the given passwords opens" if sources.passwords else "a password is needed for"
        raise PasswordNeededError(
            f"{tried[0].upper()}{tried[1:]} {', '.join(locked)}; give it with --source-password-file or in"
            f" {SOURCE_VARIABLE}."
        )


def _plan(keystore: Keystore, sources: Sources, secrets: FoundSecrets, wishes: Wishes) -> Plan:
    found, hidden = plan_import(keystore, sources.assembly, wishes), plan_secrets(keystore, secrets, wishes)
    return Plan(steps=(*found.steps, *hidden.steps), remarks=(*found.remarks, *hidden.remarks))


def _worth_telling(found: Finding) -> bool:
    return found.severity is not Severity.INFO or found.code == "self-signed"


def _next(store: AgentKeystore, after: Keystore, plan: Plan) -> list[Line]:
    """Who is presented now, where that is a question."""
    usable = {entry.alias for entry in candidates(after)}
    added = [step.entry.alias for step in plan.steps if step.entry.alias in usable]
    return which_to_present(store, after, added[0]) if added else []
