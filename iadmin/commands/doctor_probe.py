"""`iadmin doctor --probe SERVICE`: one marked event, followed through gateway, service and destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from agent.errors import ExitStatus
from iadmin.commands.arguments import find_service
from iadmin.commands.sending import answer_outcome, entrance
from iadmin.commands.tools import Tools
from iadmin.diagnosis import Finding
from iadmin.diagnosis.finding import fault, warning
from iadmin.model import Block
from iadmin.render import Column, Line, Table
from iadmin.text import duration, moment

BODY: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<event><properties><probe>iadmin doctor: a test, please ignore it</probe></properties><recipients/></event>"
)
"""An event as simple as they come; whoever gets it sees what it is."""
PATIENCE_S: Final = 30.0
"""A hook has 10 s by default, and a destination as long."""
ENDED: Final = frozenset({"done", "dead", "suppressed"})
KNOWN: Final = "a test event"


@attrs.frozen(kw_only=True)
class Road:
    """The way of the test event: hops with the milliseconds that each took, and what was wrong on it."""

    event_id: str
    hops: tuple[tuple[str, float], ...] = ()
    findings: tuple[Finding, ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"event": self.event_id, "hops": [{"hop": hop, "ms": round(ms, 1)} for hop, ms in self.hops]}

    def blocks(self) -> Iterator[Block]:
        """For people."""
        if self.event_id:
            yield Line(f"The test event {self.event_id}:")
            yield Table(
                columns=(Column("HOP", flexible=True), Column("TOOK", "right")),
                rows=[(hop, duration(ms / 1000)) for hop, ms in self.hops],
                empty="It has gone nowhere.",
            )


def probe(tools: Tools, service: str) -> Road:
    """Send the event and follow it until it has ended with all its requests, or patience has.

    Raises `OperatorError` where there is no such service, `MachineError` where the gateway cannot be reached.
    """
    settings, _ = tools.load_config(tools.home)
    name = find_service([one.name for one in settings.services], service)
    where = entrance(tools, settings)
    url = where.url + name.path
    with tools.working(f"following a test event through {name}"):
        began = tools.now()
        answer = tools.post(url, "application/xml", BODY, headers={}, trusted=where.trusted, client=None)
        took_ms = (tools.now() - began).total_seconds() * 1000
        outcome = answer_outcome(answer, url=url, service=name)
        event_id = dict(outcome.data).get("request_id") if isinstance(outcome.data, Mapping) else None
        if outcome.exit_status is not ExitStatus.OK or not event_id:
            return Road(event_id="", findings=(_refused(outcome.notes),))
        event = _followed(tools, str(event_id))
    return Road(
        event_id=str(event_id),
        hops=(("gateway: connected, sent, answered", took_ms), *_hops(event)),
        findings=tuple(_judged(event)),
    )


def _refused(notes: tuple[str, ...]) -> Finding:
    what = notes[0] if notes else "the gateway did not take the test event"
    return fault("probe-refused", what, known=KNOWN, remedy="mend what the sentence says, then: iadmin doctor --probe")


def _followed(tools: Tools, event_id: str) -> Mapping[str, Any]:
    """The event when it is over, or when patience is."""
    link = tools.link()
    tools.until(lambda: _is_over(link.event(event_id) or {}), PATIENCE_S)
    return link.event(event_id) or {}


def _is_over(event: Mapping[str, Any]) -> bool:
    requests = event.get("requests") or ()
    return event.get("state") in ENDED and all(one.get("state") in ENDED for one in requests)


def _hops(event: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """From the times of its steps: the disk, waiting for the service, its hook, each delivery."""
    service, at = event.get("service"), _times(event)
    yield from _between("on disk", moment(event.get("received")), at.get("stored"))
    yield from _between(f"waited for {service}", at.get("stored"), at.get("begun"))
    yield from _between(f"hook of {service}", at.get("begun"), _end(at))
    for request in event.get("requests") or ():
        where, of_request = request.get("destination"), _times(request)
        yield from _between(f"waited for {where}", of_request.get("stored"), of_request.get("begun"))
        yield from _between(f"delivered to {where}", of_request.get("begun"), _end(of_request))


def _times(holder: Mapping[str, Any]) -> Mapping[str, datetime]:
    """When each kind of step happened the last time."""
    steps = ((str(step.get("step")), moment(step.get("at"))) for step in holder.get("steps") or ())
    return {step: at for step, at in steps if at is not None}


def _end(at: Mapping[str, datetime]) -> datetime | None:
    return next((at[state] for state in ENDED if state in at), None)


def _between(hop: str, begin: datetime | None, end: datetime | None) -> Iterator[tuple[str, float]]:
    if begin is not None and end is not None:
        yield hop, max(0.0, (end - begin).total_seconds() * 1000)


def _judged(event: Mapping[str, Any]) -> Iterator[Finding]:
    event_id = event.get("id")
    show = f"iadmin event show {event_id}"
    if event.get("state") == "dead":
        yield fault("probe-died", f"the service did not process it: {event.get('reason')}", known=KNOWN, remedy=show)
    for request in event.get("requests") or ():
        where = request.get("destination")
        if request.get("state") == "dead":
            what = f"destination {where} did not take it: {request.get('reason')}"
            yield fault("probe-not-delivered", what, known=KNOWN, remedy=f"iadmin destination check {where}")
        elif request.get("state") not in ENDED:
            what = f"it is not delivered to {where} after {PATIENCE_S:g} s: {request.get('reason') or 'it waits'}"
            yield fault("probe-not-delivered", what, known=KNOWN, remedy=f"iadmin destination check {where}")
    if event.get("state") not in ENDED:
        what = (
            f"the service has not processed it after {PATIENCE_S:g} s; it is {event.get('state') or 'not to be found'}"
        )
        yield fault("probe-waits", what, known=KNOWN, remedy=show)
    elif event.get("state") == "suppressed":
        yield warning("probe-suppressed", "the service's filter took it for a double", known=KNOWN, remedy=show)
