"""The checks of `iadmin doctor` that look at the agent itself, its home and its machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from agent.errors import AgentError
from iadmin.commands.config import broken_scripts, careless_settings
from iadmin.commands.doctor_patient import Patient
from iadmin.commands.tls_strangers import stranger_book
from iadmin.diagnosis import Finding, machine, running, settings
from iadmin.diagnosis.finding import fault, note, warning
from iadmin.text import moment

HEALING: Final = "iadmin restart: the agent moves it aside, saves what is readable, and says what that was"
WHOLE_CHECK_BYTES: Final = 256 * 1024**2
"""A spool up to this size is read whole, which takes seconds; a larger one only on demand."""
MAX_DESCRIPTORS_LOOKED_AT: Final = 500


def see_state(patient: Patient) -> Iterator[Finding]:
    """Does it run, and does it answer?"""
    if patient.pid is None:
        yield warning(
            "not-running",
            f"no agent runs on {patient.home}: senders are not answered",
            known="its lock, var/run/agent.pid",
            remedy="iadmin start",
        )
    elif patient.status is None:
        yield fault(
            "no-answer",
            f"the agent (pid {patient.pid}) runs and does not answer",
            known="asking it",
            remedy="say it again in a moment; if it stays so, look at var/log/agent.log, and start it anew",
        )
    else:
        yield from running.look_at_state(patient.status, installed=_installed())


def _installed() -> str:
    try:
        return version("integration-agent")
    except PackageNotFoundError:
        return ""


def see_configuration(patient: Patient) -> Iterator[Finding]:
    config, problems = patient.read
    careless = [] if config is None else careless_settings(config)
    told = {one.where for one in careless}
    yield from settings.look_at_problems([one for one in problems if one.where not in told])
    if config is not None:
        yield from settings.look_at_careless(careless)
        yield from settings.look_at_scripts(broken_scripts(config))
        yield from settings.look_at_exits(config)
        yield from settings.look_at_doors(config)
        yield from settings.look_at_services(config, list(_descriptors(patient.home)))


def _descriptors(home: Path) -> Iterator[str]:
    """The descriptors that lie in the folder of services, as far as their first bytes tell."""
    for number, path in enumerate(sorted((home / "services").glob("*/*.xml"))):
        if number == MAX_DESCRIPTORS_LOOKED_AT:
            return
        with contextlib.suppress(OSError), path.open("rb") as file:
            if b"<integration-service" in file.read(4096):
                yield str(path)


def see_rights(patient: Patient) -> Iterator[Finding]:
    yield from settings.look_at_exposure(patient.tools.exposures(patient.home))
    account, owner, is_root = patient.tools.machine().accounts(patient.home)
    yield from machine.look_at_account(account=account, owner=owner, is_root=is_root)


def see_disk(patient: Patient) -> Iterator[Finding]:
    asked, spool = patient.tools.machine(), patient.home / "var" / "spool"
    free, inodes = asked.room(patient.home)
    sync_s, sync_fault = None, ""
    try:
        sync_s = asked.sync_s(spool if spool.is_dir() else patient.home)
    except OSError as error:
        sync_fault = error.strerror or str(error)
    yield from machine.look_at_disk(
        machine.Disk(
            folder=str(patient.home),
            file_system=asked.file_system(patient.home),
            free_bytes=free,
            free_inodes=inodes,
            min_free_bytes=patient.config.spool.min_free_bytes if patient.config else 0,
            sync_s=sync_s,
            sync_fault=sync_fault,
            is_reserve_there=(spool / "reserve").exists() or not (spool / "spool.db").exists(),
        )
    )


def see_clock(patient: Patient) -> Iterator[Finding]:
    newest = None
    with contextlib.suppress(AgentError):
        newest = next(iter(patient.tools.open_journal(patient.home / "var" / "spool").events(limit=1)), None)
    at = moment(newest.get("received")) if newest else None
    yield from machine.look_at_clock(
        machine.Clock(
            ahead_s=None if at is None else (at - patient.tools.now()).total_seconds(),
            is_synchronised=patient.tools.machine().is_clock_synchronised(),
        )
    )


def see_machine(patient: Patient) -> Iterator[Finding]:
    asked = patient.tools.machine()
    for name in patient.tools.machine_names()[:1]:
        yield from machine.look_at_name(name, resolves=asked.resolves(name))
    if patient.pid:
        connections = sum(gateway.limits.max_connections for gateway in patient.gateways)
        yield from machine.look_at_descriptors(asked.descriptors(patient.pid), connections=connections)


def see_spool(patient: Patient) -> Iterator[Finding]:
    folder = patient.home / "var" / "spool"
    for path in sorted(folder.glob("quarantine-*")):
        yield warning(
            "quarantine",
            f"a damaged spool was moved aside: {path}",
            known="looking into var/spool",
            remedy=f"iadmin stop; iadmin spool salvage {path.name}; when all is taken in, delete the folder",
        )
    database = folder / "spool.db"
    if not database.exists():
        return
    if database.stat().st_size > WHOLE_CHECK_BYTES and not patient.is_deep:
        yield from _see_doubt(folder / "doubt")
        yield note(
            "spool-not-read",
            f"the spool has {database.stat().st_size // 1024**2} MiB and was not read whole",
            known="its size",
            remedy="iadmin doctor --deep, or iadmin spool check; it takes minutes",
        )
        return
    try:
        with patient.tools.open_upkeep(patient.home, alone=False) as upkeep:
            found = upkeep.check()["faults"]
    except AgentError as error:
        found = [error.sentence]
    if found:
        yield fault(
            "spool-damaged",
            f"the spool is damaged: {'; '.join(str(one) for one in found[:3])}",
            known="reading every page of it (iadmin spool check)",
            remedy=HEALING,
        )


def _see_doubt(path: Path) -> Iterator[Finding]:
    if path.exists():
        yield fault(
            "spool-damaged",
            f"the spool is damaged: {path.read_text('utf-8', 'replace').strip()[:200]}",
            known=f"the note that the agent or a check has left ({path})",
            remedy=HEALING,
        )


def see_work(patient: Patient) -> Iterator[Finding]:
    """What the agent says of its services and destinations, and what waits or has died."""
    status, config, now = patient.status, patient.config, patient.tools.now()
    if status is not None:
        yield from running.look_at_services(status.get("services", ()))
        yield from running.look_at_gateways(status.get("gateways", ()))
        yield from running.look_at_destinations(status.get("destinations", ()))
    yield from running.look_at_letters(patient.counts)
    if config is not None:
        services = {one.name.client_id: one for one in config.services if one.is_active}
        yield from running.look_at_backlog(
            patient.counts,
            patient.ages,
            now,
            destinations={one.name for one in config.destinations},
            services=list(services),
        )
        limits = config.spool
        yield from running.look_at_bounds(
            patient.counts,
            max_events=limits.max_events,
            of_service={name: one.max_waiting_events or limits.max_service_events for name, one in services.items()},
        )


def see_strangers(patient: Patient) -> Iterator[Finding]:
    if patient.pid is not None and patient.status is None:
        return  # it has been asked once, and each question takes its time
    book, _ = stranger_book(patient.tools)
    yield from running.look_at_strangers(book.get("strangers", ()), patient.tools.now())
