"""An agent that is only a view, for the tests of the control link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed

from agent.delivery import Answer, OutboundRequest
from agent.recent import Wanted

EVENT = {"id": "019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52", "service": "applications|sample-plan", "state": "done"}


class FakeView:
    """Answers from constants and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.tails: list[tuple[str, Wanted, float]] = []
        self.stops: list[bool] = []
        self.letters: dict[str, bytes] = {EVENT["id"]: b"<a/>", f"{EVENT['id']}/1": b"\xff\x00"}
        self.orders: list[tuple[str, Sequence[str]]] = []
        self.paused: list[tuple[str, bool]] = []
        self.questions: list[OutboundRequest] = []
        self.failure: Exception | None = None
        self.level = "info"
        self.events_answer: Deferred[Sequence[Mapping[str, object]]] | None = None

    def status(self) -> Deferred[Mapping[str, object]]:
        return succeed({"state": "running", "version": "0.1.0"})

    def services(self) -> Sequence[Mapping[str, object]]:
        return [{"service": "applications|sample-plan", "state": "active"}]

    def events(self, query: Mapping[str, str]) -> Deferred[Sequence[Mapping[str, object]]]:
        self.asked.append(query)
        return self.events_answer if self.events_answer is not None else succeed([EVENT])

    def event(self, event_id: str) -> Deferred[Mapping[str, object] | None]:
        return succeed(EVENT if EVENT["id"].startswith(event_id) else None)

    def put_in(self, service: str, body: bytes, content_type: str) -> Deferred[str]:
        self.orders.append(("put in", (service, body.decode(), content_type)))
        return fail(self.failure) if self.failure else succeed("new")

    def repeat(self, event_id: str) -> Deferred[str]:
        self.orders.append(("repeat", (event_id,)))
        return succeed("new")

    def dead_letters(self, query: Mapping[str, str]) -> Deferred[Sequence[Mapping[str, object]]]:
        self.asked.append(query)
        return fail(self.failure) if self.failure else succeed([{"id": letter_id} for letter_id in self.letters])

    def letter_body(self, letter_id: str) -> Deferred[bytes | None]:
        return succeed(self.letters.get(letter_id))

    def replay(self, ids: Sequence[str]) -> Deferred[int]:
        self.orders.append(("replay", ids))
        return succeed(len([letter_id for letter_id in ids if letter_id in self.letters]))

    def purge(self, ids: Sequence[str]) -> Deferred[int]:
        self.orders.append(("purge", ids))
        return succeed(len([letter_id for letter_id in ids if letter_id in self.letters]))

    def edit(self, letter_id: str, body: bytes) -> Deferred[bool]:
        if self.failure:
            return fail(self.failure)
        if letter_id not in self.letters:
            return succeed(False)
        self.letters[letter_id] = body
        return succeed(True)

    def destinations(self) -> Sequence[Mapping[str, object]]:
        return [{"destination": "tickets", "paused": False}]

    def pause(self, destination: str, *, is_paused: bool) -> bool:
        self.paused.append((destination, is_paused))
        return destination == "tickets"

    def ask(self, request: OutboundRequest, *, timeout_s: float) -> Deferred[Answer]:
        self.questions.append(request)
        if self.failure:
            return fail(self.failure)
        return succeed(Answer(status=404, where="https://t.example/", body=b"no such \xff", content_type="text/plain"))

    async def tail(self, after: str, wanted: Wanted, *, wait_s: float) -> Mapping[str, object]:
        self.tails.append((after, wanted, wait_s))
        return {"next": "e.2", "lost": 0, "more": False, "entries": [{"kind": "log", "text": "\u00fc"}]}

    def strangers(self) -> Mapping[str, object]:
        return {"strangers": [{"peer": "10.2.3.4", "cause": "plaintext"}], "forgotten": {}}

    def certificates(self) -> Sequence[Mapping[str, object]]:
        return [{"subject": "CN=h", "days_left": 3}]

    def suspend(self, service: str, *, now: bool, refuse: bool) -> Deferred[str]:
        self.orders.append(("suspend", (service, str(now), str(refuse))))
        return fail(self.failure) if self.failure else succeed("on_suspend raised ValueError")

    def resume(self, service: str) -> Deferred[str]:
        self.orders.append(("resume", (service,)))
        return fail(self.failure) if self.failure else succeed("")

    def restart(self, service: str) -> Deferred[str]:
        self.orders.append(("restart", (service,)))
        return fail(self.failure) if self.failure else succeed("")

    def purge_service(self, service: str) -> Deferred[int]:
        self.orders.append(("purge", (service,)))
        return fail(self.failure) if self.failure else succeed(3)

    def queues(self) -> Deferred[Mapping[str, object]]:
        return succeed({"applications|sample-plan": {"inbound": {"normal": 1, "high": 0}}})

    def settings(self) -> Mapping[str, object]:
        return {"agent_id": "a"}

    def log_level(self) -> str:
        return self.level

    def set_log_level(self, level: str) -> None:
        self.level = level

    def reload(self, service: str) -> Deferred[Mapping[str, object]]:
        self.orders.append(("reload", (service,)))
        return fail(self.failure) if self.failure else succeed({"changes": ["x"], "restart_needed": [], "warnings": []})

    def stop(self, *, now: bool) -> None:
        self.stops.append(now)
