"""agent.gateway.proofs: passwords are checked one at a time, the places by turns."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher

from agent.gateway.proofs import MAX_OF_PLACE, MAX_WAITING, Proofs


class Threads:
    """Does the work when it is told to."""

    def __init__(self) -> None:
        self.work: list[tuple[Callable[[], bool], Deferred[bool]]] = []

    def __call__(self, work: Callable[[], bool]) -> Deferred[bool]:
        result: Deferred[bool] = Deferred()
        self.work.append((work, result))
        return result

    def run(self) -> None:
        """All that is there, and what that brings with it."""
        while self.work:
            ((work, result),) = self.work
            self.work = []
            try:
                result.callback(work())
            except Exception as error:
                result.errback(error)


class Desk:
    """Asks for checks and writes down what it is told."""

    def __init__(self) -> None:
        self.threads = Threads()
        self.proofs = Proofs(self.threads)
        self.told: list[tuple[str, bool | None]] = []

    def ask(self, place: str, digest: bytes, *, right: bool = True, wanted: bool = True) -> bool:
        return self.proofs.ask(
            place,
            digest,
            is_right=lambda: right,
            is_wanted=lambda: wanted,
            told=lambda result: self.told.append((f"{place}-{digest.decode()}", result)),
        )


def test_one_at_a_time_and_by_turns() -> None:
    """Whoever fills his line waits for himself; a newcomer from elsewhere comes next."""
    desk = Desk()
    for number in range(4):
        assert desk.ask("a", b"%d" % number)
    assert desk.ask("b", b"x", right=False)
    assert 1 == len(desk.threads.work)
    desk.threads.run()
    assert [("a-0", True), ("b-x", False), ("a-1", True), ("a-2", True), ("a-3", True)] == desk.told


def test_the_same_credentials_are_checked_once() -> None:
    """A sender that opens 64 connections at once costs one check."""
    desk = Desk()
    for _ in range(64):
        assert desk.ask("a", b"0")
    desk.threads.run()
    assert [("a-0", True)] * 64 == desk.told


def test_what_is_not_wanted_any_more_costs_nothing() -> None:
    """The account was held up while this waited for its turn."""
    desk = Desk()
    desk.ask("a", b"0")
    desk.ask("a", b"1", wanted=False)
    desk.threads.run()
    assert [("a-0", True), ("a-1", None)] == desk.told


def test_lines_are_bounded() -> None:
    """Each place has its share, and all together have theirs; what is over is told at once."""
    desk = Desk()
    assert [True] * (MAX_OF_PLACE + 1) + [False] == [desk.ask("a", b"%d" % n) for n in range(MAX_OF_PLACE + 2)]
    taken = [desk.ask(f"p{n}", b"p%d" % n) for n in range(MAX_WAITING)]
    assert MAX_WAITING - MAX_OF_PLACE - 1 == sum(taken)


def test_a_check_that_fails_is_a_no() -> None:
    """It is logged, and the next one goes on."""
    desk = Desk()
    lines: list[LogEvent] = []
    globalLogPublisher.addObserver(lines.append)
    try:
        desk.proofs.ask(
            "a", b"0", is_right=lambda: 1 // 0 > 0, is_wanted=lambda: True, told=lambda r: desk.told.append(("a", r))
        )
        desk.ask("a", b"1")
        desk.threads.run()
    finally:
        globalLogPublisher.removeObserver(lines.append)
    assert [("a", False), ("a-1", True)] == desk.told
    assert ["a password could not be checked"] == [line["log_format"] for line in lines]
