"""Senders that number what they send, and the proof that nothing of it was lost, reordered or doubled without a reason.

A sender has groups of its own and sends one event of a group after the other: the next number only when the last one
was acknowledged, and the same number again when it was not. So the events of a group have an order that everybody can
see, `(number, attempt)`, whatever is killed in between.

`prove` is pure: what the senders were told and what the outbox holds go in, figures come out, or an `AssertionError`
that names the first thing that is wrong.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

SERVICE_CODE: Final = """
import time

from agent.sdk import context


def on_event(event):
    number = int(event.find("number"))
    if number % 40 == 7 and event.attempt == 1:
        raise RuntimeError("every fortieth fails at first")
    if number % 40 == 23:
        time.sleep(0.05)
    context.send(
        json={
            "group": event.find("group"),
            "number": number,
            "attempt": int(event.find("attempt")),
            "event": event.id,
            "hook_attempt": event.attempt,
        }
    )
"""
"""Sends on what came in. Some fail at first and hold up their group, some take long enough to be in hand at a kill."""

SERVICE_EXTRA: Final = (
    "<concurrency><normal-priority-thread-count>4</normal-priority-thread-count>"
    "<high-priority-thread-count>4</high-priority-thread-count></concurrency>"
    "<retry><first-delay-s>0.1</first-delay-s><max-delay-s>0.2</max-delay-s><max-attempts>1000</max-attempts></retry>"
)

ANSWER_PATIENCE_S: Final = 60.0
"""A sender that gave up earlier would send again while the first one is still under way, and lose its order itself."""

LARGE_PART: Final = 0.1
"""Of the events have a body that does not fit into a page of the spool."""

_BACK_SOON_S: Final = 0.05


@attrs.frozen(kw_only=True)
class Attempt:
    """One request of a sender and what became of it: `status` 0 and no `event_id` where no answer came."""

    group: str
    number: int
    attempt: int
    status: int = 0
    event_id: str = ""
    is_named: bool = False
    """It carried an Idempotency-Key: group and number."""


@attrs.frozen(kw_only=True)
class Delivery:
    """One line of the outbox."""

    id: str
    at_s: float
    group: str
    number: int
    attempt: int
    event_id: str
    hook_attempt: int


@attrs.frozen(kw_only=True)
class Figures:
    """What was found. `doubled` counts lines of the outbox beyond the first of their id."""

    acknowledged: int
    unanswered: int
    refused: int
    delivered: int
    doubled: int
    delivered_unanswered: int
    hooks_repeated: int


class Sender(threading.Thread):
    """One keep-alive connection; sends to `service` until `ending` is set, then ends after the answer it waits for.

    `may_send` is cleared by who finds that the agent has enough to do. A named sender gives each event a key.
    """

    def __init__(
        self,
        *,
        port: int,
        service: str,
        groups: Mapping[str, str],
        is_named: bool,
        seed: int,
        may_send: threading.Event,
        ending: threading.Event,
    ) -> None:
        """`groups` maps the name of a process group to the priority of its events."""
        super().__init__(daemon=True, name=f"sender {'/'.join(groups)}")
        self.attempts: list[Attempt] = []
        self.acknowledged = 0
        self._port = port
        self._service = service
        self._groups = groups
        self._is_named = is_named
        self._random = random.Random(seed)
        self._may_send = may_send
        self._ending = ending
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send number after number, group by group."""
        try:
            every = ((group, number) for number in itertools.count(1) for group in self._groups)
            while self._send(*next(every)):
                pass
        finally:
            if self._connection is not None:
                self._connection.close()

    def _send(self, group: str, number: int) -> bool:
        """Send until it is acknowledged; False when there is no time for that any more."""
        filler = "x" * (self._random.randrange(4000, 20_000) if self._random.random() < LARGE_PART else 40)
        for attempt in itertools.count(1):
            while not self._may_send.wait(_BACK_SOON_S):
                if self._ending.is_set():
                    return False
            if self._ending.is_set():
                return False
            made = self._try(group, number, attempt, filler)
            if made is not None:
                self.attempts.append(made)
                if made.status == 202:
                    self.acknowledged += 1
                    return True
            # Also a refused connection: the agent is down and comes back.
            self._ending.wait(_BACK_SOON_S)
        raise AssertionError("count() does not end")

    def _try(self, group: str, number: int, attempt: int, filler: str) -> Attempt | None:
        """None where nobody listens: nothing has been sent then."""
        body = (
            f"<event><group>{group}</group><number>{number}</number><attempt>{attempt}</attempt>"
            f"<filler>{filler}</filler></event>"
        )
        headers = {
            "Content-Type": "text/xml",
            "Apia-Process-Group": group,
            "Apia-Priority": self._groups[group],
        }
        if self._is_named:
            headers["Idempotency-Key"] = f"{group}/{number}"
        what = Attempt(group=group, number=number, attempt=attempt, is_named=self._is_named)
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_PATIENCE_S)
            try:
                self._connection.connect()
            except OSError:
                self._connection = None
                return None
        try:
            self._connection.request("POST", f"/http/{self._service}", body.encode(), headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return what
        if answer.will_close:
            self._connection.close()
            self._connection = None
        event_id = json.loads(text)["requestId"] if answer.status == 202 else ""
        return attrs.evolve(what, status=answer.status, event_id=event_id)


class OutboxTail:
    """Reads what is new in the outbox. A line that a kill has torn was never settled; it is counted and passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self._rest = b""
        self.deliveries: list[Delivery] = []
        self.torn = 0

    def look(self) -> None:
        """Take in the lines that have been ended since."""
        if not self._path.exists():
            return
        with self._path.open("rb") as outbox:
            outbox.seek(self._read_bytes)
            new = outbox.read()
        self._read_bytes += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        for line in whole:
            try:
                fields = json.loads(line)
            except ValueError:
                self.torn += 1
            else:
                self.deliveries.append(delivery(fields))


def delivery(fields: Mapping[str, Any]) -> Delivery:
    """A line of the outbox, read."""
    body = fields["body"]
    return Delivery(
        id=fields["id"],
        at_s=datetime.fromisoformat(fields["time"]).timestamp(),
        group=body["group"],
        number=body["number"],
        attempt=body["attempt"],
        event_id=body["event"],
        hook_attempt=body["hook_attempt"],
    )


def prove(attempts: Iterable[Attempt], deliveries: Sequence[Delivery], *, kills_at_s: Sequence[float]) -> Figures:
    """Hold what the senders were told against what arrived.

    `kills_at_s`: when the agent itself was killed, on the clock of the deliveries; nothing else explains a double.
    """
    attempts = list(attempts)
    first: dict[str, Delivery] = {}
    for each in deliveries:
        first.setdefault(each.id, each)
    events = {each.event_id: each for each in first.values()}
    assert len(events) == len(first), "an event was delivered under two ids: it was settled twice"
    _nothing_is_lost(attempts, events)
    delivered_unanswered = _nothing_is_invented(attempts, events)
    _order_holds(first.values())
    _names_hold(attempts, events)
    doubled = _doubles_are_explained(deliveries, kills_at_s)
    return Figures(
        acknowledged=sum(each.status == 202 for each in attempts),
        unanswered=sum(not each.status for each in attempts),
        refused=sum(each.status not in (0, 202) for each in attempts),
        delivered=len(first),
        doubled=doubled,
        delivered_unanswered=delivered_unanswered,
        hooks_repeated=sum(each.hook_attempt > 1 for each in first.values()),
    )


def _nothing_is_lost(attempts: Iterable[Attempt], events: Mapping[str, Delivery]) -> None:
    lost = [each for each in attempts if each.status == 202 and each.event_id not in events]
    assert not lost, f"{len(lost)} acknowledged events were lost, the first is {lost[0]}"


def _nothing_is_invented(attempts: Iterable[Attempt], events: Mapping[str, Delivery]) -> int:
    """Each delivery was sent; how many of them had got no answer."""
    sent = {(each.group, each.number, each.attempt): each for each in attempts}
    unanswered = 0
    for each in events.values():
        was = sent.get((each.group, each.number, each.attempt))
        assert was is not None, f"nobody has sent {each}"
        assert was.status in (0, 202), f"{each} was delivered although its sender was told {was.status}"
        unanswered += not was.status
        assert was.event_id in ("", each.event_id), f"{was} was delivered under another id: {each}"
    return unanswered


def _order_holds(first: Iterable[Delivery]) -> None:
    last: dict[str, Delivery] = {}
    for each in first:
        before = last.get(each.group)
        assert before is None or (before.number, before.attempt) < (each.number, each.attempt), (
            f"{each} was delivered after {before}"
        )
        last[each.group] = each


def _names_hold(attempts: Iterable[Attempt], events: Mapping[str, Delivery]) -> None:
    """What carries a key is one event, however often it was sent."""
    named = {each.group for each in attempts if each.is_named}
    times = Counter((each.group, each.number) for each in events.values() if each.group in named)
    twice = [name for name, count in times.items() if count > 1]
    assert not twice, f"{len(twice)} events with an Idempotency-Key became two, the first is {twice[0]}"


def _doubles_are_explained(deliveries: Iterable[Delivery], kills_at_s: Sequence[float]) -> int:
    by_id: dict[str, list[Delivery]] = defaultdict(list)
    for each in deliveries:
        by_id[each.id].append(each)
    doubled = 0
    for same in by_id.values():
        for earlier, later in itertools.pairwise(same):
            doubled += 1
            assert attrs.evolve(later, at_s=earlier.at_s) == earlier, f"{later} and {earlier} have one id"
            # Lines carry the millisecond in which they were made, rounded down.
            assert any(earlier.at_s - 0.001 <= kill <= later.at_s + 0.001 for kill in kills_at_s), (
                f"{earlier} was delivered again at {later.at_s:.3f}, and nothing was killed in between"
            )
    return doubled
