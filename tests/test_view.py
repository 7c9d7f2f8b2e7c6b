"""The agent's own account of itself: warnings, counts that are not read twice a second, a status that always comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from agent.config import AgentConfig
from agent.config.model import LogLevel
from agent.errors import OperatorError, SenderError
from agent.observe.newest import Newest
from agent.recent import Happening, Lines, Wanted
from agent.view import LiveView, TlsState
from agent.view.live import SPOOL_KEPT_S, SPOOL_PATIENCE_S, TAIL_LOOK_S, apart

NOW_US = 1_753_876_800_000_000
"""2025-07-30 12:00 UTC."""


class Parts:
    """Host, courier, counters, spool and journal in one; writes down what it was asked."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.findings: list[str] = []
        self.services: list[dict[str, Any]] = [{"service": "a|x", "state": "active"}]
        self.dead = 0
        self.letters: list[dict[str, Any]] = []
        self.looks = 0
        self.orders: list[Any] = []
        self.failure: Exception | None = None
        self.refusing = False
        self.answer: Deferred[str] = succeed("")

    def describe(self) -> Sequence[Mapping[str, Any]]:
        return self.services

    def snapshot(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def counts(self) -> dict[str, Any]:
        self.looks += 1
        if self.failure:
            raise self.failure
        return {"services": {"a|x": {"dead": self.dead}}, "destinations": {}}

    def oldest(self) -> dict[str, Any]:
        return {"dead": "2025-07-30T10:00:00.000+00:00", "open": {"services": {"a|z": "2025-07-30T11:00:00.000+00:00"}}}

    def events(self, **filters: Any) -> list[dict[str, Any]]:
        return [filters]

    def take(self, service: str, body: bytes, content_type: str) -> Deferred[str]:
        self.orders.append(("take", service, body, content_type))
        return succeed("new")

    def again(self, event_id: str) -> Deferred[str]:
        self.orders.append(("again", event_id))
        return succeed("new")

    def dead_letters(self, **filters: Any) -> list[dict[str, Any]]:
        return [filters]

    def event(self, event_id: str) -> dict[str, Any] | None:
        return {"id": event_id}

    def body(self, letter_id: str) -> bytes | None:
        return letter_id.encode()

    def queues(self) -> dict[str, Any]:
        return {}

    def suspend(self, service: str, *, now: bool) -> Deferred[str]:
        self.orders.append(("suspend", service, now))
        return self.answer

    def resume(self, service: str) -> Deferred[str]:
        self.orders.append(("resume", service))
        return self.answer

    def restart(self, service: str) -> Deferred[str]:
        self.orders.append(("restart", service))
        return self.answer

    def refuse(self, service: str, *, is_refusing: bool) -> None:
        self.refusing = is_refusing

    def is_refusing(self, service: str) -> bool:
        return self.refusing

    @property
    def level(self) -> LogLevel:
        return LogLevel.WARN

    def set_level(self, level: LogLevel) -> None:
        self.orders.append(("level", level))

    def replay(self, ids: Sequence[str]) -> Deferred[int]:
        self.orders.append(("replay", ids))
        return succeed(len(ids))

    def dead_named(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        if self.failure:
            raise self.failure
        return [one for one in self.letters if one["id"] in ids]

    def purge(self, ids: Sequence[str]) -> Deferred[int]:
        self.dead = 0
        self.letters = [one for one in self.letters if one["id"] not in ids or one.get("stays")]
        return succeed(len(ids))

    def edit(self, letter_id: str, *, body: bytes) -> Deferred[int]:
        if self.failure:
            raise self.failure
        return succeed(int(letter_id == "1"))


class Bench:
    """A view over fakes, with a clock in the test's hand."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "var" / "spool").mkdir(parents=True)
        self.parts = Parts()
        self.newest = Newest(epoch=lambda: "e")
        self.clock = Clock()
        self.expiring: list[str] = []
        self.stuck: Deferred[Any] | None = None
        self.admin: Mapping[str, Any] | None = None
        self.kept: list[str] = []
        self.reloaded: Deferred[Mapping[str, object]] = succeed({"changes": []})
        self.view = LiveView(
            config=AgentConfig(
                home=PurePath(home),
                source=PurePath(home / "conf" / "iaconfig.xml"),
                agent_id="plant7",
                gateways=(),
                services=(),
                destinations=(),
            ),
            host=self.parts,
            courier=self.parts,
            gateways=(),
            spool=self.parts,
            orders=self.parts,
            journal=self.parts,
            counters=self.parts,
            now_us=lambda: NOW_US,
            clock=self.clock,
            in_thread=self._in_thread,
            ask_to_stop=lambda now: None,
            tls=TlsState(
                strangers=lambda: {"strangers": []},
                certificates=lambda: [{"subject": "CN=h"}],
                expiring=lambda: self.expiring,
            ),
            reload=self._reload,
            admin=lambda: self.admin,
            kept=lambda: self.kept,
            offering=self.parts,
            emptying=lambda service: succeed(7),
            insertion=self.parts,
            log=self.parts,
            newest=self.newest,
            address="192.0.2.10",
        )

    def _reload(self, service: str) -> Deferred[Mapping[str, object]]:
        self.parts.orders.append(("reload", service))
        return self.reloaded

    def _in_thread(self, function: Callable[[], Any]) -> Deferred[Any]:
        return self.stuck if self.stuck is not None else succeed(None).addCallback(lambda _: function())

    def status(self) -> Any:
        return result(Deferred.fromCoroutine(self.view.status()))


def result(deferred: Any) -> Any:
    found: list[Any] = []
    if not isinstance(deferred, Deferred):
        deferred = Deferred.fromCoroutine(deferred)
    deferred.addBoth(found.append)
    return found[0] if found else None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_status_counts_dead_letters(bench: Bench) -> None:
    """As a number for a monitoring script and as a sentence for a person."""
    bench.parts.dead = 2
    found = bench.status()
    assert {"events": 2, "requests": 0, "oldest": "2025-07-30T10:00:00.000+00:00"} == found["dead_letters"]
    assert '2 dead letters (2 events), the oldest for 2 h: look at "iadmin deadletter list"' in found["warnings"]


def test_the_most_urgent_warning_comes_first(bench: Bench) -> None:
    """A store that refuses, a service that does not run, dead letters, what waits."""
    bench.parts.troubles = ["the disk is full"]
    bench.parts.findings = ["the spool was damaged"]
    bench.parts.dead = 1
    bench.parts.services = [{"service": "a|x", "state": "failing"}]
    warnings = [each for each in bench.status()["warnings"] if "MiB" not in each]
    begins = ["the disk is full", "the spool was damaged", "a|x does", "1 dead letter", "a|z: 1 event"]
    assert begins == [each[: len(begin)] for each, begin in zip(warnings, begins, strict=True)]


def test_the_disk_is_asked_once_a_second(bench: Bench) -> None:
    """However many people watch; what was a second ago is asked anew."""
    for _ in range(5):
        bench.status()
    assert 1 == bench.parts.looks
    bench.clock.advance(SPOOL_KEPT_S)
    bench.status()
    assert 2 == bench.parts.looks


def test_a_purge_is_seen_at_once(bench: Bench) -> None:
    """Nobody is warned of what he has just mended."""
    bench.parts.dead = 3
    assert 3 == bench.status()["dead_letters"]["events"]
    assert 3 == result(bench.view.purge(["1", "2", "3"]))
    assert 0 == bench.status()["dead_letters"]["events"]


def test_a_spool_that_cannot_be_read_is_a_warning(bench: Bench) -> None:
    """The rest of the page is there all the same."""
    bench.parts.failure = OperatorError("spool-damaged", "the spool cannot be read")
    found = bench.status()
    assert ("the spool cannot be read", {}) == (found["warnings"][0], found["spool"])


def test_a_disk_that_hangs_does_not_keep_the_status(bench: Bench) -> None:
    """After a few seconds the page comes without counts, and says why."""
    bench.stuck = Deferred()
    coming = Deferred.fromCoroutine(bench.view.status())
    found: list[Any] = []
    coming.addCallback(found.append)
    bench.clock.advance(SPOOL_PATIENCE_S - 0.1)
    assert [] == found
    bench.clock.advance(0.2)
    assert "the disk did not answer within 5 s" in found[0]["warnings"][0]


def test_filters_and_orders_are_passed_on(bench: Bench) -> None:
    """Numbers become numbers; everything else is as it was asked."""
    found = result(bench.view.dead_letters({"limit": "7", "match": "x", "bodies": "true"}))
    assert [{"limit": 7, "match": "x", "bodies": True, "roads": False}] == found
    assert b"1/2" == result(bench.view.letter_body("1/2"))
    assert (2, [("replay", ["1", "2"])]) == (result(bench.view.replay(["1", "2"])), bench.parts.orders)
    assert (True, False) == (result(bench.view.edit("1", b"x")), result(bench.view.edit("2", b"x")))


def test_a_body_that_cannot_be_is_the_askers_fault(bench: Bench) -> None:
    """422 with the reason, not a fault of the agent."""
    bench.parts.failure = ValueError("the new body cannot be read")
    failure = result(bench.view.edit("1", b"<a>"))
    assert isinstance(failure.value, SenderError)
    assert (422, "the new body cannot be read") == (failure.value.status, failure.value.sentence)


def test_tls_is_passed_on_and_certificates_that_run_out_are_warned_of(bench: Bench) -> None:
    """The desk, the certificates and the reload are others' work; the warnings join the status."""
    assert {"strangers": []} == bench.view.strangers()
    assert [{"subject": "CN=h"}] == bench.view.certificates()
    assert {"changes": []} == result(bench.view.reload(""))
    bench.expiring.append("the certificate expires tomorrow")
    assert "the certificate expires tomorrow" in bench.status()["warnings"]
    bench.kept = ["what apclient kept cannot be taken"]
    assert "what apclient kept cannot be taken" in bench.status()["warnings"]


def test_orders_to_services_are_passed_on(bench: Bench) -> None:
    """A suspension decides about senders, too, and a resume lets them come again."""
    assert "" == result(bench.view.suspend("a|x", now=True, refuse=True))
    assert bench.status()["services"][0]["refusing"]
    assert "" == result(bench.view.resume("a|x"))
    assert not bench.status()["services"][0]["refusing"]
    assert "" == result(bench.view.restart("a|x"))
    assert [("suspend", "a|x", True), ("resume", "a|x"), ("restart", "a|x")] == bench.parts.orders
    assert 7 == result(bench.view.purge_service("a|x"))


def test_what_is_refused_changes_nothing_for_senders(bench: Bench) -> None:
    """The host does not know the service."""
    bench.parts.answer = fail(OperatorError("service-unknown", "no such"))
    assert isinstance(result(bench.view.suspend("a|q", now=False, refuse=True)), Failure)
    assert not bench.parts.refusing


def test_the_log_is_set_by_the_name_of_its_level(bench: Bench) -> None:
    """As the configuration writes it."""
    assert "warn" == bench.view.log_level()
    bench.view.set_log_level("debug")
    assert [("level", LogLevel.DEBUG)] == bench.parts.orders


def test_trouble_of_the_admin_gateway_is_warned_of(bench: Bench) -> None:
    """It keeps no agent from starting, so the status has to say it."""
    bench.admin = {"port": 8082, "trouble": "the admin gateway is not open: x"}
    found = bench.status()
    assert "the admin gateway is not open: x" in found["warnings"]
    assert 8082 == found["admin_gateway"]["port"]


def test_a_reload_goes_on_when_nobody_waits_for_it(bench: Bench) -> None:
    """The client has gone, or its time is over: half a reload would be worse than none."""
    bench.reloaded = Deferred()
    waiting = Deferred.fromCoroutine(_await(bench.view.reload("")))
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    bench.reloaded.callback({"changes": ["done"]})
    assert [("reload", "")] == bench.parts.orders


def test_apart_gives_results_and_failures() -> None:
    """To whoever is still there."""
    assert 3 == result(apart(succeed(3)))
    assert isinstance(result(apart(fail(ValueError("x")))), Failure)


async def _await(work: Any) -> Any:
    return await work


def test_the_disk_and_the_workers_memory_are_told(bench: Bench) -> None:
    """The spool's files are counted as they lie on the disk; a worker that is gone takes none."""
    (bench.home / "var" / "spool" / "spool.db").write_bytes(b"x" * 10_000)
    bench.parts.services = [{"service": "a|x", "state": "active", "pid": os.getpid()}, {"service": "a|y", "pid": None}]
    found = bench.status()
    assert found["disk"]["spool_bytes"] >= 10_000
    assert 0 < found["disk"]["free_bytes"] <= found["disk"]["total_bytes"]
    memory = [one["memory_bytes"] for one in found["services"]]
    assert memory[0] > 1_000_000 and memory[1] is None
    assert {"services": {"a|z": "2025-07-30T11:00:00.000+00:00"}} == found["oldest"]


def test_a_disk_that_cannot_be_asked_has_no_size(bench: Bench) -> None:
    """Null, and not 0, which would be a full one."""
    bench.parts.failure = OperatorError("spool-damaged", "the spool cannot be read")
    assert (None, {}) == (bench.status()["disk"], bench.status()["oldest"])


LINE = "2026-11-20T17:25:25.123+01:00 WARN  host - the valve is stuck\n"


def test_a_watcher_gets_what_comes_next(bench: Bench) -> None:
    """Within a moment after it was written; and what is there already, at once."""
    found: list[Any] = []
    Deferred.fromCoroutine(bench.view.tail("", Wanted(), wait_s=10)).addCallback(found.append)
    bench.clock.advance(1.0)
    assert [] == found
    bench.newest.put(Lines(LINE))
    bench.clock.advance(TAIL_LOOK_S)
    assert ["the valve is stuck"] == [one["text"] for one in found[0]["entries"]]
    bench.newest.tell([Happening(0, "id", "a|x", "", "dead", "no")])
    later = result(bench.view.tail(found[0]["next"], Wanted(), wait_s=10))
    assert (["no"], 0, False) == ([one["text"] for one in later["entries"]], later["lost"], later["more"])


def test_a_watcher_of_nothing_is_answered_when_his_time_is_over(bench: Bench) -> None:
    """With the place to go on from: what he does not want is behind him."""
    found: list[Any] = []
    wanted = Wanted(level="error", kinds=frozenset({"log"}))
    Deferred.fromCoroutine(bench.view.tail("", wanted, wait_s=3)).addCallback(found.append)
    bench.newest.put(Lines(LINE))
    bench.clock.pump([TAIL_LOOK_S] * 17)
    assert [{"next": "e.1", "lost": 0, "more": False, "entries": []}] == found


def test_a_watcher_does_not_keep_the_agent(bench: Bench) -> None:
    """Once it stops, he is answered."""
    found: list[Any] = []
    Deferred.fromCoroutine(bench.view.tail("", Wanted(), wait_s=10)).addCallback(found.append)
    bench.view.stopping()
    bench.clock.advance(TAIL_LOOK_S)
    assert [] == found[0]["entries"]


def letters() -> list[dict[str, Any]]:
    return [
        {"id": "e", "service": "a|x", "destination": ""},
        {"id": "e/1", "service": "a|x", "destination": "out"},
        {"id": "f", "service": "a|x", "destination": "", "stays": True},
    ]


def told(bench: Bench) -> list[tuple[object, ...]]:
    """What those who watch have seen."""
    since = datetime.fromtimestamp(0, UTC)
    return [
        tuple(one[key] for key in ("event_id", "service", "destination", "state", "text"))
        for one in bench.newest.read("", Wanted(since=since)).entries
    ]


def test_who_watches_sees_what_the_operator_deletes(bench: Bench) -> None:
    """With whose it was; not what has stayed, and not what was never there."""
    bench.parts.letters = letters()
    result(bench.view.purge(["e", "e/1", "f", "nothing"]))
    assert [
        ("e", "a|x", "", "purged", "deleted by the operator"),
        ("e/1", "a|x", "out", "purged", "deleted by the operator"),
    ] == told(bench)


def test_who_watches_sees_what_the_operator_replays(bench: Bench) -> None:
    """The requests: that an event is received again, its host tells."""
    bench.parts.letters = letters()
    result(bench.view.replay(["e", "e/1"]))
    assert [("e/1", "a|x", "out", "received", "replayed by the operator")] == told(bench)


def test_orders_are_carried_out_unseen(bench: Bench) -> None:
    """Where it cannot be read whose they are."""
    bench.parts.failure = OperatorError("spool-damaged", "the spool cannot be read")
    assert (2, []) == (result(bench.view.replay(["1", "2"])), told(bench))


def test_events_are_put_in(bench: Bench) -> None:
    """New ones, and what was done once more."""
    assert ("new", "new") == (result(bench.view.put_in("a|x", b"<a/>", "")), result(bench.view.repeat("old")))
    assert [("take", "a|x", b"<a/>", ""), ("again", "old")] == bench.parts.orders
