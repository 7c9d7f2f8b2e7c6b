"""What is in force in the running agent against what its files say; the admin gateway among it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from iadmin.diagnosis.finding import Finding, note, warning
from iadmin.diagnosis.settings import READ

STATUS: Final = "what the running agent says (iadmin status)"
OWN_NAMES: Final = ("agent_id", "source", "home")
"""`agent_id` follows the machine's name and address where it is not written; a reload tells of one that was."""
MOST_NAMED: Final = 5


def look_at_force(in_force: Mapping[str, str], on_disk: Mapping[str, str]) -> Iterator[Finding]:
    """Settings as `path -> text`. The homes may be spelled differently, as where one of them is a link."""
    here, there = _settings(in_force), _settings(on_disk)
    changed = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if changed:
        named = ", ".join(changed[:MOST_NAMED])
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        yield warning(
            "not-in-force",
            f"the configuration was changed, and the running agent goes on as before: {named}{more}",
            known="iadmin display-settings against iadmin config show",
            remedy="iadmin reload, which names what needs iadmin restart",
        )


def _settings(found: Mapping[str, str]) -> dict[str, str]:
    home = found.get("home", "")
    return {
        name: value.replace(home, "", 1) if home and value.startswith(home) else value
        for name, value in found.items()
        if name not in OWN_NAMES
    }


def look_at_code(service: str) -> Iterator[Finding]:
    """A service whose files are newer than its worker."""
    yield warning(
        "code-not-in-force",
        f"the descriptor or the Python files of {service} were changed after its worker was started",
        known="their times",
        remedy=f'iadmin reload "{service}"',
    )


def look_at_admin(
    said: Mapping[str, Any] | None, *, key: str, trouble: str, remedy: str, bind: str
) -> Iterator[Finding]:
    """The admin gateway of the configuration: at most one finding about what keeps it shut.

    `said` is what a running agent says of it, None where none runs. `key` is the fingerprint of what the keystore holds
    now; `trouble` says why it cannot be read, `remedy` what mends that, and `bind` why nobody could listen there.
    """
    if trouble:
        yield warning(
            "admin-no-key",
            f"iadmin on other machines cannot reach this agent: {trouble}",
            known="reading the keystore as the agent does",
            remedy=remedy,
        )
    elif bind:
        yield warning(
            "admin-address",
            f"the admin gateway could not be opened: {bind}",
            known="trying it",
            remedy="give <admin-gateway> another host or port in conf/iaconfig.xml, then: iadmin reload",
        )
    elif said is not None and said.get("trouble"):
        yield warning(
            "admin-not-open",
            f"iadmin on other machines cannot reach this agent: {said['trouble']}",
            known=STATUS,
            remedy="mend that, then: iadmin reload",
        )
    elif said is not None and key and said.get("key") not in ("", None, key):
        yield warning(
            "admin-other-key",
            "the key apia of the keystore is not the one that the running agent knows its administrators by",
            known=f"{READ}, and {STATUS}",
            remedy="iadmin reload",
        )
    refused = dict((said or {}).get("refused") or {})
    if number := sum(int(refused.get(cause, 0)) for cause in ("wrong-key", "no-key")):
        yield note(
            "admin-refused",
            f"the admin gateway has turned away {number} connections without the right key",
            known=STATUS,
            remedy="var/log/agent.log names them; a copy of the keystore from before its key was renewed does that",
        )
