"""The sample services beside sample-plan, hook by hook; tests/e2e runs them with the agent."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from agent.sdk import Answer, Apxml, Event, Form, RejectEvent, RequestFailed, RetryableError, Token
from agent.sdk.context import calling

SERVICES = Path(__file__).parent.parent.parent / "services"


def script(service: str) -> ModuleType:
    name = service.replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, SERVICES / service / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def message(**tokens: str) -> Apxml:
    return Apxml(method="REQUEST", tokens=tuple(Token(key, value) for key, value in tokens.items()))


PUMP = message(propertyname="pump", propertyvalue="P-101")


def test_terminate_ends_what_it_finds() -> None:
    """One question, one stored request for each event."""
    found = json.dumps({"data": [{"id": "1"}, {"id": "2"}]}).encode()
    with calling(answers=[Answer(status=200, body=found)]) as call:
        script("sample-terminate").on_input(PUMP)

    assert "/api/xm/1/events?status=ACTIVE&propertyName=pump%23en&propertyValue=P-101" == call.asked[0].path
    assert [{"id": "1", "status": "TERMINATED"}, {"id": "2", "status": "TERMINATED"}] == [
        json.loads(request.body) for request in call.requests
    ]


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (Answer(status=200, body=b"[]", where="w"), RejectEvent, "w answered without a list of events in data"),
        (Answer(status=200, body=b'{"data": [7]}', where="w"), RejectEvent, "w answered without a list of events"),
        (Answer(status=503, where="w"), RequestFailed, "w answered 503"),
        (Answer(status=404, where="w"), RejectEvent, "w answered 404"),
    ],
)
def test_terminate_with_odd_answers(answer: Answer, error: type[Exception], sentence: str) -> None:
    """What may pass is tried again, what will not is a dead letter."""
    with calling(answers=[answer]), pytest.raises(error, match=sentence):
        script("sample-terminate").on_input(PUMP)


@pytest.mark.parametrize("device", ["", "-c1", "a b", "db1:", "db1:123456", "db1;reboot", "$(x)"])
def test_ping_refuses_what_is_no_device(device: str) -> None:
    """Nothing that a shell or the program would take for something else."""
    with calling(), pytest.raises(RejectEvent, match="expected a host name or an address"):
        script("ping-plan").on_event(Form(properties={"device": device}))


@pytest.mark.parametrize(("status", "is_reachable"), [(0, True), (1, False)])
def test_ping_by_the_program(monkeypatch: pytest.MonkeyPatch, status: int, is_reachable: bool) -> None:
    """Its exit status says it; the argument is one word."""
    ran: list[list[str]] = []

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(argv)
        return subprocess.CompletedProcess(argv, status)

    monkeypatch.setattr(subprocess, "run", run)
    with calling():
        form = script("ping-plan").on_event(Form(properties={"device": "db1.example.com"}))

    assert (is_reachable, is_reachable) == (form.properties["reachable"], form.properties["answer_ms"] is not None)
    assert ["ping", "-c", "1", "-W", "3", "db1.example.com"] == ran[0]


def test_ping_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is told what to install, and the event waits for it."""

    def run(*_: object, **__: object) -> None:
        raise FileNotFoundError("ping")

    monkeypatch.setattr(subprocess, "run", run)
    with calling(), pytest.raises(RetryableError, match="there is no program ping: install it"):
        script("ping-plan").on_event(Form(properties={"device": "db1"}))


def test_integrated_properties_of_an_unknown_city() -> None:
    """An empty list, and not an error in the form of somebody who is filling it in; other answers have no reply."""
    service = script("sample-integrated-properties")
    with calling():
        reply = service.on_response(message(xmattersrebrequestuuid="u", city="Nowhere"))
        nothing = service.on_response(message(error_code="0"))

    assert [] == json.loads(reply.value("additionalTokens"))["building"]
    assert nothing is None


def test_events_without_a_device() -> None:
    """The form of an event that is about something else."""
    event = Event(id="1", service="a|b", received=datetime.now(UTC), body=b"<event/>")
    with calling(), pytest.raises(RejectEvent, match="device is ''"):
        script("ping-plan").on_event(Form(event=event))
