"""The main job: an event comes in, is on disk before the answer, runs through a service, and leaves."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.support.live import LiveHome, run, until

README = Path(__file__).parent.parent.parent / "README.rst"
EVENT = "<event><properties><city>Victoria</city></properties></event>"

GATED = """
from pathlib import Path
from agent.sdk import context

def on_event(event):
    while not Path("gate").exists():
        pass
    context.send(json={"seen": event.text, "attempt": event.attempt})
"""
"""A service that does not finish before the test says so."""


def test_the_readme_line_is_delivered(agent: LiveHome) -> None:
    """The curl line of the README works when pasted, and the event it makes reaches the outbox as a trigger."""
    line = next(line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("    curl "))
    done = run(*shlex.split(line.replace("127.0.0.1:8081", f"127.0.0.1:{agent.port}")))
    event_id = json.loads(done.stdout)["requestId"]
    event = agent.settled(event_id)
    assert "done" == event["state"]
    assert {
        "properties": {"building": "Building A", "city": "Victoria"},
        "recipients": [{"targetName": "bsmith"}],
    } == agent.outbox[0]["body"]


def test_event_show_tells_the_whole_road(agent: LiveHome) -> None:
    """Received, stored, handed over, what was sent where, and the answer: each with its time, in order."""
    event = agent.settled(agent.accept(EVENT))
    road = [*event["steps"], *event["requests"][0]["steps"]]
    times = [step["at"] for step in road]
    assert {"received", "stored", "begun", "done"} <= {step["step"] for step in road}
    assert sorted(times) == times
    assert "outbox" == event["requests"][0]["destination"]
    assert event["requests"][0]["answer"] is not None
    shown = agent.iadmin("event", "show").stdout.decode()
    assert event["id"] in shown
    assert "Victoria" in shown


def test_an_acknowledged_event_survives_kill_9(home: LiveHome) -> None:
    """The agent dies between the 202 and the delivery; after a restart the event is delivered, under the same id."""
    home.add_service("gated", GATED)
    home.start()
    event_id = home.accept("<event><n>1</n></event>", "applications_gated")
    home.kill()
    assert [] == home.outbox
    home.start()
    (home.folder / "gate").touch()
    event = home.settled(event_id)
    assert "done" == event["state"]
    assert ["<event><n>1</n></event>"] == [line["body"]["seen"] for line in home.outbox]
    assert home.outbox[0]["id"].startswith(event_id)


def test_the_answer_is_xml_when_the_sender_asks_for_it(agent: LiveHome) -> None:
    """A sender that accepts only XML gets the id in XML."""
    status, head, body = agent.post(EVENT, "applications_sample-plan", "-H", "Accept: application/xml")
    assert 202 == status
    assert "application/xml" in head
    assert re.search(r"<requestId>[0-9a-f-]{36}</requestId>", body)


def test_json_becomes_an_event_too(home: LiveHome) -> None:
    """A JSON body is an event like any other; the service reads it as JSON."""
    home.add_service(
        "reader",
        "from agent.sdk import context\n\n\ndef on_event(event):\n    context.send(json=event.json['answer'])\n",
    )
    home.start()
    home.settled(home.accept('{"answer": 42}', "applications_reader"))
    assert [42] == [line["body"] for line in home.outbox]


def test_a_gzip_body_in_utf_16_is_read(agent: LiveHome) -> None:
    """Content-Encoding and the document's own encoding are both honoured."""
    import gzip

    document = '<?xml version="1.0" encoding="UTF-16"?><event><properties><city>Zürich</city></properties></event>'
    status, _, body = agent.post(
        gzip.compress(document.encode("utf-16")), "applications_sample-plan", "-H", "Content-Encoding: gzip"
    )
    assert 202 == status, body
    agent.settled(json.loads(body)["requestId"])
    assert "Zürich" == agent.outbox[0]["body"]["properties"]["city"]


def test_a_service_may_answer_the_sender_itself(home: LiveHome) -> None:
    """`on_http` decides status, headers and body; what it sends is stored before the answer."""
    home.add_service(
        "answering",
        "from agent.sdk import HttpResponse, context\n\n\n"
        "def on_http(request):\n"
        "    context.send(json={'path': request.path})\n"
        "    return HttpResponse(status=201, headers={'X-Seen': request.method}, body=b'made ' + request.body)\n",
    )
    home.start()
    status, head, body = home.curl("-X", "PUT", "-d", "x", f"{home.url}/http/applications_answering/event/17")
    assert (201, "made x") == (status, body)
    assert "x-seen: put" in head.lower()
    until("the request to be delivered", lambda: home.outbox)
    assert {"path": "/event/17"} == home.outbox[0]["body"]


def test_a_service_that_raises_costs_only_its_own_events(home: LiveHome) -> None:
    """The failing event is tried again and shows why; another service goes on; the sender got its 202."""
    home.add_service("broken", "def on_event(event):\n    raise ValueError('no such pump')\n")
    home.start()
    failing = home.accept(EVENT, "applications_broken")
    until("the first attempt", lambda: home.event(failing)["attempt"] >= 1)
    assert "no such pump" in home.event(failing)["reason"]
    assert "done" == home.settled(home.accept(EVENT))["state"]


def test_terminate_loses_nothing(home: LiveHome) -> None:
    """SIGTERM ends the agent with status 0 and what was accepted is delivered by the next one."""
    home.start()
    ids = [home.accept(EVENT) for _ in range(5)]
    assert 0 == home.stop()
    home.start()
    assert ["done"] * 5 == [home.settled(event_id)["state"] for event_id in ids]


def test_every_line_about_an_event_carries_its_id(agent: LiveHome) -> None:
    """Accepted, handed over, settled and sent can be followed with grep."""
    event_id = agent.accept(EVENT)
    agent.settled(event_id)
    until("the log to be written", lambda: agent.log.count(event_id) >= 3)
