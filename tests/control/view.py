"""An agent that is only a view, for the tests of the control link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred, succeed

EVENT = {"id": "019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52", "service": "applications|sample-plan", "state": "done"}


class FakeView:
    """Answers from constants and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.stops: list[bool] = []
        self.events_answer: Deferred[Sequence[Mapping[str, object]]] | None = None

    def status(self) -> Mapping[str, object]:
        return {"state": "running", "version": "0.1.0"}

    def services(self) -> Sequence[Mapping[str, object]]:
        return [{"service": "applications|sample-plan", "state": "active"}]

    def events(self, query: Mapping[str, str]) -> Deferred[Sequence[Mapping[str, object]]]:
        self.asked.append(query)
        return self.events_answer if self.events_answer is not None else succeed([EVENT])

    def event(self, event_id: str) -> Deferred[Mapping[str, object] | None]:
        return succeed(EVENT if EVENT["id"].startswith(event_id) else None)

    def stop(self, *, now: bool) -> None:
        self.stops.append(now)
