"""Turns an event into the JSON that starts an incident plan, and sends it.

    <event>
      <properties><building>"Building A"</building><city>Victoria</city></properties>
      <recipients><targetName>bsmith</targetName></recipients>
    </event>

becomes

    {"properties": {"building": "Building A", "city": "Victoria"}, "recipients": [{"targetName": "bsmith"}]}

Copy this folder to begin a service of your own; docs/services.rst explains every step.
"""

from typing import Any

from agent.sdk import Event, RejectEvent, context, form_of, guess_value


def on_startup() -> None:
    """Runs once, before the first event: the place to read files or open connections that all events use."""
    context.log.info("ready")


def on_event(event: Event) -> None:
    """Runs for each event, after its sender has been answered. When it returns, the event is done."""
    properties, recipients = said_in(event)
    # Reject what no attempt can mend: it becomes a dead letter at once, and the operator reads this sentence.
    if not isinstance(properties, dict):
        raise RejectEvent("the event has no <properties> with elements in it: there is nothing to tell anybody")

    # Nothing leaves yet. What is sent is stored together with the event's end and then delivered, so it can neither
    # be lost nor, after an exception further down, go out for an event that is tried again.
    context.send(
        json={
            "properties": properties,
            # May be empty: then the plan itself decides whom to call.
            "recipients": [{"targetName": name} for name in names_in(recipients)],
        }
    )


def said_in(event: Event) -> tuple[Any, Any]:
    """Properties and recipients: of an event, or of a message that apclient sent, mapped as the descriptor says."""
    if event.kind == "apxml":
        form = form_of(event.apxml)
        return form.properties, form.recipients
    said = event.to_dict()
    properties = said.get("properties")
    return typed(properties) if isinstance(properties, dict) else None, said.get("recipients")


def names_in(recipients: Any) -> list[str]:
    """A name, a `targetName` with one in it, or a list of them. Better to reject than to leave somebody out."""
    match recipients:
        case None | "":
            return []
        case str(name) | {"#text": str(name)}:
            return [name]
        case {"targetName": names}:
            return names_in(names)
        case list(several):
            return [name for each in several for name in names_in(each)]
    raise RejectEvent(f"<recipients> holds {recipients!r:.80}, expected <targetName> with a name in it")


def typed(value: Any) -> Any:
    """Give texts their types, however deep they stand: XML itself knows only text."""
    if isinstance(value, dict):
        return {name: typed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [typed(part) for part in value]
    return guess_value(value) if isinstance(value, str) else value


# To answer senders yourself (SOAP, for instance), define `on_http` as well and import its two types. Senders then wait
# for the answer; returning None leaves the request to `on_event`:
#
# def on_http(request: HttpRequest) -> HttpResponse | None:
#     if request.method == "GET":
#         return HttpResponse(body=f"{context.service} is running\n")
#     return None


def on_shutdown() -> None:
    """Runs once, after the last event."""
