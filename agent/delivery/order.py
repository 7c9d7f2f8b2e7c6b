"""The line-up of one service: which event is begun next. In memory, pure, no clock.

How a host drives it (all calls in one thread; times are seconds on any clock that only goes forward):

    lineup = Lineup[StoredEvent](threads={Priority.NORMAL: 3, Priority.HIGH: 3})

    lineup.add(Ticket(seq=..., ...))           each event that the spool announces, in order of seq, without gaps
    lineup.has_next(now_s) -> bool             whether there is one to begin
    lineup.next(now_s) -> Ticket | None        begin this one; ask again until it says None
    lineup.settled(seq)                        it came to an end (done, suppressed, dead)
    lineup.postponed(seq, due_s=, item=)       try again from `due_s` on (now: it was interrupted)
    lineup.next_due_s() -> float | None        nothing postponed is due before this: when to call `next` again

    lineup.next_refill() -> Refill | None      read this from the spool, then one of the two:
    lineup.refill(tickets)                     what the read gave, in order; nothing at all means the end was reached
    lineup.refill_failed()                     it will be asked for again

Ask `next_refill` after every other call; at most one is out at a time. **A new line-up knows nothing and begins with a
refill**, so start-up needs no code of its own: subscribe to the spool, then ask.

The rules, in the order in which they are applied:

1. A priority never waits for another one; each has its own number of threads.
2. Within a priority, events of one process group run one at a time in order of seq; the empty name is a group, too.
3. Among groups that could run, the one whose first event is oldest is next.
4. A postponed event holds back its own group only; with `later_pass` not even that.

Memory is bounded: a group keeps at most `max_per_group` tickets and a priority at most `max_tickets` and `max_bytes`
(one more where a single ticket passes the bound, and one for each group that was cut short). What comes later is not
taken in: it is on disk, and is read back in order when there is room. A group that is cut short does not keep others
from being read, so one blocked group with a million events costs the others nothing.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

import attrs

Item = TypeVar("Item")


@attrs.frozen(kw_only=True)
class Ticket(Generic[Item]):
    """A place in the line for one event. `due_s`: do not begin before this time, 0 for at once."""

    seq: int
    priority: int
    group: str
    item: Item
    size_bytes: int = 0
    due_s: float = 0.0


@attrs.frozen(kw_only=True)
class Refill:
    """What to read from the spool: the fields are the keywords of `Spool.open_events`."""

    priority: int
    after_seq: int
    limit: int
    group: str | None = None
    except_groups: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class _Cut:
    """How far a line has been read, where the rest is on disk.

    `short`: there may be more on disk than has been read. `missed`: a newcomer was left on disk since the last refill
    was asked for, so that an empty answer, which may be older than the newcomer, does not mean the end.
    """

    read_to: int = 0
    short: bool = False
    missed: bool = False


@attrs.define(kw_only=True)
class _Group(Generic[Item]):
    """One process group of one priority. `line` is a heap by seq; `delayed` counts tickets that wait for their time."""

    name: str
    cut: _Cut = attrs.field(factory=_Cut)
    line: list[tuple[int, Ticket[Item]]] = attrs.field(factory=list)
    busy: bool = False
    delayed: int = 0


class Lineup(Generic[Item]):
    """The events of one service that are waiting to be begun. See the top of the module."""

    MAX_EXCEPTED: Final = 500
    """Names in one `Refill`: a read that names more would cost more than it saves."""

    def __init__(
        self,
        *,
        threads: Mapping[int, int],
        later_pass: bool = False,
        max_tickets: int = 1000,
        max_bytes: int = 32 * 1024 * 1024,
        max_per_group: int = 250,
    ) -> None:
        """`max_tickets` is `maxQueueSize` of the Integration Runtime, 1000; a quarter of it is one group's share."""
        self._lanes: Final = {
            priority: _Lane[Item](
                priority=priority,
                threads=count,
                later_pass=later_pass,
                max_tickets=max_tickets,
                max_bytes=max_bytes,
                max_per_group=min(max_per_group, max_tickets),
            )
            for priority, count in sorted(threads.items(), reverse=True)
        }
        self._in_hand: Final[dict[int, Ticket[Item]]] = {}
        self._asked: Refill | None = None

    def __len__(self) -> int:
        """Tickets kept here that nobody has in hand. More may be on disk."""
        return sum(lane.kept for lane in self._lanes.values())

    @property
    def in_hand(self) -> tuple[int, ...]:
        """Seqs that were begun and not yet settled or postponed."""
        return tuple(self._in_hand)

    def add(self, ticket: Ticket[Item]) -> None:
        """Take in a newcomer, or leave it on disk; one that is known already is ignored."""
        self._lanes[ticket.priority].add(ticket)

    def leaves(self, priority: int, group: str, seq: int) -> bool:
        """Whether a newcomer is left on disk; then it is done with, and need not be made a ticket of for `add`. So are
        those of its group that come right behind it."""
        return self._lanes[priority].leaves(group, seq)

    def has_next(self, now_s: float) -> bool:
        """Whether `next` would begin one."""
        return any(lane.first(now_s) is not None for lane in self._lanes.values())

    def next(self, now_s: float) -> Ticket[Item] | None:
        """Begin the next event; None when all threads are busy or nothing may run now."""
        for lane in self._lanes.values():
            ticket = lane.next(now_s)
            if ticket is not None:
                self._in_hand[ticket.seq] = ticket
                return ticket
        return None

    def settled(self, seq: int) -> None:
        """The event in hand came to an end; its group goes on. `KeyError` when it was not in hand."""
        ticket = self._in_hand.pop(seq)
        self._lanes[ticket.priority].settled(ticket)

    def postponed(self, seq: int, *, due_s: float, item: Item | None = None) -> None:
        """The event in hand is to be tried again from `due_s` on; `item` replaces what the ticket carries."""
        ticket = self._in_hand.pop(seq)
        again = attrs.evolve(ticket, due_s=due_s, item=ticket.item if item is None else item)
        self._lanes[ticket.priority].postponed(again)

    def next_due_s(self) -> float | None:
        """When the first postponed event becomes due; None when nothing is postponed."""
        return min((lane.delayed[0][0] for lane in self._lanes.values() if lane.delayed), default=None)

    def next_refill(self) -> Refill | None:
        """What to read next, the oldest first; None while a refill is out or nothing is needed."""
        if self._asked is not None:
            return None
        wanted = [refill for lane in self._lanes.values() if (refill := lane.wanted()) is not None]
        if not wanted:
            return None
        # High first: `wanted` is in order of priority and `min` takes the first of equals.
        self._asked = wanted[0] if len(wanted) == 1 else min(wanted, key=lambda refill: refill.after_seq)
        self._lanes[self._asked.priority].asked(self._asked)
        return self._asked

    def refill(self, tickets: Iterable[Ticket[Item]]) -> None:
        """Take in what the last `Refill` gave, in order of seq; no tickets mean that there are no more."""
        asked = self._take_asked()
        self._lanes[asked.priority].refill(asked, list(tickets))

    def refill_failed(self) -> None:
        """The read failed; the next `next_refill` asks for it again."""
        self._take_asked()

    def _take_asked(self) -> Refill:
        if self._asked is None:
            raise ValueError("no refill was asked for")
        asked, self._asked = self._asked, None
        return asked


@attrs.define(kw_only=True)
class _Lane(Generic[Item]):
    """One priority. `ready` and `delayed` are heaps; entries of `ready` that no longer hold are skipped when popped.

    `short` holds the groups that are cut short: there are few, and only they need be looked at for a refill.

    Every open event of this priority is in exactly one of these places, which is why none is lost:
    in hand; in its group's line; in `delayed`; on disk with its group cut short; on disk with this lane cut short.
    """

    priority: int
    threads: int
    later_pass: bool
    max_tickets: int
    max_bytes: int
    max_per_group: int
    cut: _Cut = attrs.field(factory=lambda: _Cut(short=True))
    groups: dict[str, _Group[Item]] = attrs.field(factory=dict)
    short: dict[str, _Group[Item]] = attrs.field(factory=dict)
    ready: list[tuple[int, str]] = attrs.field(factory=list)
    delayed: list[tuple[float, int, Ticket[Item]]] = attrs.field(factory=list)
    busy: int = 0
    kept: int = 0
    kept_bytes: int = 0

    def leaves(self, name: str, seq: int) -> bool:
        if seq <= self.cut.read_to:
            return False
        group = self.groups.get(name)
        if group is not None and group.cut.short:
            group.cut.missed = True
            return True
        if not self.cut.short or (group is not None and seq <= group.cut.read_to):
            return False
        self.cut.missed = True
        return True

    def add(self, ticket: Ticket[Item]) -> None:
        if ticket.seq <= self.cut.read_to:
            return
        group = self.groups.get(ticket.group)
        if group is not None and group.cut.short:
            # The group's own refill will find it: the lane need not be read again for its sake.
            group.cut.missed = True
        elif group is not None and ticket.seq <= group.cut.read_to:
            # Already read with its group, ahead of the announcement.
            if not self.cut.short:
                self.cut.read_to = ticket.seq
            self._forget_idle(group)
        elif self.cut.short or self._is_full():
            self.cut.short = self.cut.missed = True
        else:
            self.cut.read_to = ticket.seq
            self._take(ticket)

    def first(self, now_s: float) -> _Group[Item] | None:
        """The group whose first event is next."""
        self._release(now_s)
        if self.busy >= self.threads:
            return None
        while self.ready:
            seq, name = self.ready[0]
            group = self.groups.get(name)
            if group is not None and not self._is_blocked(group) and group.line and group.line[0][0] == seq:
                return group
            heapq.heappop(self.ready)
        return None

    def next(self, now_s: float) -> Ticket[Item] | None:
        group = self.first(now_s)
        if group is None:
            return None
        heapq.heappop(self.ready)
        _, ticket = heapq.heappop(group.line)
        group.busy = True
        self.busy += 1
        self._count(ticket, -1)
        return ticket

    def settled(self, ticket: Ticket[Item]) -> None:
        group = self._put_down(ticket)
        self._offer(group)
        self._forget_idle(group)

    def postponed(self, ticket: Ticket[Item]) -> None:
        group = self._put_down(ticket)
        self._count(ticket, 1)
        self._delay(group, ticket)
        self._offer(group)

    def wanted(self) -> Refill | None:
        """The oldest of what is short on disk and low in memory."""
        wanted = []
        if self.cut.short and self.kept <= self.max_tickets // 2 and self.kept_bytes <= self.max_bytes // 2:
            names = tuple(itertools.islice(self.short, Lineup.MAX_EXCEPTED))
            room = self.max_tickets - self.kept
            wanted.append(self._refill(self.cut, limit=room, except_groups=names))
        low = self.max_per_group // 4
        hungry = [group for group in self.short.values() if len(group.line) <= low]
        if hungry:
            group = min(hungry, key=lambda group: group.cut.read_to)
            room = 0 if self._is_full() else self.max_tickets - self.kept
            if room or not group.line:
                # An empty group gets one even when the lane is full: others must not keep it from its turn.
                limit = max(1, min(room, self.max_per_group - len(group.line)))
                wanted.append(self._refill(group.cut, limit=limit, group=group.name))
        return min(wanted, key=lambda refill: refill.after_seq, default=None)

    def asked(self, refill: Refill) -> None:
        self._cut_of(refill).missed = False

    def refill(self, refill: Refill, tickets: list[Ticket[Item]]) -> None:
        cut = self._cut_of(refill)
        if refill.group is None:
            for ticket in tickets:
                cut.read_to = ticket.seq
                self._take(ticket)
        else:
            group = self.groups[refill.group]
            for ticket in tickets:
                cut.read_to = ticket.seq
                self._insert(group, ticket)
        if not tickets and not cut.missed:
            cut.short = False
            if refill.group is not None:
                del self.short[refill.group]
        for group in list(self.groups.values()):
            self._forget_idle(group)

    def _take(self, ticket: Ticket[Item]) -> None:
        """Put a ticket into its group's line, unless the group has it already or is cut short."""
        group = self.groups.get(ticket.group)
        if group is None:
            group = self.groups[ticket.group] = _Group(name=ticket.group)
        if ticket.seq <= group.cut.read_to:
            return
        if group.cut.short or len(group.line) >= self.max_per_group:
            group.cut.short = group.cut.missed = True
            self.short[group.name] = group
            return
        group.cut.read_to = ticket.seq
        self._insert(group, ticket)

    def _insert(self, group: _Group[Item], ticket: Ticket[Item]) -> None:
        self._count(ticket, 1)
        if ticket.due_s > 0:
            self._delay(group, ticket)
        else:
            heapq.heappush(group.line, (ticket.seq, ticket))
            if group.line[0][0] == ticket.seq:
                self._offer(group)

    def _delay(self, group: _Group[Item], ticket: Ticket[Item]) -> None:
        group.delayed += 1
        heapq.heappush(self.delayed, (ticket.due_s, ticket.seq, ticket))

    def _release(self, now_s: float) -> None:
        while self.delayed and self.delayed[0][0] <= now_s:
            _, seq, ticket = heapq.heappop(self.delayed)
            group = self.groups[ticket.group]
            group.delayed -= 1
            heapq.heappush(group.line, (seq, ticket))
            self._offer(group)

    def _offer(self, group: _Group[Item]) -> None:
        if group.line and not self._is_blocked(group):
            heapq.heappush(self.ready, (group.line[0][0], group.name))

    def _is_blocked(self, group: _Group[Item]) -> bool:
        return group.busy or (group.delayed > 0 and not self.later_pass)

    def _put_down(self, ticket: Ticket[Item]) -> _Group[Item]:
        group = self.groups[ticket.group]
        group.busy = False
        self.busy -= 1
        return group

    def _forget_idle(self, group: _Group[Item]) -> None:
        """Drop a group of which nothing need be remembered: names of groups come from senders and never end."""
        if group.busy or group.line or group.delayed or group.cut.short or group.cut.read_to > self.cut.read_to:
            return
        self.groups.pop(group.name, None)

    def _is_full(self) -> bool:
        return self.kept >= self.max_tickets or self.kept_bytes >= self.max_bytes

    def _count(self, ticket: Ticket[Item], sign: int) -> None:
        self.kept += sign
        self.kept_bytes += sign * ticket.size_bytes

    def _cut_of(self, refill: Refill) -> _Cut:
        return self.cut if refill.group is None else self.groups[refill.group].cut

    def _refill(
        self, cut: _Cut, *, limit: int, group: str | None = None, except_groups: tuple[str, ...] = ()
    ) -> Refill:
        return Refill(
            priority=self.priority, after_seq=cut.read_to, limit=limit, group=group, except_groups=except_groups
        )
