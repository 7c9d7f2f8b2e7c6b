"""One destination's queue, worked off in order.

The order is that of `agent.delivery.Lineup`: requests of one process group one after the other, groups beside one
another up to the destination's concurrency. Each attempt ends in one of four ways:

1. The far end took it: settled as done, with the answer. The next of its group need not wait for that to be on disk.
2. It failed and shall be tried again: settled as waiting, with the time. It holds back its own group only.
3. It failed for good: settled as dead, with the answer and the reason.
4. It was cancelled, because the agent stops: nothing is settled, and the spool offers it again at the next start.

A settlement that the spool cannot store is repeated until it can, and meanwhile each group waits for its own: see
`agent.upstream.settling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.boundaries import RequestSettlement, Spool, StoredRequest, WorkShare
from agent.config.model import RetryPolicy
from agent.delivery import Outcome, State
from agent.delivery.order import Lineup, Refill, Ticket
from agent.delivery.share import Unshared
from agent.upstream.attempts import Attempts
from agent.upstream.gate import Gate
from agent.upstream.health import Health, Verdict
from agent.upstream.sender import Sender
from agent.upstream.settling import Settling

log = Logger(namespace="upstream")

REFILL_PAUSE_S: Final = 5.0
"""Before a read that failed is tried again."""

ONLY_PRIORITY: Final = 0


class Lane:
    """The queue of one destination. `now_us` is the wall clock, for stamps; pauses and ages are the reactor's."""

    def __init__(
        self,
        *,
        name: str,
        sender: Sender,
        policy: RetryPolicy,
        spool: Spool,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        gate: Gate,
        health: Health,
        is_hasty: bool = False,
    ) -> None:
        """`is_hasty`: what already waits is due at once, because what it waited for may be mended."""
        self._name: Final = name
        self._gate = gate
        self._sender = sender
        self._attempts = Attempts(sender=sender, policy=policy, gate=gate, reactor=reactor, jitter=jitter)
        self._spool = spool
        self._settling = Settling(name=name, spool=spool, reactor=reactor)
        self._reactor = reactor
        self._now_us = now_us
        self._health = health
        self._is_hasty: Final = is_hasty
        self._lineup: Lineup[_Job] = Lineup(threads={ONLY_PRIORITY: sender.concurrency})
        self._in_hand: dict[int, Deferred[None]] = {}
        self._reading: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._paused_until_s = 0.0
        self._is_held = False
        self._is_open = False
        self._share: WorkShare = Unshared()
        self._idle: list[Deferred[None]] = []
        self._is_going_on = False
        self._is_asked_again = False
        self._read_from_s = 0.0
        self._coming_back = 0

    def open(self, share: WorkShare) -> None:
        """Begin to send, each request when `share` says so; the first thing is to read what the spool still has."""
        self._share = share
        self._is_open = True
        self._go_on()

    @property
    def in_hand(self) -> int:
        """How many requests are being sent; what is only still to be settled is none of them."""
        return len(self._in_hand) - self._settling.ahead

    @property
    def is_held(self) -> bool:
        """Whether the operator has paused it."""
        return self._is_held

    def hold(self, is_held: bool) -> None:
        """The operator's pause: while it is held, nothing more is begun. What is in hand goes on."""
        self._is_held = is_held
        self._go_on()

    def offer(self, requests: Sequence[StoredRequest]) -> None:
        """Take in what has just been stored for this destination, in order."""
        self._health.pace.came(len(requests))
        if not self._is_open:
            return
        for request in requests:
            self._lineup.add(self._ticket(request))
        self._go_on()

    async def close(self, patience_s: float) -> None:
        """Begin nothing more, wait for what is in hand, give up on the rest, and let go of the connections.

        A second call with less patience hurries the first.
        """
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading is not None:
            self._reading.cancel()
        if self._in_hand:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            hurry = self._reactor.callLater(patience_s, self._give_up)
            await idle
            if hurry.active():
                hurry.cancel()
        await self._sender.close()

    def describe(self) -> dict[str, object]:
        """The lane as `iadmin status` shows it.

        `backlog` counts what is in memory, more may be in the spool; `last_success` is ISO 8601 with zone, or None.
        """
        return {
            "destination": self._name,
            "kind": self._sender.kind,
            "target": self._sender.target,
            "paused": self._is_held,
            "circuit": self._gate.state.value,
            "backlog": len(self._lineup),
            "in_hand": self.in_hand,
            "last_success": self._health.last_success,
            "last_error": self._health.last_error,
            "last_minute": self._health.pace.describe(),
        }

    def _ticket(self, request: StoredRequest) -> Ticket[_Job]:
        now_s, due_s = self._reactor.seconds(), 0.0
        # What this lane postpones itself stays in memory: a pause that is read back is from before it.
        if request.left_s and not self._is_hasty:
            due_s = now_s + request.left_s
            if self._sender.keeps_order:
                self._paused_until_s = max(self._paused_until_s, due_s)
                due_s = 0.0
        return Ticket(
            seq=request.seq,
            priority=ONLY_PRIORITY,
            # A sender that keeps the order itself gets everything at once: each request is a group of its own.
            group=str(request.seq) if self._sender.keeps_order else request.group,
            item=_Job(request, now_s - request.age_s),
            size_bytes=len(request.request.body),
            due_s=due_s,
        )

    def _go_on(self) -> None:
        """Begin what can be begun, read on where memory has room, and see to it that somebody wakes us."""
        if self._is_going_on:
            # A request that ends while it is being begun comes back here; the loop below looks again.
            self._is_asked_again = True
            return
        self._is_going_on = True
        self._is_asked_again = True
        try:
            with self._share.meter:
                while self._is_asked_again and self._is_open:
                    self._is_asked_again = False
                    while (ticket := self._next()) is not None:
                        self._begin(ticket.item)
                    self._read_on()
        finally:
            self._is_going_on = False
        self._set_timer()

    def _next(self) -> Ticket[_Job] | None:
        """What is to be begun now."""
        now_s = self._reactor.seconds()
        if not self._may_begin() or not self._lineup.has_next(now_s):
            return None
        if not self._share.may_begin():
            self._share.wait(self._go_on)
            return None
        return self._lineup.next(now_s)

    def _may_begin(self) -> bool:
        now_s = self._reactor.seconds()
        if self._is_held or self._coming_back or now_s < self._paused_until_s:
            return False
        return self._gate.lets_through(self.in_hand)

    def _set_timer(self) -> None:
        """Wake up when the first postponed request is due, or a pause ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_open:
            return
        now_s = self._reactor.seconds()
        # A request that is due but finds all connections busy is begun when one of them ends: no timer for it.
        times = [at_s for at_s in (self._lineup.next_due_s(), self._paused_until_s, self._read_from_s) if at_s]
        if len(self._lineup):
            times += self._gate.waits_for(now_s)
        later = [at_s for at_s in times if at_s > now_s]
        if later:
            self._timer = self._reactor.callLater(min(later) - now_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._go_on()

    def _read_on(self) -> None:
        if self._reading is not None or self._reactor.seconds() < self._read_from_s:
            return
        refill = self._lineup.next_refill()
        if refill is None:
            return
        reading = Deferred.fromCoroutine(self._read(refill))
        self._reading = reading
        reading.addErrback(lambda failure: log.failure("cannot read on for {name}", failure, name=self._name))
        reading.addCallback(lambda _: self._has_read())

    async def _read(self, refill: Refill) -> None:
        try:
            found = await self._spool.open_requests(
                self._name,
                after_seq=refill.after_seq,
                limit=refill.limit,
                group=refill.group,
                except_groups=refill.except_groups,
            )
        except BaseException as error:
            self._lineup.refill_failed()
            self._read_from_s = self._reactor.seconds() + REFILL_PAUSE_S
            if not isinstance(error, CancelledError):
                raise
            return
        self._lineup.refill([self._ticket(request) for request in found])

    def _has_read(self) -> None:
        self._reading = None
        self._go_on()

    def _begin(self, job: _Job) -> None:
        request = job.request
        self._spool.began_request(request.seq)
        self._gate.began()
        attempt = Deferred.fromCoroutine(self._work(job))
        self._in_hand[request.seq] = attempt
        attempt.addErrback(lambda failure: log.failure("a request of {name} went astray", failure, name=self._name))
        attempt.addCallback(lambda _: self._put_down(request.seq))

    def _put_down(self, seq: int) -> None:
        del self._in_hand[seq]
        if not self._in_hand:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)
        self._go_on()

    def _give_up(self) -> None:
        log.warn(
            "{name}: {count} requests did not end in time; they are sent again at the next start",
            name=self._name,
            count=len(self._in_hand),
        )
        for attempt in list(self._in_hand.values()):
            attempt.cancel()

    async def _work(self, job: _Job) -> None:
        request = job.request
        begun_us = self._now_us()
        attempt = request.attempt + 1
        is_coming_back = False
        try:
            verdict = self._in_order(await self._attempts.make(request, attempt, born_s=job.born_s))
            # Whoever keeps the order must not be given a later request before this one is back in the queue.
            is_coming_back = self._sender.keeps_order and verdict.outcome is Outcome.POSTPONE
            self._coming_back += is_coming_back
            ended_us = self._now_us()
            # Whoever keeps the order pauses as a whole, so that what failed together comes back in its order.
            again_s = self._reactor.seconds() + (0.0 if self._sender.keeps_order else verdict.pause_s)
            self._health.tell(request, verdict, attempt=attempt, began_us=begun_us, now_us=ended_us)
            stored = self._settling.settle(_settlement(request, verdict, begun_us=begun_us, ended_us=ended_us))
            is_left_behind = self._may_leave_behind(verdict, stored)
            if not is_left_behind:
                await stored
        except CancelledError:
            self._lineup.postponed(request.seq, due_s=self._reactor.seconds())
            return
        except Exception:
            # The group goes on; this request is offered again after a restart.
            self._lineup.settled(request.seq)
            raise
        finally:
            self._coming_back -= is_coming_back
        if is_left_behind:
            await self._leave_behind(request.seq, stored)
        elif verdict.outcome is Outcome.POSTPONE:
            again = attrs.evolve(request, state=State.WAITING, attempt=attempt)
            self._lineup.postponed(request.seq, due_s=again_s, item=_Job(again, job.born_s))
        else:
            self._lineup.settled(request.seq)

    def _may_leave_behind(self, verdict: Verdict, stored: Deferred[None]) -> bool:
        if verdict.outcome is not Outcome.SUCCEED or stored.called:
            return False
        # Whoever keeps the order gets many of a group at a time anyway, and knows how many of them a kill can repeat.
        return not self._sender.keeps_order and self._settling.may_be_left_behind

    async def _leave_behind(self, seq: int, stored: Deferred[None]) -> None:
        """Let the group go on, and wait for the disk here."""
        self._settling.ahead += 1
        try:
            self._lineup.settled(seq)
            self._go_on()
            with suppress(CancelledError):
                await stored
        finally:
            self._settling.ahead -= 1

    def _in_order(self, verdict: Verdict) -> Verdict:
        """One pause for all that failed together, where the sender keeps the order: so they keep it."""
        if not self._sender.keeps_order or verdict.outcome is not Outcome.POSTPONE:
            return verdict
        now_s = self._reactor.seconds()
        if self._paused_until_s <= now_s:
            self._paused_until_s = now_s + verdict.pause_s
        return attrs.evolve(verdict, pause_s=self._paused_until_s - now_s)


@attrs.frozen
class _Job:
    """A request in the line-up; `born_s` is when its age was nothing, on the reactor's clock."""

    request: StoredRequest
    born_s: float


def _settlement(request: StoredRequest, verdict: Verdict, *, begun_us: int, ended_us: int) -> RequestSettlement:
    return RequestSettlement(
        seq=request.seq,
        outcome=verdict.outcome,
        begun_us=begun_us,
        ended_us=ended_us,
        answer=verdict.answer,
        reason=verdict.reason,
        due_us=ended_us + int(verdict.pause_s * 1e6) if verdict.outcome is Outcome.POSTPONE else 0,
    )
