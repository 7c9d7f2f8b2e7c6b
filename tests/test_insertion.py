"""Events that the operator puts in: as from a sender, and as new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from agent.boundaries import Waiting
from agent.config.model import Constant
from agent.delivery import State
from agent.errors import SenderError
from agent.event import BodyKind, Event, Priority
from agent.insertion import PEER, Insertion
from agent.mapping import InputRules
from agent.names import ServiceName
from tests.spool.support import event as make_event
from tests.support.twisted_results import failure_of, result_of

NOW_US = 1_000_000
PUMPS = ServiceName(domain="a", name="pumps")


@attrs.define
class Site:
    """Spool, host, offering and journal in one."""

    hooks: list[str] = attrs.field(factory=lambda: ["on_event"])
    refusing: bool = False
    full: bool = False
    known: dict[str, tuple[Event, State]] = attrs.field(factory=dict)
    stored: list[Event] = attrs.field(factory=list)

    def offer(self, event: Event, waiting: Waiting) -> None:
        if self.full:
            waiting.refused(SenderError("store-full", "full", status=503, title="Full"))
            return
        self.stored.append(event)
        waiting.stored(event.id)

    def on_told(self, listener: Callable[[], None]) -> None:
        """Nobody listens."""

    @property
    def active_rules(self) -> Iterable[InputRules]:
        return [InputRules(service=PUMPS, constants=(Constant(name="site", value="7"),))]

    def is_refusing(self, service: str) -> bool:
        return self.refusing

    def whole(self, event_id: str) -> tuple[Event, State] | None:
        return self.known.get(event_id)

    def describe(self) -> Sequence[Mapping[str, Any]]:
        return [{"service": "a|pumps", "hooks": self.hooks}]

    def insertion(self) -> Insertion:
        return Insertion(
            sink=self,
            services=self,
            offered=self,
            journal=self,
            new_id=lambda: f"new-{len(self.stored) + 1}",
            now_us=lambda: NOW_US,
            in_thread=maybeDeferred,
        )

    def take(self, service: str, body: bytes, content_type: str = "") -> Deferred[str]:
        return Deferred.fromCoroutine(self.insertion().take(service, body, content_type))

    def again(self, event_id: str) -> Deferred[str]:
        return Deferred.fromCoroutine(self.insertion().again(event_id))


def code_of(outcome: Deferred[str]) -> tuple[str, int]:
    error = failure_of(outcome)
    assert isinstance(error, SenderError)
    return error.code, error.status


def test_what_is_put_in_is_an_event_like_others() -> None:
    """Read as a gateway reads it; the operator stands in the place of the sender."""
    site = Site()
    assert "new-1" == result_of(site.take("a|pumps", b"<a/>", "application/xml; charset=utf-8"))
    (found,) = site.stored
    assert (BodyKind.XML, b"<a/>", "utf-8", PEER, NOW_US) == (
        found.kind,
        found.body,
        found.charset,
        found.peer,
        found.received_us,
    )


def test_a_message_is_taken_as_at_the_gateway() -> None:
    """With the constants of the descriptor."""
    site = Site()
    result_of(site.take("a|pumps", b"<transaction><header><method>add</method></header><data/></transaction>"))
    assert (BodyKind.APXML, True) == (site.stored[0].kind, b"<site" in site.stored[0].body)


@pytest.mark.parametrize(
    ("changes", "service", "body", "expected"),
    [
        ({}, "a|pumps", b"no event", ("unknown-body", 415)),
        ({}, "a|other", b"<a/>", ("service-inactive", 409)),
        ({"refusing": True}, "a|pumps", b"<a/>", ("service-inactive", 409)),
        ({"hooks": ["on_http", "on_startup"]}, "a|pumps", b"<a/>", ("answers-senders", 409)),
        ({"full": True}, "a|pumps", b"<a/>", ("store-full", 503)),
    ],
)
def test_what_cannot_be_taken_in_is_not_stored(
    changes: dict[str, Any], service: str, body: bytes, expected: tuple[str, int]
) -> None:
    """With the reason, as a sender would hear it."""
    site = Site(**changes)
    assert (expected, []) == (code_of(site.take(service, body)), site.stored)


def test_what_was_done_comes_once_more_as_a_new_event() -> None:
    """Everything is as it was but its id, its time, and who brought it."""
    old = make_event(1, service="a|pumps", group="g", priority=Priority.HIGH, path="/sub", idempotency_key="")
    site = Site(known={old.id: (old, State.DONE)})
    assert "new-1" == result_of(site.again(old.id))
    assert [old._replace(id="new-1", received_us=NOW_US, peer=PEER)] == site.stored


@pytest.mark.parametrize(
    ("state", "said"),
    [(State.DEAD, "deadletter replay"), (State.WAITING, "processed anyway"), (State.RECEIVED, "processed anyway")],
)
def test_only_what_is_done_comes_once_more(state: State, said: str) -> None:
    """The others are told where they belong."""
    old = make_event(1, service="a|pumps")
    site = Site(known={old.id: (old, state)})
    assert said in str(failure_of(site.again(old.id)))
    assert ("no-such-event", 404) == code_of(site.again("nothing"))
    assert [] == site.stored
