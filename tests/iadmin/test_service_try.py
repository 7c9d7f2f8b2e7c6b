"""`service test`: which service, which event, and what came of it, in text, JSON and exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePath

import attrs
import pytest

from agent.errors import ExitStatus
from agent.event import BodyKind, Event
from iadmin.commands.service_try import EXITS, read_answer
from iadmin.rehearsing import ProcessTrials
from iadmin.trials import Leaving, Loaded, StubAnswer, TrialService, Tried
from tests.iadmin.fakes import World, service_config

SENT = Leaving(
    destination="tickets",
    target="https://tickets.example.com/in/p",
    method="PUT",
    path="/p",
    content_type="application/json",
    headers=(("X-A", "1"),),
    body=b'{"pump": 7}',
)


@attrs.define
class FakeTrials:
    """One service; `tried` is what becomes of each event."""

    tried: Tried = attrs.field(factory=lambda: Tried(verdict="done"))
    events: list[Event] = attrs.field(factory=list)
    answers: list[StubAnswer] = attrs.field(factory=list)
    asked: list[PurePath] = attrs.field(factory=list)
    loaded: Loaded = attrs.field(factory=lambda: Loaded(hooks=("on_event",)))

    def find_trial_service(self, path: PurePath, home: PurePath | None) -> TrialService:
        self.asked.append(path)
        return TrialService(config=service_config("applications", "sample-plan"), home=PurePath("/srv"))

    def load_apart(self, service: TrialService) -> Loaded:
        return self.loaded

    def try_event(self, service: TrialService, event: Event, answers: Sequence[StubAnswer]) -> Tried:
        self.events.append(event)
        self.answers += answers
        return self.tried


@pytest.fixture
def trials(world: World) -> FakeTrials:
    world.trials = FakeTrials()
    (world.cwd / "e.xml").write_text("<event/>")
    return world.trials


def test_what_would_be_sent_is_shown_whole(world: World, trials: FakeTrials) -> None:
    """Destination, method, target, headers and body, and the lines of the log."""
    trials.tried = Tried(verdict="done", sent=[SENT], said=[("info", "pump 7")])
    answer = world.run("service", "test", "sample-plan", "e.xml")
    assert ExitStatus.OK == answer.status
    assert "The event would be done, and 1 request sent." in answer.out
    for piece in ("tickets", "PUT https://tickets.example.com/in/p", "X-A", '{"pump": 7}', "info   pump 7"):
        assert piece in answer.out
    document = json.loads(world.run("--json", "service", "test", "sample-plan", "e.xml").out)
    assert ("done", '{"pump": 7}', [["X-A", "1"]]) == (
        document["verdict"],
        document["sent"][0]["body"],
        document["sent"][0]["headers"],
    )


@pytest.mark.parametrize("verdict", EXITS)
def test_the_exit_status_says_what_became_of_it(world: World, trials: FakeTrials, verdict: str) -> None:
    """Each of its own, with the reason and the lines of the service's own code."""
    trials.tried = Tried(verdict=verdict, reason="because of it", detail="File x.py, line 3")
    answer = world.run("service", "test", "sample-plan", "e.xml")
    assert EXITS[verdict] == answer.status
    if verdict != "done":
        assert "because of it" in answer.out
        assert "line 3" in answer.out


def test_what_could_not_be_sent_is_no_success(world: World, trials: FakeTrials) -> None:
    """The hook was done, and its request would be a dead letter."""
    trials.tried = Tried(verdict="done", sent=[attrs.evolve(SENT, trouble="this request cannot be sent")])
    answer = world.run("service", "test", "sample-plan", "e.xml")
    assert ExitStatus.FAILED == answer.status
    assert "this request cannot be sent" in answer.out


def test_the_event_is_taken_in_as_by_a_gateway(world: World, trials: FakeTrials) -> None:
    """XML, JSON and messages are told apart; what a gateway refuses is refused, with its sentence."""
    for body, kind in (("<event/>", BodyKind.XML), ('{"a": 1}', BodyKind.JSON)):
        world.stdin = body.encode()
        assert ExitStatus.OK == world.run("service", "test", "sample-plan", "-").status
        assert kind == trials.events[-1].kind
    world.stdin = b"<event>"
    answer = world.run("service", "test", "sample-plan", "-")
    assert ExitStatus.DATA == answer.status
    assert "a gateway would refuse this event with 400" in answer.err
    assert 2 == len(trials.events)


def test_a_path_or_a_name_says_which_service(world: World, trials: FakeTrials) -> None:
    """A path where there is one, else a service of the home; neither is a sentence."""
    (world.cwd / "folder").mkdir()
    world.run("service", "test", "folder", "e.xml")
    world.run("service", "test", "sample-plan", "e.xml")
    descriptor = PurePath("/srv/agent/services/sample-plan/sample-plan.xml")
    assert [world.cwd / "folder", descriptor] == trials.asked
    assert ExitStatus.NO_INPUT == world.run("service", "test", "no/where", "e.xml").status
    assert ExitStatus.USAGE == world.run("service", "test", "nobody", "e.xml").status
    assert ExitStatus.NO_INPUT == world.run("service", "test", "folder", "nofile").status


def test_answers_are_bodies_or_whole_answers(world: World, trials: FakeTrials) -> None:
    """As `curl -i` prints them."""
    assert StubAnswer(status=200, content_type="application/json", body=b"{}") == read_answer(b"{}")
    whole = b"HTTP/1.1 503 Busy\r\nServer: x\r\nContent-Type: text/plain\r\n\r\nlater"
    assert StubAnswer(status=503, content_type="text/plain", body=b"later") == read_answer(whole)
    assert StubAnswer(status=204) == read_answer(b"HTTP/2 204\n\n")
    (world.cwd / "a").write_bytes(whole)
    (world.cwd / "b").write_bytes(b"{}")
    world.run("service", "test", "sample-plan", "e.xml", "--answer", "a", "--answer", "b")
    assert [503, 200] == [one.status for one in trials.answers]


def service_at(
    folder: Path, *, destination: str = "outbox", code: str = "def on_event(event): context.send(json=1)"
) -> Path:
    folder.mkdir(parents=True)
    (folder / "x.py").write_text(f"from agent.sdk import context\n{code}\n")
    (folder / "x.xml").write_text(
        '<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema"><domain>a</domain><name>x</name>'
        "<initial-state>active</initial-state><script lang='python'><file>x.py</file></script>"
        f"<destination>{destination}</destination></integration-service>"
    )
    return folder


def event(body: bytes = b"<event/>") -> Event:
    return Event(id="e", service="a|x", received_us=0, peer="127.0.0.1", kind=BodyKind.XML, body=body)


def test_a_service_without_a_home_is_tried(tmp_path: Path) -> None:
    """Its destination is taken as it names it, and what it asks is refused with what to do."""
    trials = ProcessTrials()
    folder = service_at(tmp_path / "x", destination="tickets", code="def on_event(e): context.request('t').wait()")
    service = trials.find_trial_service(folder, None)
    assert ("on_event",) == trials.load_apart(service).hooks
    tried = trials.try_event(service, event(), [])
    assert "retried" == tried.verdict
    assert "--answer FILE" in tried.reason
    assert "done" == trials.try_event(service, event(), [StubAnswer(body=b"{}")]).verdict


def test_a_request_is_shown_as_its_destination_makes_it(tmp_path: Path) -> None:
    """URL and path joined, method, template and type of the destination; a path out of it cannot be sent."""
    home = tmp_path / "home"
    (home / "conf").mkdir(parents=True)
    (home / "conf" / "iaconfig.xml").write_text(
        '<iaconfig xmlns="http://www.alarmpoint.com/schema"><service-gateway host="127.0.0.1"/><destinations>'
        '<destination name="tickets" url="https://tickets.example.com/in" method="PUT">'
        '<body content-type="text/plain">said: ${body}</body></destination></destinations></iaconfig>'
    )
    code = "def on_event(event):\n    for path in ('/a b', '/../x'): context.send(json=1, path=path)"
    folder = service_at(home / "services" / "x", destination="tickets", code=code)
    trials = ProcessTrials()
    sent, unfit = trials.try_event(trials.find_trial_service(folder / "x.xml", None), event(), []).sent
    assert ("PUT", "https://tickets.example.com/in/a%20b", b"said: 1", "text/plain") == (
        sent.method,
        sent.target,
        sent.body,
        sent.content_type,
    )
    assert "dot segment" in unfit.trouble
