"""The account that is kept of a service's work: counters, the rates of the last minute, the log, and who watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.boundaries import EventSettlement
from agent.delivery import Outcome, State, next_state
from agent.host.edges import Edges
from agent.host.messages import EventCall, Result, Verdict
from agent.host.telling import tell_failed, told_good
from agent.recent import Alike, Happening, Pace

ROOM: Final = "host"


class Account:
    """Of one service. `pace` is that of the one whose place it takes."""

    def __init__(self, service: str, edges: Edges, *, pace: Pace | None = None) -> None:
        self._service: Final = service
        self._edges = edges
        self.pace: Final = pace or Pace(seconds=edges.reactor.seconds)

    def came(self, ids: Sequence[str]) -> None:
        """These events are stored for it."""
        self.pace.came(len(ids))
        at_us = self._edges.now_us()
        self._edges.entries.tell(Alike(at_us=at_us, ids=ids, service=self._service, state=State.RECEIVED.label))

    def asked(self) -> None:
        """A sender asks it."""
        self.pace.came()

    def begun(self, call: EventCall) -> None:
        """An event is in its hands."""
        attempt = f"attempt {call.attempt}"
        happening = self._happening(call.id, State.CLAIMED, attempt)
        self._edges.entries.note(ROOM, call.id, f"handed to {self._service}, {attempt}", happening)

    def answered(self, result: Result, begun_us: int) -> None:
        """A sender that asked it has got its answer."""
        self.pace.ended(took_us=self._edges.now_us() - begun_us, is_good=result.verdict is Verdict.DONE)

    def settled(self, event_id: str, settled: EventSettlement, *, next_start_s: float) -> None:
        """What became of one attempt at an event. `next_start_s`: as in `tell_failed`."""
        self._edges.counters.count(f"host.{settled.outcome.name.lower()}", self._service)
        is_good = settled.outcome in (Outcome.SUCCEED, Outcome.SUPPRESS)
        took_us = settled.ended_us - settled.begun_us
        self.pace.ended(took_us=took_us, is_good=is_good)
        state = next_state(State.CLAIMED, settled.outcome)
        shown = settled.reason or f"{took_us / 1000:.1f} ms, requests: {len(settled.requests)}"
        happening = self._happening(event_id, state, shown)
        if is_good:
            self._edges.entries.note(ROOM, event_id, told_good(self._service, settled), happening)
            return
        self._edges.entries.enter()
        tell_failed(self._service, event_id, settled, next_start_s=next_start_s)
        self._edges.entries.tell((happening,))

    def catch_up(self) -> None:
        """Something else is told of the service: what was told of its events comes before it."""
        self._edges.entries.enter()

    def _happening(self, event_id: str, state: State, text: str) -> Happening:
        return Happening(self._edges.now_us(), event_id, self._service, "", state.label, text)
