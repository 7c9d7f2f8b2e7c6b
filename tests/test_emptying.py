"""`iadmin purge`: what waits for a suspended service is deleted, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed

from agent.boundaries import EventSettlement, StoredEvent
from agent.delivery import Outcome
from agent.emptying import REASON, Emptying
from agent.errors import OperatorError
from agent.event import Event
from agent.recent import Happening
from tests.spool.support import event as make_event
from tests.support.twisted_results import failure_of, result_of

NOW_US = 1_000_000


@attrs.define
class Site:
    """Spool and host in one."""

    waiting: list[StoredEvent] = attrs.field(factory=list)
    state: str = "suspended"
    done: list[Any] = attrs.field(factory=list)

    def open_events(self, service: str, *, after_seq: int, limit: int) -> Deferred[Sequence[StoredEvent]]:
        return succeed([one for one in self.waiting if one.seq > after_seq][:2])

    def began_event(self, seq: int) -> None:
        self.done.append(("began", seq))

    def settle_event(self, settlement: EventSettlement) -> Deferred[None]:
        self.done.append((settlement.outcome, settlement.seq, settlement.reason))
        return succeed(None)

    def purge(self, ids: Sequence[str]) -> Deferred[int]:
        self.done.append(("purged", tuple(ids)))
        return succeed(len(ids))

    def tell(self, happenings: Sequence[Happening]) -> None:
        self.done += [("told", one.event_id, one.state, one.text) for one in happenings]

    def describe(self) -> Sequence[Mapping[str, Any]]:
        return [{"service": "a|x", "state": self.state}]

    def restart(self, service: str) -> Deferred[str]:
        self.done.append("restarted")
        return succeed("")

    def run(self, service: str = "a|x") -> Deferred[int]:
        emptying = Emptying(spool=self, orders=self, services=self, feed=self, now_us=lambda: NOW_US)
        return Deferred.fromCoroutine(emptying(service))


def stored(seq: int, received_us: int = 0) -> StoredEvent:
    event: Event = make_event(seq)._replace(id=f"id-{seq}", received_us=received_us)
    return StoredEvent(seq=seq, event=event)


def test_everything_that_waited_goes_page_by_page() -> None:
    """Given up with the operator as the reason, then deleted; the worker forgets its backlog."""
    site = Site(waiting=[stored(1), stored(2), stored(3)])
    assert 3 == result_of(site.run())
    assert ("began", 1) == site.done[0]
    assert (Outcome.GIVE_UP, 1, REASON) in site.done
    assert [("purged", ("id-1", "id-2")), ("purged", ("id-3",))] == [one for one in site.done if one[0] == "purged"]
    assert [("told", f"id-{n}", "purged", REASON) for n in (1, 2, 3)] == [one for one in site.done if one[0] == "told"]
    assert "restarted" == site.done[-1]


def test_what_arrives_meanwhile_stays() -> None:
    """The operator has not seen it when saying yes."""
    site = Site(waiting=[stored(1), stored(2, received_us=NOW_US + 1)])
    assert 1 == result_of(site.run())
    assert not [one for one in site.done if one in (("began", 2), ("purged", ("id-2",)))]


def test_only_a_service_at_rest() -> None:
    """An active one may have in hand what would be deleted under it; an inactive one has no worker to restart."""
    site = Site(state="active")
    failure = failure_of(site.run())
    assert isinstance(failure, OperatorError)
    assert "iadmin suspend 'a|x'" in str(failure)
    assert "service-unknown" == failure_of(site.run("a|q")).code
    assert [] == site.done
    site = Site(state="inactive", waiting=[stored(1)])
    assert 1 == result_of(site.run())
    assert "restarted" not in site.done
