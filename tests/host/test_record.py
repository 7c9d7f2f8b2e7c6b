"""What became of events, on its way to a disk that refuses it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.boundaries import EventSettlement
from agent.delivery import Outcome
from agent.errors import MachineError
from agent.host.record import AGAIN_S, Record


class SlowSpool:
    """Answers when the test does so; `given` are the seqs in the order in which they came."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.open: dict[int, Deferred[None]] = {}

    def settle_event(self, settlement: EventSettlement) -> Deferred[None]:
        self.given.append(settlement.seq)
        self.open[settlement.seq] = Deferred()
        return self.open[settlement.seq]

    def refuse(self, seq: int) -> None:
        self.open.pop(seq).errback(MachineError("store-full", "the disk is full"))


def test_what_was_refused_is_repeated_in_the_order_in_which_it_was_handed_in() -> None:
    """Also what came while others were refused already, and whatever the wall clock says of it."""
    spool, clock = SlowSpool(), Clock()
    record = Record(service="applications|a", spool=spool, reactor=clock, room=lambda: None)  # type: ignore[arg-type]
    for seq in (1, 2):
        record.store(EventSettlement(seq=seq, outcome=Outcome.SUCCEED, begun_us=0, ended_us=100 - seq))
    spool.refuse(1)
    record.store(EventSettlement(seq=3, outcome=Outcome.SUCCEED, begun_us=0, ended_us=0))
    spool.refuse(2)
    clock.advance(AGAIN_S)
    assert [1, 2, 1, 2, 3] == spool.given
