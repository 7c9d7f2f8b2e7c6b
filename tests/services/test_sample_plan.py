"""services/sample-plan: the example people copy does what it says."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.sdk import Event, RejectEvent
from agent.sdk.context import calling

PATH = Path(__file__).parent.parent.parent / "services/sample-plan/sample_plan.py"
SEED = (
    b'<?xml version="1.0" encoding="UTF-8"?><event><properties><building>"Building A"</building><city>Victoria</city>'
    b"</properties><recipients><targetName>bsmith</targetName></recipients></event>"
)
TRIGGER = {
    "properties": {"building": "Building A", "city": "Victoria"},
    "recipients": [{"targetName": "bsmith"}],
}


def sent_for(body: bytes, kind: str = "xml") -> list[Any]:
    spec = importlib.util.spec_from_file_location("sample_plan", PATH)
    assert spec is not None
    assert spec.loader is not None
    sample_plan = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sample_plan)
    event = Event(id="e", service="applications|sample-plan", received=datetime.now(UTC), body=body, kind=kind)
    with calling() as call:
        sample_plan.on_event(event)
    return [json.loads(request.body) for request in call.requests]


def test_seed_event_becomes_a_trigger() -> None:
    """The event of the seed is sent as the JSON body of a trigger, quoted values as JSON."""
    assert [TRIGGER] == sent_for(SEED)


def test_json_event_becomes_the_same_trigger() -> None:
    """An event that is JSON already gives the same."""
    assert [TRIGGER] == sent_for(json.dumps(TRIGGER).encode(), kind="json")


def test_values_and_repeated_elements() -> None:
    """Types are guessed, repeated properties are lists, several recipients are several."""
    body = b"""<event>
      <properties><up>"true"</up><disk>sda</disk><disk>"1"</disk><message>[disk full] on [sda]</message></properties>
      <recipients><targetName>a</targetName><targetName>b</targetName></recipients>
    </event>"""

    assert [
        {
            "properties": {"up": True, "disk": ["sda", "1"], "message": "[disk full] on [sda]"},
            "recipients": [{"targetName": "a"}, {"targetName": "b"}],
        }
    ] == sent_for(body)


@pytest.mark.parametrize("properties", [b"", b"<properties/>", b"<properties>x</properties>"])
def test_event_without_properties_is_rejected(properties: bytes) -> None:
    """There is nothing to tell: the reason says what is missing."""
    with pytest.raises(RejectEvent, match="no <properties>"):
        sent_for(b"<event>" + properties + b"</event>")


@pytest.mark.parametrize(
    ("recipients", "kind"),
    [
        (b"<recipients>bob</recipients>", "xml"),
        (b'<recipients><targetName type="x">bob</targetName></recipients>', "xml"),
        (b'"recipients": ["bob"]', "json"),
        (b'"recipients": "bob"', "json"),
        (b'"recipients": {"targetName": ["bob"]}', "json"),
    ],
)
def test_recipients_may_be_plain_names(recipients: bytes, kind: str) -> None:
    """However a sender spells it, nobody is left out in silence."""
    if kind == "xml":
        body = b"<event><properties><a>1</a></properties>" + recipients + b"</event>"
    else:
        body = b'{"properties": {"a": 1}, ' + recipients + b"}"
    (sent,) = sent_for(body, kind)
    assert [{"targetName": "bob"}] == sent["recipients"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<event><properties><a>1</a></properties><recipients><person>bob</person></recipients></event>", "xml"),
        (b'{"properties": {"a": 1}, "recipients": ["ann", {"id": "bob"}]}', "json"),
        (b'{"properties": {"a": 1}, "recipients": [7]}', "json"),
    ],
)
def test_recipients_without_a_name_are_rejected(body: bytes, kind: str) -> None:
    """The sentence says what was found and what is expected."""
    with pytest.raises(RejectEvent, match=r"<recipients> holds .* expected <targetName>"):
        sent_for(body, kind)


def test_message_of_apclient_becomes_the_same_trigger() -> None:
    """Mapped as the descriptor says."""
    body = (
        b"<transaction><header><method>add</method></header><data><building type='string'>Building A</building>"
        b"<city>Victoria</city><recipients>bsmith</recipients></data></transaction>"
    )

    assert [TRIGGER] == sent_for(body, kind="apxml")
