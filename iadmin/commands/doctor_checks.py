"""Everything that `iadmin doctor` looks at, in its order.

Each check gathers its facts from a `Patient` and hands them to a rule of `iadmin.diagnosis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from agent.errors import AgentError
from iadmin.commands import doctor_home as home
from iadmin.commands import doctor_inside as inside
from iadmin.commands import doctor_outside as outside
from iadmin.commands.doctor_patient import Patient
from iadmin.diagnosis import Finding
from iadmin.diagnosis.finding import warning
from keystoretools import KeystoreError

Check = Callable[[Patient], Iterable[Finding]]

CHECKS: Final[Mapping[str, Check]] = {
    "the agent": inside.see_state,
    "the configuration": inside.see_configuration,
    "secrets in clear text": home.see_clear_secrets,
    "what is in force": home.see_force,
    "the admin gateway": home.see_admin,
    "the folders it writes to": home.see_folders,
    "events that apclient has kept": home.see_kept,
    "what is held back": home.see_books,
    "who may read and change its files": inside.see_rights,
    "the disk": inside.see_disk,
    "the clock": inside.see_clock,
    "the machine": inside.see_machine,
    "the spool": inside.see_spool,
    "services, destinations, dead letters": inside.see_work,
    "keys and certificates": outside.see_keys,
    "the ports": outside.see_ports,
    "who failed to connect": inside.see_strangers,
    "the ways to destinations": outside.see_destinations,
}
"""What is being looked at -> how, in the order in which it is done."""


def examine(patient: Patient, done: Callable[[int], object]) -> Iterator[Finding]:
    """Run every check; one that cannot be done is a finding, and the others go on."""
    for number, (what, look) in enumerate(CHECKS.items(), 1):
        try:
            yield from look(patient)
        except (AgentError, KeystoreError) as error:
            yield warning("check-failed", f"{what} could not be looked at: {error.sentence}", known="trying it")
        except OSError as error:
            sentence = f"{what} could not be looked at: {error.strerror or error} ({error.filename or 'no file'})"
            yield warning("check-failed", sentence, known="trying it", remedy="say it again as root")
        done(number)
