"""A spool in memory for those who work requests off: tells listeners, answers reads, notes settlements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred, fail, succeed

from agent.boundaries import RequestSettlement, StoredRequest
from agent.delivery import OPEN_STATES, OutboundRequest, Outcome, State, next_state


class FakeSpool:
    """Settlements are checked against the table of `agent.delivery.life`.

    `faults`: raised by the next settlements, one each. `reads`: the keywords of every read. `held`: when it is a list,
    settlements wait in it until the test fires them.
    """

    def __init__(self) -> None:
        self.requests: dict[int, StoredRequest] = {}
        self.settlements: list[RequestSettlement] = []
        self.faults: list[Exception] = []
        self.reads: list[dict[str, object]] = []
        self.held: list[Deferred[None]] | None = None
        self.began: list[int] = []
        self._listeners: list[Callable[[Sequence[StoredRequest]], None]] = []

    def put(self, destination: str = "out", *, group: str = "", body: bytes = b"{}", **fields: object) -> StoredRequest:
        """Store a request without telling anybody, as if it were from an earlier run."""
        seq = len(self.requests) + 1
        sent = {name: fields.pop(name) for name in ("path", "method", "headers", "content_type") if name in fields}
        request = StoredRequest(
            seq=seq,
            id=f"event-{seq}/1",
            event_seq=seq,
            service="applications|sample-plan",
            group=group,
            request=OutboundRequest(destination=destination, body=body, **sent),
            **fields,
        )
        self.requests[seq] = request
        return request

    def tell(self, *requests: StoredRequest) -> None:
        """Tell the listeners about a batch."""
        for listener in self._listeners:
            listener(requests)

    def store(self, *args: object, **fields: object) -> StoredRequest:
        """Store one request and tell the listeners."""
        request = self.put(*args, **fields)
        self.tell(request)
        return request

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        self._listeners.append(listener)

    def open_requests(
        self,
        destination: str,
        *,
        after_seq: int,
        limit: int,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Deferred[Sequence[StoredRequest]]:
        self.reads.append({"after_seq": after_seq, "limit": limit, "group": group, "except_groups": except_groups})
        found = [
            request
            for request in self.requests.values()
            if request.request.destination == destination
            and request.seq > after_seq
            and request.state in OPEN_STATES
            and group in (None, request.group)
            and request.group not in except_groups
        ]
        return succeed(found[:limit])

    def open_destinations(self) -> Deferred[Mapping[str, int]]:
        found = Counter(one.request.destination for one in self.requests.values() if one.state in OPEN_STATES)
        return succeed(found)

    def began_request(self, seq: int) -> None:
        self.began.append(seq)

    def settle_request(self, settlement: RequestSettlement) -> Deferred[None]:
        if self.faults:
            return fail(self.faults.pop(0))
        request = self.requests[settlement.seq]
        claimed = next_state(request.state, Outcome.CLAIM)
        self.requests[settlement.seq] = attrs.evolve(
            request,
            state=next_state(claimed, settlement.outcome),
            attempt=request.attempt + 1,
            left_s=max(0, settlement.due_us - settlement.ended_us) / 1e6 if settlement.due_us else 0.0,
        )
        self.settlements.append(settlement)
        if self.held is None:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self.held.append(waiting)
        return waiting

    def states(self) -> list[State]:
        """The states of all requests, in order of seq."""
        return [request.state for request in self.requests.values()]
