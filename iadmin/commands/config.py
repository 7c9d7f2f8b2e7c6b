"""`iadmin config`: the configuration as the agent would read it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.config.model import AgentConfig, HttpDestination
from agent.config.problem import ConfigFaults, Problem, Severity
from agent.config.scripts import script_fault
from agent.errors import AgentError, ExitStatus
from iadmin.commands.lazy import Command, Group
from iadmin.commands.passwords import given_password
from iadmin.commands.tls_gateways import material_of
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line
from keystoretools import KeystoreError, fold_alias, open_keystore
from keystoretools.identity import ADMIN_ALIAS

if TYPE_CHECKING:
    from agent.config.admin import AdminGatewayConfig
    from agent.mutual import SharedKey

CLEAR_PASSPHRASE = (
    "the passphrase of the key on port {port} stands in clear text; write it into the first line of a file of its own "
    "(mode 0600) and name that in passphrase-file"
)
CARELESS = (
    'the destination {name} has ignoreSSLErrors="true": pin the certificate with SSL/fingerprint or name a Truststore, '
    "and take the attribute out"
)


def careless_destinations(settings: AgentConfig) -> list[HttpDestination]:
    """Those that do not check who they talk to."""
    return [one for one in settings.destinations if isinstance(one, HttpDestination) and one.tls.ignore_errors]


def careless_settings(settings: AgentConfig) -> list[Problem]:
    """What serves for a try, and not for production."""
    file = settings.source.name
    destinations = [
        Problem(file=file, text=CARELESS.format(name=one.name), where="destinations/destination")
        for one in careless_destinations(settings)
    ]
    gateways = [
        Problem(file=file, text=CLEAR_PASSPHRASE.format(port=one.port), where="service-gateway/@passphrase")
        for one in settings.gateways
        if one.tls.passphrase is not None
    ]
    return [*gateways, *destinations]


def presented_faults(tools: Tools, settings: AgentConfig) -> list[Problem]:
    """What an agent would say of the certificates that its gateways present; warnings too."""
    found: list[Problem] = []
    for gateway in settings.gateways:
        tls = gateway.tls
        is_to_be_made = tls.certificate is None and not (gateway.alias or tls.is_keystore_named)
        if not gateway.ssl or (is_to_be_made and not _is_for_senders(tools, Path(tls.keystore))):
            continue  # a self-signed certificate is made at the start, and not by looking
        where, file = "service-gateway", settings.source.name
        try:
            texts, severity = material_of(tools, gateway).warnings, Severity.WARNING
        except AgentError as error:
            texts, severity = (error.sentence,), Severity.ERROR
        found += [
            Problem(file=file, where=where, text=f"port {gateway.port}: {text}", severity=severity) for text in texts
        ]
    return found


def admin_doubts(tools: Tools, settings: AgentConfig) -> list[Problem]:
    """Why the admin gateway would not open; the agent starts all the same."""
    admin = settings.admin
    if admin is None:
        return []
    try:
        read_admin_key(tools, admin)
    except (AgentError, KeystoreError) as error:
        text = f"it would not open: {error.sentence.rstrip('.')}"
        return [Problem(file=settings.source.name, where="admin-gateway", text=text, severity=Severity.WARNING)]
    return []


def read_admin_key(tools: Tools, admin: AdminGatewayConfig) -> SharedKey:
    """What the admin gateway would present. Raises `AgentError` or `KeystoreError`."""
    from agent.mutual import read_shared_key

    file = None if admin.password_file is None else Path(admin.password_file)
    password = given_password(tools, file, "IA_KEYSTORE_PASSWORD")
    return read_shared_key(tools.safe_files().load(Path(admin.keystore)), path=admin.keystore, password=password)


def _is_for_senders(tools: Tools, keystore: Path) -> bool:
    """Whether somebody has put a key for senders into it, as far as can be seen without its password."""
    try:
        found = open_keystore(tools.safe_files().load(keystore), None)
    except KeystoreError:
        return keystore.exists()
    return [fold_alias(one.alias) for one in found.private_keys] != [ADMIN_ALIAS]


def broken_scripts(settings: AgentConfig) -> list[Problem]:
    """Scripts of active services that cannot be used, as far as can be seen without running them.

    Those that cannot be read have been told of with the descriptors.
    """
    found = []
    for service in settings.services:
        with contextlib.suppress(OSError):
            data = Path(service.script).read_bytes() if service.is_active else None
            fault = script_fault(data, str(service.script)) if data is not None else None
            if fault is not None and not service.obstacle:
                line, text = fault
                found.append(Problem(file=str(service.script), line=line, where=service.name.client_id, text=text))
    return found


@click.group(cls=Group)
def config() -> None:
    """Check and show the configuration."""


@config.command(cls=Command)
@click.option(
    "--production",
    is_flag=True,
    help="Also fail on what is for trials: ignoreSSLErrors, a clear passphrase.",
)
@pass_tools
def check(tools: Tools, production: bool) -> Outcome:
    """Report every problem of the configuration, of descriptors and scripts, and of the home's permissions.

    Exit status 78 when there are faults that keep the agent or an active service from starting, or when other accounts
    of the machine can read or change what is the agent's own; 0 when there are none or only warnings.
    """
    exposed = tools.exposures(tools.home)
    faults: Sequence[Problem] = ()
    try:
        settings, warnings = tools.load_config(tools.home)
        presented = [*presented_faults(tools, settings), *admin_doubts(tools, settings)]
        warnings = [*warnings, *(one for one in presented if one.severity is Severity.WARNING)]
        good = f"{settings.source} is good: {_count(len(settings.services), 'service')}, "
        good += _count(len(settings.destinations), "destination")
        if warnings:
            good += f", {_count(len(warnings), 'warning')}"
        last = Line(good + ".", "good")
        if exposed:
            last = Line(f"{settings.source} is good, but the agent's home is open to other accounts.", "bad")
        faults = careless_settings(settings) if production else []
        if faults:
            last = Line(f"{settings.source} is not for production.", "bad")
        unserved = [one for one in presented if one.severity is Severity.ERROR]
        if unserved:
            faults = [*faults, *unserved]
            last = Line(f"{_count(len(unserved), 'gateway')} could not speak HTTPS: an agent would not start.", "bad")
        broken = [*(one for one in warnings if one.severity is Severity.SERVICE), *broken_scripts(settings)]
        if broken:
            faults = [*faults, *broken]
            warnings = [one for one in warnings if one.severity is Severity.WARNING]
            number = len({one.file for one in broken})
            last = Line(f"{_count(number, 'service')} could not start; the agent would come up without.", "bad")
    except ConfigFaults as error:
        warnings = [problem for problem in error.problems if problem.severity is Severity.WARNING]
        faults = [problem for problem in error.problems if problem.severity is not Severity.WARNING]
        last = Line(f"{_count(len(faults), 'fault')}: an agent would not start with this configuration.", "bad")
    bad = (*faults, *exposed)
    lines = [Line(str(problem), "bad" if problem in bad else "warn") for problem in (*bad, *warnings)]
    return Outcome(
        data={
            "good": not bad,
            "faults": [_problem(problem) for problem in faults],
            "exposed": [_problem(problem) for problem in exposed],
            "warnings": [_problem(problem) for problem in warnings],
        },
        blocks=(*lines, last),
        exit_status=ExitStatus.CONFIG if bad else ExitStatus.OK,
    )


@config.command(cls=Command)
@pass_tools
def show(tools: Tools) -> Outcome:
    """Show the effective configuration: defaults filled in, secrets masked."""
    settings, warnings = tools.load_config(tools.home)
    effective = tools.effective(settings)
    return Outcome(
        data=effective,
        blocks=(Facts(pairs=tuple(flat(effective))),),
        notes=tuple(str(warning) for warning in warnings),
    )


def _problem(problem: Problem) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "where": problem.where, "text": problem.text}


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as lines that can be searched: `services.1.name`, counting from 1 as people do."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            yield from flat(inner, f"{path}.{number}")
    else:
        yield path, _word(value)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
