"""agent.host.roads: which hook an event is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.host.roads import Roads, callback_kinds, takes_form
from agent.sdk import Apxml, Event, Form, RejectEvent, Token, context, write_apxml
from agent.sdk.context import Surroundings, call_in_hand, calling, settle_in

EVENT = b"<event><pump>P-101</pump></event>"


def hook(argument: Any) -> None:
    """Takes anything."""


def on_form(form: Any) -> Any:
    return form


def roads(**hooks: Callable[..., Any]) -> Roads:
    return Roads(hooks, settings={}, finished=lambda returned: returned, collected=call_in_hand)


def event(body: bytes = EVENT, kind: str = "xml", path: str = "") -> Event:
    return Event(id="1", service="applications|pumps", received=datetime.now(UTC), body=body, kind=kind, path=path)


def message(method: str = "add", path: str = "", **tokens: str) -> Event:
    body = write_apxml(Apxml(method=method, tokens=tuple(Token(key, value) for key, value in tokens.items())))
    return event(body, "apxml", path)


NEWS = message(method="REQUEST", xmatters_callback_type="status")
ASKING = message(method="REQUEST", xmattersrebrequestuuid="u")
ANSWER = message(method="OK", path="/response")
INPUT = message(pump="P-101")


@pytest.mark.parametrize(
    ("hooks", "found"),
    [
        (("on_event",), ("on_event", "on_event", "on_event", "on_event", "on_event")),
        (("on_event", "on_input"), ("on_input", "on_event", "on_event", "on_event", "on_event")),
        (("on_event", "on_callback"), ("on_event", "on_callback", "on_event", "on_event", "on_event")),
        (("on_event", "on_response"), ("on_event", "on_response", "on_response", "on_response", "on_event")),
        (
            ("on_event", "on_input", "on_response", "on_callback"),
            ("on_input", "on_callback", "on_response", "on_response", "on_event"),
        ),
    ],
)
def test_each_kind_has_its_hook(hooks: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Input, news, a request for values, an answer, and an event that is no message."""
    service = roads(**dict.fromkeys(hooks, hook))

    assert found == tuple(service.find(each).hook for each in (INPUT, NEWS, ASKING, ANSWER, event()))


def test_form_services_hear_no_answers() -> None:
    """What the platform says to a service without a hook for it is dropped, and the sentence says so."""
    service = roads(on_event=on_form)
    failed = message(method="ERROR", path="/response", error_code="7")

    assert ("", "the service has no on_callback for what the platform tells; it is dropped") == (
        service.find(NEWS).hook,
        service.find(NEWS).nobody,
    )
    assert "the platform answered ERROR with error code 7" in service.find(failed).nobody


def test_webhooks_are_callbacks() -> None:
    """JSON at the service's own URL."""
    road = roads(on_callback=hook).find(event(b'{"Status": "active"}', "json", "/response"))

    assert ("on_callback", "active") == (road.hook, road.argument.status)


def test_event_that_no_hook_takes() -> None:
    """A dead letter with the reason, instead of silence."""
    with pytest.raises(RejectEvent, match="defines no on_event: it takes APXML messages only"):
        roads(on_input=hook).find(event())
    with pytest.raises(RejectEvent, match="defines no on_event: it takes what the platform posts only"):
        roads(on_callback=hook).find(event())


def test_who_takes_the_form() -> None:
    """By the name of the parameter, or by its type, also where that is a text."""

    def typed(event: Form) -> None: ...
    def written(event: Form) -> None: ...
    def plain(form: Event) -> None: ...
    def nothing() -> None: ...

    assert [True, True, True, False, False, False] == [
        takes_form(each) for each in (on_form, typed, written, plain, nothing, hook)
    ]


def test_form_is_posted() -> None:
    """What `on_event(form)` returns goes to the service's destination; with the callbacks that the script asks for."""
    service = Roads(
        {"on_event": on_form, "remapped_data": lambda: {"priority": "severity"}},
        settings={"CALLBACKS": ["status"]},
        finished=lambda returned: returned,
        collected=call_in_hand,
    )
    settle_in(Surroundings(agent_id="plant7"))
    try:
        with calling() as call:
            road = service.find(message(pump="P-101", severity="high"))
            road.then(road.argument)
    finally:
        settle_in(Surroundings())

    assert {
        "properties": {"pump": "P-101"},
        "priority": "high",
        "callbacks": [{"url": "ia://pumps", "type": "status", "iaId": "plant7"}],
    } == json.loads(call.requests[0].body)


def test_dropped_forms_are_told() -> None:
    """A forgotten `return` must not be a riddle; a hook that has sent something itself is none."""
    lines: list[str] = []
    settle_in(Surroundings(log=lambda level, text, event_id: lines.append(f"{level}: {text}")))
    try:
        with calling():
            road = roads(on_event=on_form).find(INPUT)
            road.then(None)
        with calling():
            road = roads(on_event=on_form).find(INPUT)
            context.send(json=1)
            road.then(None)
    finally:
        settle_in(Surroundings())

    assert ["info: on_event returned None, so nothing is sent"] == lines


def test_replies_are_sent_to_the_platform() -> None:
    """To the destination of that name where there is one, else to the service's own."""
    for destinations, expected in ((frozenset({"outbox", "platform"}), "platform"), (frozenset[str](), "outbox")):
        settle_in(Surroundings(destinations=destinations))
        try:
            with calling() as call:
                road = roads(on_input=hook).find(INPUT)
                road.then(road.argument)
                road.then(None)
        finally:
            settle_in(Surroundings())
        (sent,) = call.requests
        assert (expected, INPUT.body, "text/xml; charset=utf-8") == (sent.destination, sent.body, sent.content_type)


def test_replies_that_are_no_messages() -> None:
    """The sentence names the hook, what it returned and what is expected."""
    road = roads(on_input=hook).find(INPUT)

    with calling(), pytest.raises(TypeError, match="on_input returned a dict, expected an Apxml or None"):
        road.then({})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [("status", "CALLBACKS is 'status', expected a list"), (["stat"], "CALLBACKS holds 'stat', expected status, ")],
)
def test_callbacks_that_are_none(value: object, sentence: str) -> None:
    """A service with a wrong setting does not start."""
    with pytest.raises((TypeError, ValueError), match=sentence):
        callback_kinds(value)


def test_encrypted_constants_are_in_the_message() -> None:
    """Added where they are absent, or in the place of what is there; they are not in the event's body."""
    given = Event(
        id="1",
        service="a|b",
        received=datetime.now(UTC),
        kind="apxml",
        body=message(ticket_password="no", other="kept").body,
        constants=((Token("ticket_password", "secret"), True), (Token("other", "no"), False)),
    )
    found = given.apxml

    assert ("secret", "kept") == (found.value("ticket_password"), found.value("other"))
    assert "secret" not in repr(given)
