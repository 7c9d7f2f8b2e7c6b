"""Ends the events of the platform that have a certain property: the alarm behind them is over.

propertyname=pump, propertyvalue=P-101    ->    GET  /api/xm/1/events?status=ACTIVE&propertyName=pump%23en&...
                                                POST /api/xm/1/events {"id": "...", "status": "TERMINATED"}
"""

from typing import Any
from urllib.parse import quote

from agent.sdk import Apxml, RejectEvent, context, xmio

EVENTS = "/api/xm/1/events"
LANGUAGE = "en"
"""In which the property's name is written; the platform keeps it as a suffix."""


def on_input(apxml: Apxml) -> None:
    """Runs for each message: asks which events there are, and has each of them ended."""
    name, value = apxml.value("propertyname"), apxml.value("propertyvalue")
    if not name or not value:
        raise RejectEvent("propertyname and propertyvalue must both be there, or every event would be ended")
    events = active_events(name, value)
    context.log.info("events with %s = %s: %d", name, value, len(events))
    for event in events:
        # Stored with the end of this message and then delivered, so that none is forgotten when the line is cut.
        xmio.post({"id": event["id"], "status": "TERMINATED"}, EVENTS)


def active_events(name: str, value: str) -> list[dict[str, Any]]:
    """Ask the platform. A question is not stored: without an answer, the whole message is tried again later."""
    query = f"status=ACTIVE&propertyName={quote(name, safe='')}%23{LANGUAGE}&propertyValue={quote(value, safe='')}"
    try:
        answer = xmio.get(f"{EVENTS}?{query}").wait()
    except ValueError as error:
        raise RejectEvent(f"{error}: sample-terminate.xml says which destination it needs") from error
    answer.raise_for_status()
    found = answer.json()
    events = found.get("data") if isinstance(found, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) and "id" in event for event in events):
        raise RejectEvent(f"{answer.where} answered without a list of events in data: {answer.text[:200]}")
    return events
