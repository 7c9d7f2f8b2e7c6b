"""The running agent, from what it says of itself (`GET /v1/status`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agent.delivery import OPEN_STATES, attention
from iadmin.diagnosis.finding import Finding, fault, note, warning

STATUS: Final = "what the running agent says (iadmin status)"
SPOOL: Final = "the counts of the spool"
HARMLESS: Final = frozenset({"left"})
"""Health checks and port scanners."""
MAYBE_HARMLESS: Final = frozenset({"left-after-handshake", "silent", "cut-short"})
"""Health checks of another kind; or senders that do not say what they dislike."""
STRANGERS_WITHIN: Final = timedelta(days=1)
MAX_STRANGERS: Final = 10
"""Peers told one by one; behind a hundred of them there is one change of a certificate."""


def look_at_state(status: Mapping[str, Any], *, installed: str) -> Iterator[Finding]:
    """The agent as a whole. `installed`: the version of the programs on this machine."""
    state = status.get("state")
    if state in ("starting", "stopping"):
        yield note("between", f"the agent is {state}", known=STATUS, remedy="say it again in a moment: iadmin doctor")
    running = str(status.get("version", ""))
    if installed and running and running != installed:
        yield warning(
            "old-agent-runs",
            f"the agent that runs is {running}, and {installed} is installed",
            known=STATUS,
            remedy="start it anew: iadmin restart",
        )


def look_at_services(services: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Workers that do not stay up, and services that somebody has suspended."""
    for one in services:
        name, state = str(one.get("service", "")), one.get("state")
        tail = [str(line).strip() for line in one.get("stderr_tail") or () if str(line).strip()]
        said = f'; its stderr ends with "{tail[-1]}"' if tail else ""
        # Between two ends of a loop it is starting for a moment; the finding must not come and go with that.
        if one.get("runnable") is False and state == "failing":
            continue  # `agent.config` tells of it, with file and line
        if state == "crash-loop" or (state == "starting" and one.get("restarts")):
            yield fault(
                "crash-loop",
                f"{name} does not stay up, so its events wait: {one.get('last_error') or 'no reason is known'}{said}",
                known=STATUS,
                remedy=f'mend the script, then: iadmin reload "{name}"',
            )
        elif state == "failing":
            yield warning(
                "worker-ended",
                f"the worker of {name} has ended: {one.get('last_error') or 'no reason is known'}{said}",
                known=STATUS,
                remedy="it is started again by itself; if it goes on so, mend the script",
            )
        elif state == "suspended":
            yield warning(
                "suspended",
                f"{name} is suspended: {one.get('waiting', 0)} events wait",
                known=STATUS,
                remedy=f'iadmin resume "{name}"',
            )


def look_at_gateways(gateways: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """New key material that was not taken."""
    for one in gateways:
        trouble = dict(one.get("tls") or {}).get("trouble")
        if trouble:
            yield fault(
                "new-key-refused",
                f"port {one.get('port')} goes on with its old certificate, because the new one is not good: {trouble}",
                known=STATUS,
                remedy="mend the keystore (iadmin keystore check); it is taken over by itself",
            )


def look_at_destinations(destinations: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Those that are held back, cut off or failing."""
    for one in destinations:
        name, backlog = str(one.get("destination", "")), int(one.get("backlog") or 0)
        if one.get("paused"):
            yield warning(
                "destination-paused",
                f"destination {name} is paused: {backlog} requests wait",
                known=STATUS,
                remedy=f"iadmin destination resume {name}",
            )
        elif one.get("circuit") in ("open", "half-open"):
            yield fault(
                "circuit-open",
                f"destination {name} has failed so often that it is only asked now and then; {backlog} requests wait: "
                f"{one.get('last_error')}",
                known=STATUS,
                remedy=f"iadmin destination check {name}",
            )
        elif one.get("last_error") and backlog:
            yield warning(
                "destination-failing",
                f"destination {name} does not take what it is sent; {backlog} requests wait: {one.get('last_error')}",
                known=STATUS,
                remedy=f"iadmin destination check {name}",
            )


def look_at_letters(counts: Mapping[str, Any]) -> Iterator[Finding]:
    """What could not be processed."""
    found = attention.dead_letters(counts)
    if any(found.values()):
        parts = [f"{number} {what}" for what, number in found.items() if number]
        yield warning(
            "dead-letters",
            f"there are dead letters: {' and '.join(parts)} that could not be processed",
            known=SPOOL,
            remedy="iadmin deadletter list says why; mend the cause, then: iadmin deadletter replay --all",
        )


def look_at_backlog(
    counts: Mapping[str, Any],
    oldest: Mapping[str, Any],
    now: datetime,
    *,
    destinations: Collection[str],
    services: Sequence[str],
) -> Iterator[Finding]:
    """What waits for long, and what waits for somebody who is not there any more.

    `destinations` and `services` are those of the configuration, the latter the active ones.
    """
    for sentence in attention.waiting_warnings(counts, oldest, now, active=services):
        yield warning("waits-long", sentence, known=SPOOL, remedy="iadmin event list --state waiting")
    for name, states in dict(counts.get("destinations", {})).items():
        number = _open(states)
        if number and name not in destinations:
            yield fault(
                "destination-gone",
                f'{number} requests are for the destination "{name}", which is not in the configuration',
                known=SPOOL,
                remedy=f'write a <destination name="{name}"> again, then: iadmin reload',
            )


def look_at_bounds(counts: Mapping[str, Any], *, max_events: int, of_service: Mapping[str, int]) -> Iterator[Finding]:
    """A backlog that will be full before long."""
    sentences = attention.backlog_warnings(
        counts, max_events=max_events, max_of_service=lambda name: of_service.get(name, 0)
    )
    for sentence in sentences:
        yield warning("backlog-nearly-full", sentence, known=SPOOL, remedy="iadmin top shows what is slow")


def look_at_strangers(strangers: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Finding]:
    """Senders that failed to connect within the last day, by cause."""
    recent = [one for one in strangers if one.get("cause") not in HARMLESS and _is_recent(one.get("last"), now)]
    for one in recent[:MAX_STRANGERS]:
        cause = str(one.get("cause"))
        make = note if cause in MAYBE_HARMLESS else warning
        yield make(
            f"stranger-{cause}",
            str(one.get("sentence")),
            known=f"{one.get('count')} connections from {one.get('peer')}, the last at {one.get('last')}",
            remedy=f"iadmin tls strangers --cause {cause}",
        )
    if len(recent) > MAX_STRANGERS:
        yield note(
            "more-strangers",
            f"{len(recent) - MAX_STRANGERS} more peers failed to connect within a day",
            known="the list of strangers",
            remedy="iadmin tls strangers",
        )


def _is_recent(last: object, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(str(last)) <= STRANGERS_WITHIN
    except (TypeError, ValueError):
        return False


def _open(states: Mapping[str, Any]) -> int:
    return sum(int(states.get(state.label, 0)) for state in OPEN_STATES)
