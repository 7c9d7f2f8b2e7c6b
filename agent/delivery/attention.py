"""What an operator should mend, as sentences: `iadmin status` shows them first, running or not.

Each says what was found, where, since when, and what to do. Nothing here is a fault by itself: an agent with warnings
runs, accepts and delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.delivery.life import OPEN_STATES, State

WAITING_LONG_S: Final = 15 * 60
"""An event that has not been settled for so long has been tried a dozen times (pauses go up to five minutes), or stands
behind one that has: somebody should look before the age limit gives it up."""

LOW_DISK_TIMES: Final = 4
"""Free space is called low at so many times the bound below which events are refused (1 GiB by default): some hundred
thousand events with their requests, which is the time to come and mend it."""

NEARLY_FULL: Final = 0.8
"""Of the bound on waiting events: the last fifth still takes minutes or hours to fill."""

DOWN: Final = ("failing", "crash-loop")
"""States of a service whose worker has ended and is to be started again."""

MAX_NAMED: Final = 5
"""Warnings of one kind that are told one by one: forty services behind one dead destination are one fault."""


def dead_letters(counts: Mapping[str, Any]) -> dict[str, int]:
    """How many there are, from the counts of the spool: `{"events": 3, "requests": 1}`."""
    return {
        what: sum(int(states.get(State.DEAD.label, 0)) for states in dict(counts.get(kind, {})).values())
        for what, kind in (("events", "services"), ("requests", "destinations"))
    }


def paused_warnings(destinations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Somebody has paused a destination, and may have forgotten it."""
    names = [str(one.get("destination")) for one in destinations if one.get("paused")]
    return [
        f'{name} is paused, what is for it waits on disk: "iadmin destination resume {name}" lets it go'
        for name in names
    ]


def letters_warning(counts: Mapping[str, Any], oldest: object, now: datetime) -> list[str]:
    """There are dead letters. `oldest` is the ISO 8601 time at which the first of them died, None where not known."""
    found = dead_letters(counts)
    total = sum(found.values())
    if not total:
        return []
    parts = [_number(number, what.removesuffix("s")) for what, number in found.items() if number]
    since = _age(oldest, now)
    when = f", the oldest for {since}" if since else ""
    return [f'{_number(total, "dead letter")} ({", ".join(parts)}){when}: look at "iadmin deadletter list"']


def stranger_sentence(name: str, count: int) -> str:
    """Requests for a destination that the configuration does not have."""
    return (
        f"{_number(count, 'request')} for the destination {name!r}, which iaconfig.xml does not have: nothing is lost "
        'and nothing sent until it has one of that name, so add it and say "iadmin reload"'
    )


def stranger_warnings(counts: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Of all destinations that have open requests and are none of `names`."""
    found = []
    for name, states in dict(counts.get("destinations", {})).items():
        number = sum(int(states.get(state.label, 0)) for state in OPEN_STATES)
        if number and name not in names:
            found.append(stranger_sentence(str(name), number))
    return _first(found, "more destinations are not in iaconfig.xml")


def waiting_warnings(
    counts: Mapping[str, Any],
    oldest: Mapping[str, Any],
    now: datetime,
    *,
    active: Sequence[str] | None = None,
    destinations: Sequence[str] | None = None,
) -> list[str]:
    """What has waited for long, by service and destination, longest first.

    `oldest` gives the ISO 8601 time of the first one still open: `{"services": {name: time}, "destinations": ...}`;
    `active` names the services that have a worker, None where that is not known: what waits for another one waits for
    ever. So does what waits for others than `destinations`, which `stranger_warnings` tells.
    """
    found: list[tuple[float, str]] = []
    for kind, thing in (("services", "event"), ("destinations", "request")):
        for name, since in dict(oldest.get(kind, {})).items():
            age_s = _seconds(since, now)
            if age_s is None or age_s < WAITING_LONG_S:
                continue
            if kind == "destinations" and destinations is not None and name not in destinations:
                continue  # `stranger_warnings` has it
            states = dict(dict(counts.get(kind, {})).get(name, {}))
            number = max(1, sum(int(states.get(state.label, 0)) for state in OPEN_STATES))
            found.append((age_s, _waits(kind, str(name), _number(number, thing), age_s, active)))
    return _first(
        [sentence for _, sentence in sorted(found, reverse=True)],
        "more services and destinations have work that waits as long",
    )


def service_warnings(services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Services whose worker does not stay up, with the end of what it wrote to stderr."""
    sentences = []
    for service in services:
        restarts = int(service.get("restarts") or 0)
        # Between two ends of a loop it is starting for a moment; the warning must not come and go with that.
        is_down = service.get("state") in DOWN or (service.get("state") == "starting" and restarts)
        if not is_down:
            continue
        tail = [line for line in service.get("stderr_tail") or () if str(line).strip()]
        said = f'; its stderr ends with "{str(tail[-1]).strip()}"' if tail else ""
        error = str(service.get("last_error") or "no reason is known")
        if service.get("runnable") is False:
            sentences.append(f"{service.get('service', '')} cannot run, so its events wait: {error}")
            continue
        sentences.append(
            f"{service.get('service', '')} does not stay up (started again {_number(restarts, 'time')}), "
            f"so its events wait: {error}{said}"
        )
    return _first(sentences, "more services do not stay up")


def gateway_warnings(gateways: Sequence[Mapping[str, Any]]) -> list[str]:
    """Gateways that could not take over new key material, and go on with the old."""
    found = [(one.get("port"), dict(one.get("tls") or {})) for one in gateways]
    return [
        f"gateway on port {port}: {sentence}"
        for port, tls in found
        for sentence in (tls.get("trouble"), *tls.get("doubts", ()))
        if sentence
    ]


def disk_warnings(folder: str, free_bytes: int | None, min_free_bytes: int) -> list[str]:
    """The disk under the spool is nearly full; None: it could not be asked. At `min_free_bytes` events are refused."""
    if free_bytes is None or free_bytes >= LOW_DISK_TIMES * min_free_bytes:
        return []
    free = f"only {free_bytes // 1024**2} MiB are free on this disk"
    return [
        f"{folder}: {free}; below {min_free_bytes // 1024**2} MiB events are refused (503): free some or move the home"
    ]


def backlog_warnings(counts: Mapping[str, Any], *, max_events: int, max_of_service: Callable[[str], int]) -> list[str]:
    """So many events wait that senders will be told to come back before long. A bound of 0 is no bound."""
    sentences = []
    total = 0
    for name, states in dict(counts.get("services", {})).items():
        number = sum(int(states.get(state.label, 0)) for state in OPEN_STATES)
        total += number
        if _is_nearly(number, max_of_service(str(name))):
            sentences.append(_fills(str(name), number, max_of_service(str(name))))
    if _is_nearly(total, max_events):
        sentences.insert(0, _fills("all services together", total, max_events))
    return _first(sentences, "more services are as full")


def duration(seconds: float) -> str:
    """`40 s`, `17 min`, `5 h`, `3 d`: one unit, rounded down."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def _waits(kind: str, name: str, many: str, age_s: float, active: Sequence[str] | None) -> str:
    since = f"the first for {duration(age_s)}"
    if kind == "destinations":
        return f'destination {name}: {many} not sent, {since}: its last error stands below ("iadmin status")'
    if active is not None and name not in active:
        return (
            f"{name}: {many} not done, {since}: there is no such active service in the configuration, "
            "so nothing works on it"
        )
    return f'{name}: {many} not done, {since}: see "iadmin service list" and "iadmin event list --state waiting"'


def _is_nearly(number: int, bound: int) -> bool:
    return bound > 0 and number >= NEARLY_FULL * bound


def _fills(whose: str, number: int, bound: int) -> str:
    return f"{whose}: {_number(number, 'event')} wait; at {bound:,} further ones are refused (503)"


def _first(sentences: Sequence[str], rest: str) -> list[str]:
    shown = list(sentences[:MAX_NAMED])
    if len(sentences) > MAX_NAMED:
        shown.append(f"{len(sentences) - MAX_NAMED} {rest}")
    return shown


def _number(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _age(since: object, now: datetime) -> str:
    seconds = _seconds(since, now)
    return "" if seconds is None else duration(seconds)


def _seconds(since: object, now: datetime) -> float | None:
    """Seconds since an ISO 8601 time with zone; None for anything else."""
    if not isinstance(since, str) or not since:
        return None
    return (now - datetime.fromisoformat(since)).total_seconds()


def destination_warnings(destinations: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the destinations say of themselves: how they are configured, and which of them nothing is sent to."""
    return [str(warning) for destination in destinations for warning in destination.get("warnings", ())]
