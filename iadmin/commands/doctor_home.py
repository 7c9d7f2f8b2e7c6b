"""The checks of `iadmin doctor` that compare the home with what the agent needs of it and what it has in force."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.config.model import GatewayConfig, OutboxDestination
from agent.errors import AgentError
from agent.heldback import BOOKS, MAX_BYTES, names_in
from iadmin.commands.config import flat, read_admin_key
from iadmin.commands.doctor_patient import Patient
from iadmin.commands.keystores import AgentKeystore
from iadmin.diagnosis import Finding, force
from iadmin.diagnosis.home import Kept, look_at_book, look_at_clear_secrets, look_at_kept, look_at_path
from iadmin.text import moment
from keystoretools import KeystoreError

FOLDERS: Final = ("var", "var/log", "var/run", "var/spool", "var/apclient")
FILES: Final = ("var/log/agent.log", "var/run/agent.pid", "var/spool/spool.db", "var/spool/spool.db-wal")
"""Those that an agent of another account leaves behind (root, by mistake), so that the right one cannot start."""
CODE_TOLERANCE_S: Final = 2.0
"""Between the reading of a script and the time that its worker is said to have been started at."""
NO_KEY: Final = "iadmin keystore create apia; iadmin reload"
OTHER_TROUBLE: Final = "iadmin keystore check; its password comes from keystore-password-file of <admin-gateway>"
MAX_PARCELS_LOOKED_AT: Final = 20_000


def see_folders(patient: Patient) -> Iterator[Finding]:
    asked, is_running = patient.tools.machine(), patient.pid is not None
    account = asked.agent_account(patient.home, patient.pid)
    bad: list[Path] = []
    folders = [patient.home / name for name in FOLDERS]
    if patient.config is not None:
        outboxes = (one for one in patient.config.destinations if isinstance(one, OutboxDestination))
        folders += [Path(one.path).parent for one in outboxes]
    files = [patient.home / name for name in FILES]
    for path, is_folder in (*((one, True) for one in dict.fromkeys(folders)), *((one, False) for one in files)):
        if any(path.is_relative_to(one) for one in bad):
            continue
        reach = asked.reach(path, account, is_folder=is_folder)
        found = list(look_at_path(str(path), reach, account=account, is_running=is_running and is_folder))
        if found:
            bad.append(path)
        yield from found


def see_kept(patient: Patient) -> Iterator[Finding]:
    """Parcels of `apclient`."""
    folder = patient.home / "var" / "apclient"
    ages = [patient.tools.now().timestamp() - at for at in _times(folder)]
    kept = Kept(waiting=len(ages), oldest_s=max(ages, default=0.0), refused=len(list(_times(folder / "refused"))))
    yield from look_at_kept(kept, folder=str(folder), is_running=patient.pid is not None)


def _times(folder: Path) -> Iterator[float]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for number, one in enumerate(found):
            if number == MAX_PARCELS_LOOKED_AT:
                return
            if one.name.endswith(".parcel"):
                with contextlib.suppress(FileNotFoundError):
                    yield one.stat().st_mtime


def see_books(patient: Patient) -> Iterator[Finding]:
    """What the operator holds back over restarts."""
    for name in BOOKS:
        path = patient.home / "var" / name
        try:
            with path.open("rb") as file:
                names_in(file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield from look_at_book(str(path), f"cannot be read: {error.strerror}")
        except ValueError as error:
            yield from look_at_book(str(path), str(error))


def see_clear_secrets(patient: Patient) -> Iterator[Finding]:
    if patient.config is not None:
        yield from look_at_clear_secrets(patient.config)


def see_admin(patient: Patient) -> Iterator[Finding]:
    """The way in for iadmin on other machines."""
    config = patient.config
    admin = None if config is None else config.admin
    if config is None or admin is None:
        return
    key = trouble = remedy = bind = ""
    try:
        key = read_admin_key(patient.tools, admin).fingerprint
    except (AgentError, KeystoreError) as error:
        trouble = error.sentence.partition("; make it with")[0].rstrip(".")
        is_absent = not Path(admin.keystore).exists() or str(error.code) == "admin-no-key"
        remedy = NO_KEY if is_absent else OTHER_TROUBLE
        if not is_absent and any(_is_told(patient, one, Path(admin.keystore)) for one in config.gateways):
            return
    if any(admin.port and admin.port == one.port for one in config.gateways):
        bind = f"port {admin.port} is that of a service-gateway, too"
    elif patient.pid is None and admin.port:
        asked = patient.tools.machine()
        code, why = asked.why_not_bound(admin.host, admin.port)
        if code:
            owner = asked.port_owner(admin.port) if code == "port-taken" else ""
            bind = f"{admin.host or '*'} port {admin.port}: {why}" + (f"; {owner} has it" if owner else "")
    said = None if patient.status is None else patient.status.get("admin_gateway")
    yield from force.look_at_admin(said, key=key, trouble=trouble, remedy=remedy, bind=bind)


def _is_told(patient: Patient, gateway: GatewayConfig, keystore: Path) -> bool:
    """Whether this keystore is found to be of no use with a gateway for senders, or by itself, already."""
    if keystore == AgentKeystore(tools=patient.tools).path:
        return True
    return isinstance(patient.materials.get(gateway.port), AgentError) and Path(gateway.tls.keystore) == keystore


def see_force(patient: Patient) -> Iterator[Finding]:
    """Whether the running agent has what the files say."""
    if patient.config is None or patient.status is None:
        return
    in_force = dict(flat(patient.tools.link().settings()))
    yield from force.look_at_force(in_force, dict(flat(patient.tools.effective(patient.config))))
    started = {one.get("service"): moment(one.get("started")) for one in patient.status.get("services", ())}
    for one in patient.config.services:
        at = started.get(one.name.client_id)
        if at and patient.tools.code_time(one) > at.timestamp() + CODE_TOLERANCE_S:
            yield from force.look_at_code(one.name.client_id)
