"""agent.sdk.services: one service asks another."""

from __future__ import annotations

import pytest

from agent.sdk import Answer, ServiceRequest, read_apxml
from agent.sdk.context import calling


def test_stored_request() -> None:
    """An APXML message to the other service's place for messages."""
    with calling() as call:
        ServiceRequest(name="pump alarms", action="add", tokens={"Pump": "P-101", "n": 3}, agent="plant8").send()
    (sent,) = call.requests
    message = read_apxml(sent.body)

    assert ("plant8", "/apxml/applications_pump%20alarms", "application/xml") == (
        sent.destination,
        sent.path,
        sent.content_type,
    )
    assert ("add", "applications|pump alarms", "P-101", "3") == (
        message.method,
        message.value("agent_client_id"),
        message.value("pump"),
        message.value("n"),
    )


def test_asked_request() -> None:
    """The other service's own answer."""
    with calling(answers=[Answer(status=200, body=b"yes")]) as call:
        answer = ServiceRequest(domain="default", name="pumps").ask(timeout_s=2).wait()

    assert ("yes", "self", "/http/default_pumps", "POST") == (
        answer.text,
        call.asked[0].destination,
        call.asked[0].path,
        call.asked[0].method,
    )


@pytest.mark.parametrize("name", ["", "applications|pumps", "a/b"])
def test_names_that_are_none(name: str) -> None:
    """Domain and name stand apart here."""
    with pytest.raises(ValueError, match="expected the name of a service"):
        ServiceRequest(name=name)
