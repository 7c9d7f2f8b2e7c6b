"""The stranger desk: what it writes into the log, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from agent.gateway.desk import DAY_S, MOST_PEERS, QUIET_S, SAVE_S, StrangerDesk
from agent.wire.hello import ClientHello
from agent.wire.misuse import Cause, Misuse
from agent.wire.strangers import CHECK_PROTOCOL
from tests.support.twisted_results import result_of


class Office:
    """A desk with a clock in the test's hand; each `seconds` is also the wall clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.desk = self.open()

    def open(self) -> StrangerDesk:
        desk = StrangerDesk(
            path=self.path,
            reactor=self.clock,
            now_us=lambda: 1_763_640_000_000_000 + int(self.clock.seconds() * 1_000_000),
            in_thread=self._at_once,
        )
        result_of(Deferred.fromCoroutine(desk.start()))
        return desk

    def close(self) -> None:
        result_of(Deferred.fromCoroutine(self.desk.stop(1.0)))

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)

    @staticmethod
    def _at_once(work: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(work)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "var" / "strangers.json")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    def observer(event: LogEvent) -> None:
        if event.get("log_namespace") == "gateway":
            found.append(f"{event['log_level'].name} {formatEvent(event)}")

    globalLogPublisher.addObserver(observer)
    yield found
    globalLogPublisher.removeObserver(observer)


def seen(cause: Cause = Cause.PLAINTEXT, peer: str = "10.2.3.4") -> Misuse:
    return Misuse(peer=peer, port=8081, expects_tls=True, cause=cause, first_line="POST /http/a_b", host="h.example")


def test_the_first_is_told_at_once_the_others_in_one_line_a_minute(office: Office, lines: list[str]) -> None:
    """However often a peer knocks; and what was held back is told also when it stops knocking."""
    for _ in range(500):
        office.desk(seen())
    assert 1 == len(lines)
    assert "Unrecognized SSL message, plaintext connection? 10.2.3.4" in lines[0] and lines[0].startswith("warn")
    office.wait(QUIET_S - 10)
    assert 1 == len(lines)
    office.wait(20)
    assert 2 == len(lines)
    assert "(499 such connections of this peer since the last line)" in lines[1]
    office.wait(10 * QUIET_S)
    assert 2 == len(lines)
    office.desk(seen())
    assert 3 == len(lines)


def test_another_peer_has_a_line_of_its_own(office: Office, lines: list[str]) -> None:
    """Nobody hides behind somebody else's noise; the same minute holds another cause back."""
    office.desk(seen())
    office.desk(seen(peer="2001:db8::1"))
    office.desk(seen(Cause.EXPIRED))
    assert 2 == len(lines)
    office.wait(QUIET_S + 10)
    assert "for its dates" in lines[2]


def test_health_checks_are_told_once_a_day(office: Office, lines: list[str]) -> None:
    """They come every five seconds, and they do not silence a real fault of the same machine."""
    for _ in range(20):
        office.desk(seen(Cause.LEFT))
        office.wait(5)
    assert 1 == len(lines) and lines[0].startswith("info")
    office.desk(seen())
    assert 2 == len(lines)
    office.clock.advance(DAY_S)
    office.wait(10)
    assert "(19 such connections" in lines[-1]


def test_a_flood_from_everywhere_is_one_line_a_minute(office: Office, lines: list[str]) -> None:
    """More peers than are held one by one."""
    for number in range(MOST_PEERS + 300):
        office.desk(seen(peer=f"2001:db8::{number:x}"))
    assert MOST_PEERS == len(lines)
    office.wait(10)
    assert "warn 300 connections of further peers failed or were misused; see: iadmin tls strangers" == lines[-1]


def test_the_book_is_written_and_read_again(office: Office) -> None:
    """What happened before a restart, or before a kill some seconds later, is still on the page."""
    office.desk(seen())
    office.wait(SAVE_S + 10)
    after_kill = office.open()
    assert ["10.2.3.4"] == [one["peer"] for one in after_kill.document()["strangers"]]
    office.desk(seen(peer="::1"))
    office.close()
    assert 2 == len(office.open().document()["strangers"])
    assert 0o600 == office.path.stat().st_mode & 0o777
    assert [office.path] == list(office.path.parent.iterdir())


def test_a_damaged_book_does_not_keep_the_agent_from_starting(office: Office, lines: list[str]) -> None:
    """It begins anew, and says so."""
    office.path.parent.mkdir(exist_ok=True)
    office.path.write_bytes(b"{")
    assert [] == office.open().document()["strangers"]
    assert "warn" in lines[-1] and "begins anew" in lines[-1]


def test_a_disk_that_refuses_is_one_warning_and_no_more(office: Office, lines: list[str]) -> None:
    """The desk goes on; nothing is raised."""
    office.path.parent.mkdir(parents=True, exist_ok=True)
    office.path.mkdir()
    (office.path / "x").touch()
    office.desk(seen())
    office.wait(SAVE_S + 10)
    assert "cannot be written" in lines[-1]
    assert [office.path] == list(office.path.parent.iterdir())


def test_trials_of_our_own_check_leave_no_trace(office: Office, lines: list[str]) -> None:
    """Neither a line nor an entry: the page is about others."""
    hello = ClientHello(alpn=(CHECK_PROTOCOL, "http/1.1"))
    office.desk(attrs.evolve(seen(Cause.NO_SHARED_VERSION, peer="127.0.0.1"), hello=hello))
    assert [] == lines
    assert [] == office.desk.document()["strangers"]
