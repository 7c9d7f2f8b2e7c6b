"""What is known of a destination's health, and told: log lines, counters, the last success and the last error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import attrs
from twisted.logger import Logger

from agent.boundaries import Counters, StoredRequest
from agent.delivery import Answer, Outcome, State, next_state
from agent.entries import Entries
from agent.recent import Happening, Pace

ROOM: Final = "upstream"

log = Logger(namespace=ROOM)


@attrs.frozen(kw_only=True)
class Verdict:
    """What one attempt came to. `pause_s`: until the next one, where there is one."""

    outcome: Outcome
    answer: Answer | None = None
    reason: str = ""
    pause_s: float = 0.0


class Health:
    """Of one destination. An outage is one warning and not one per attempt: repetitions are told at INFO."""

    def __init__(self, *, name: str, counters: Counters, seconds: Callable[[], float], entries: Entries) -> None:
        self._name: Final = name
        self.pace: Final = Pace(seconds=seconds)
        self._counters = counters
        self._entries = entries
        self._is_failing = False
        self._last_success_us = 0
        self.last_error = ""

    @property
    def last_success(self) -> str | None:
        """ISO 8601 with zone; None before the first one."""
        if not self._last_success_us:
            return None
        return datetime.fromtimestamp(self._last_success_us / 1e6, UTC).astimezone().isoformat(timespec="milliseconds")

    def tell(self, request: StoredRequest, verdict: Verdict, *, attempt: int, began_us: int, now_us: int) -> None:
        """Log and count what came of one attempt."""
        took_us = now_us - began_us
        self.pace.ended(took_us=took_us, is_good=verdict.outcome is Outcome.SUCCEED)
        happening = self._happening(request, verdict, took_us=took_us, now_us=now_us)
        if verdict.outcome is Outcome.SUCCEED:
            self._succeeded(request, verdict, happening, attempt=attempt, took_us=took_us)
            return
        self._entries.enter()
        facts: dict[str, Any] = {
            "id": request.id,
            "event_id": event_id_of(request),
            "name": self._name,
            "attempt": attempt,
            "reason": verdict.reason,
        }
        if verdict.outcome is Outcome.POSTPONE:
            self._postponed(verdict, facts)
        else:
            self._counters.count("upstream.dead", self._name)
            self.last_error = verdict.reason
            log.error("gave up on {id} for {name}, attempt {attempt}: {reason}", **facts)
        self._entries.tell((happening,))

    def _happening(self, request: StoredRequest, verdict: Verdict, *, took_us: int, now_us: int) -> Happening:
        """For those who watch."""
        state = next_state(State.CLAIMED, verdict.outcome).label
        status = verdict.answer.status if verdict.answer is not None else 0
        text = verdict.reason or f"{f'answered {status}, ' if status else ''}{took_us / 1000:.1f} ms"
        return Happening(now_us, request.id, request.service, self._name, state, text)

    def _succeeded(
        self, request: StoredRequest, verdict: Verdict, happening: Happening, *, attempt: int, took_us: int
    ) -> None:
        self._counters.count("upstream.sent", self._name)
        if self._is_failing:
            self._is_failing = False
            self._entries.enter()
            log.info("{name} takes requests again", name=self._name)
        self.last_error = ""
        self._last_success_us = happening.at_us
        status = verdict.answer.status if verdict.answer is not None else 0
        told = f"answered {status}" if status else "written"
        text = f"sent {request.id} to {self._name}: {told}, attempt {attempt}, {took_us // 1000} ms"
        self._entries.note(ROOM, event_id_of(request), text, happening)

    def _postponed(self, verdict: Verdict, facts: dict[str, Any]) -> None:
        self._counters.count("upstream.postponed", self._name)
        say = log.info if self._is_failing and self.last_error == verdict.reason else log.warn
        self._is_failing = True
        self.last_error = verdict.reason
        say(
            "{name} did not take {id}, attempt {attempt}, next in {pause_s:.1f} s: {reason}",
            pause_s=verdict.pause_s,
            **facts,
        )


def event_id_of(request: StoredRequest) -> str:
    """The id of the event that the request came from."""
    return request.id.partition("/")[0]
