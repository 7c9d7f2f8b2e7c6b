"""Newcomers of a service: which of them are taken into memory, and what it costs to leave the others."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from agent.delivery.order import Lineup
from agent.event import Event, Priority
from agent.host.backlog import Backlog
from tests.host.fakes import SERVICE, MemorySpool, event

SHARE = 250
"""So many of one group are in memory."""


class Bench:
    """A backlog over a spool that announces to it, with a look at what is begun."""

    def __init__(self) -> None:
        self.spool = MemorySpool()
        clock = Clock()
        self.backlog = Backlog(
            service=SERVICE, normal_threads=1, high_threads=1, spool=self.spool, reactor=clock, wake=lambda: None
        )
        self.spool.on_events(self.backlog.add)
        for _ in Priority:
            self.backlog.refill()

    def run(self) -> list[str]:
        """Work off everything; the ids in the order in which they were begun."""
        begun = []
        while True:
            self.backlog.refill()
            ticket = self.backlog.next()
            if ticket is None:
                return begun
            begun.append(ticket.item.stored.event.id)
            self.spool.rows.pop(ticket.seq)
            self.backlog.settled(ticket)


def events(count: int, group: str = "") -> list[Event]:
    return [event(f"{group}{number}", group=group) for number in range(count)]


def test_a_batch_that_is_left_on_disk_is_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not once for each of its events; all of them are read back when it is their turn."""
    bench = Bench()
    held, left = events(SHARE + 1, "held"), events(64, "held")
    bench.spool.put(*held)
    asked: list[int] = []
    leaves = Lineup.leaves
    monkeypatch.setattr(Lineup, "leaves", lambda *facts: asked.append(facts[-1]) or leaves(*facts))
    bench.spool.put(*left)
    assert [SHARE + 2] == asked
    assert [one.id for one in (*held, *left)] == bench.run()


def test_a_batch_is_left_only_where_all_of_it_is() -> None:
    """One of another group is taken in, between others that stay on disk."""
    bench = Bench()
    bench.spool.put(*events(SHARE + 1, "held"))
    before = len(bench.backlog)
    first, second = events(2, "held")
    bench.spool.put(first, event("free", group="free"), second)
    assert before + 1 == len(bench.backlog)
