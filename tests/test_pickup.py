"""What `apclient` has left in a home, and what becomes of it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from agent.boundaries import Waiting
from agent.config.model import MappedInput, MappedParameter
from agent.errors import SenderError
from agent.event import BodyKind, Event
from agent.event.apxmltext import read_apxml
from agent.mapping import InputRules
from agent.names import ServiceName
from agent.pickup import EVERY_S, OLD_S, Entrance, PickUp
from apclient import parcel
from apclient.submission import Submission, of_values
from tests.support.gateway import FakeCounters

MAPPED = MappedInput(method="add", parameters=(MappedParameter(name="pump"),))
PUMPS, FANS, ASLEEP = (
    InputRules(service=ServiceName(domain="applications", name=name), mapped=MAPPED)
    for name in ("pumps", "fans", "asleep")
)
FULL = SenderError("full", "The store is full.", status=503, title="Full")


class Store:
    """Takes events in; those of `known` keys are there already, and `refuse` names services it takes nothing for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.known: dict[str, str] = {}
        self.refuse: set[str] = set()
        self.held: list[Callable[[], None]] | None = None

    def offer(self, event: Event, waiting: Waiting) -> None:
        def answer() -> None:
            if event.service in self.refuse:
                waiting.refused(FULL)
            elif event.idempotency_key in self.known:
                waiting.stored(self.known[event.idempotency_key])
            else:
                self.known[event.idempotency_key] = event.id
                self.events.append(event)
                waiting.stored(event.id)

        if self.held is None:
            answer()
        else:
            self.held.append(answer)


class Stage:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.clock = Clock()
        self.store = Store()
        self.counters = FakeCounters()
        self.entrance: Entrance | None = Entrance(url="http://127.0.0.1:1")
        self.now_us = 1_000_000
        self._ids = 0
        self.pickup = PickUp(
            folder=folder,
            rules=[PUMPS, FANS],
            inactive=[ASLEEP],
            sink=self.store,
            new_id=self._new_id,
            now_us=lambda: self.now_us,
            counters=self.counters,
            clock=self.clock,
            in_thread=execute,
            entrance=lambda: self.entrance,
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def leave(self, number: int, *values: str, service: str = "pumps", key: str = "") -> Path:
        left = of_values((f"applications|{service}", *values), key=key or f"key-{number}")
        return self.put(parcel.file_name(number, 77, left.service), parcel.write(left))

    def put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def start(self) -> None:
        Deferred.fromCoroutine(self.pickup.start())

    def pass_second(self) -> None:
        self.clock.advance(EVERY_S)

    @property
    def pumps(self) -> Sequence[str]:
        return [read_apxml(event.body).value("pump") for event in self.store.events]

    @property
    def waiting(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("[0-9]*"))

    @property
    def refused(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "refused").glob("*"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "apclient")


def test_what_waits_is_fetched_in_order_and_removed(stage: Stage) -> None:
    """Mapped by the descriptor, and known by the key of the client."""
    for number in (3, 1, 2):
        stage.leave(number, f"P-{number}")
    stage.start()
    assert ["P-1", "P-2", "P-3"] == stage.pumps
    assert [] == stage.waiting
    event = stage.store.events[0]
    assert ("applications|pumps", BodyKind.APXML, "key-1", "apclient") == (
        event.service, event.kind, event.idempotency_key, event.peer
    )  # fmt: skip


def test_what_comes_later_is_fetched_within_a_second(stage: Stage) -> None:
    """The folder is looked at again and again."""
    stage.start()
    stage.leave(1, "P-1")
    stage.pass_second()
    assert ["P-1"] == stage.pumps
    stage.leave(2, "P-2")
    stage.pass_second()
    assert ["P-1", "P-2"] == stage.pumps


def test_a_file_stays_until_its_event_is_committed(stage: Stage) -> None:
    """A kill before the commit costs nothing; one after it makes no second event."""
    stage.store.held = []
    path = stage.leave(1, "P-1")
    stage.start()
    assert path.exists()
    stage.store.held.pop()()
    assert not path.exists()
    stage.leave(1, "P-1")
    stage.store.held = None
    stage.pass_second()
    assert ["P-1"] == stage.pumps
    assert [] == stage.waiting
    assert 1 == stage.counters.counts["pickup.repeated", ""]


def test_what_cannot_be_taken_now_holds_back_its_own_service_only(stage: Stage) -> None:
    """The order within a service stays."""
    stage.store.refuse = {"applications|pumps"}
    stage.leave(1, "P-1")
    stage.leave(2, "F-2", service="fans")
    stage.leave(3, "P-3")
    stage.start()
    assert (["F-2"], 2) == (stage.pumps, len(stage.waiting))
    stage.store.refuse = set()
    stage.pass_second()
    assert ["F-2", "P-1", "P-3"] == stage.pumps


def test_an_inactive_service_keeps_its_events_waiting(stage: Stage) -> None:
    """An operator will switch it on."""
    stage.leave(1, "A-1", service="asleep")
    stage.start()
    assert ([], 1, []) == (stage.pumps, len(stage.waiting), stage.refused)


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish",
        parcel.write(Submission(service="applications_none", content_type="application/json", body=b"{}", key="k")),
        parcel.write(Submission(service="applications_pumps", content_type="application/xml", body=b"<a/>", key="k")),
    ],
)
def test_what_can_never_be_taken_is_put_aside(stage: Stage, data: bytes) -> None:
    """It must not hold back what follows, and is not thrown away."""
    name = parcel.file_name(1, 1, "applications_pumps")
    stage.put(name, data)
    stage.leave(2, "P-2")
    stage.start()
    assert (["P-2"], [], [name]) == (stage.pumps, stage.waiting, stage.refused)
    assert data == (stage.folder / "refused" / name).read_bytes()


def test_links_and_pipes_are_not_read(stage: Stage, tmp_path: Path) -> None:
    """Other accounts may write into the folder."""
    secret = tmp_path / "secret"
    secret.write_bytes(parcel.write(of_values(("applications|pumps", "stolen"), key="k")))
    (stage.folder / parcel.file_name(1, 1, "applications_pumps")).symlink_to(secret)
    os.mkfifo(stage.folder / parcel.file_name(1, 1, "applications_fans"))
    stage.start()
    assert [] == stage.pumps
    assert 1 == len(stage.refused)


def test_half_written_files_of_killed_clients_are_removed_when_they_are_old(stage: Stage) -> None:
    """A young one is somebody's work."""
    path = stage.put(".1.parcel.tmp", b"half")
    written_us = int(path.stat().st_mtime * 1e6)
    stage.now_us = written_us + int(OLD_S * 1e6) - 10**6
    stage.start()
    assert path.exists()
    stage.now_us += 2 * 10**6
    stage.pass_second()
    assert not path.exists()


def test_clients_are_told_where_the_agent_listens(stage: Stage) -> None:
    """And again when it has changed."""
    note = stage.folder / parcel.NOTE
    stage.start()
    assert "http://127.0.0.1:1\n" == note.read_text()
    stage.entrance = Entrance(url="https://127.0.0.1:2", certificate="PEM")
    stage.pass_second()
    assert "https://127.0.0.1:2\nPEM" == note.read_text()


def test_stopping_waits_for_the_parcel_in_hand(stage: Stage) -> None:
    """And fetches no other one."""
    stage.store.held = []
    stage.leave(1, "P-1")
    stage.leave(2, "P-2")
    stage.start()
    stopped: list[Any] = []
    Deferred.fromCoroutine(stage.pickup.stop(1.0)).addCallback(stopped.append)
    assert [] == stopped
    stage.store.held.pop()()
    assert [None] == stopped
    assert (["P-1"], 1, []) == (stage.pumps, len(stage.waiting), stage.clock.getDelayedCalls())


def test_the_operator_is_told_as_long_as_there_is_something_to_do(stage: Stage) -> None:
    """What waits, with the reason; what was put aside, with the place."""
    stage.store.refuse = {"applications|pumps"}
    stage.leave(1, "P-1")
    stage.put(parcel.file_name(2, 1, "applications_none"), b"rubbish")
    stage.start()
    stage.pass_second()
    aside, waits = stage.pickup.warnings()
    assert aside.startswith("an event that apclient had kept cannot be taken; the log says why. They are in")
    assert waits.endswith("waits: The store is full.")
    stage.store.refuse = set()
    stage.pass_second()
    for name in stage.refused:
        (stage.folder / "refused" / name).unlink()
    stage.pass_second()
    assert [] == stage.pickup.warnings()


def test_the_note_can_be_read_by_a_group_that_shares_the_folder(stage: Stage) -> None:
    """And by nobody else."""
    stage.folder.chmod(0o770)
    stage.start()
    assert 0o640 == (stage.folder / parcel.NOTE).stat().st_mode & 0o777
