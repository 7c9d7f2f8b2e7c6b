"""Priority, process group and idempotency key on their way from a request into its event."""

from __future__ import annotations

import hashlib

import pytest

from agent.config.model import KeySource
from agent.event import Priority
from tests.support.gateway import PLAN, SEED, Stage, post

TICKET = b"<event><ticket> 4711 </ticket><ticket>2</ticket></event>"
BY_TICKET = KeySource(xpath="/event/ticket")


def test_headers_mark_the_event() -> None:
    """The three headers are in the event; the next request without them is not marked."""
    stage = Stage()
    client = stage.client()
    client.send(post(SEED, "Apia-Priority: high", "Apia-Process-Group: pumps", "Idempotency-Key: k1"), post(SEED))
    first, second = stage.sink.events
    assert (Priority.HIGH, "pumps", "k1") == (first.priority, first.group, first.idempotency_key)
    assert (Priority.NORMAL, "", "") == (second.priority, second.group, second.idempotency_key)


def test_a_bad_mark_is_refused_and_the_connection_lives_on() -> None:
    """400 for that request only, also when it is sent twice; what follows on the connection is taken."""
    stage = Stage()
    client = stage.client()
    client.send(post(SEED, "Apia-Priority: urgent") * 2 + post(SEED))
    assert [400, 400, 202] == client.statuses
    assert 2 == stage.counters.counts["gateway.refused", "bad-priority"]


def test_a_mark_given_twice_is_refused() -> None:
    """Which of the two would count, nobody could know."""
    client = Stage().client()
    client.send(post(SEED, "Idempotency-Key: a", "Idempotency-Key: b"))
    assert [400] == client.statuses


@pytest.mark.parametrize(
    ("gateway", "service", "lines", "key"),
    [
        (KeySource(header="X-Delivery"), None, ["x-delivery: d1"], "d1"),
        (KeySource(header="X-Delivery"), None, ["x-delivery: d1", "Idempotency-Key: k"], "k"),
        (KeySource(header="X-Delivery"), BY_TICKET, ["x-delivery: d1"], "4711"),
        (BY_TICKET, KeySource(header="X-Delivery"), ["x-delivery: d1"], "d1"),
        (KeySource(header="X-Delivery", xpath="/event/ticket"), None, ["x-delivery: d1"], "d1"),
        (KeySource(header="X-Delivery", xpath="/event/ticket"), None, [], "4711"),
        (KeySource(xpath="count(/event/ticket)"), None, [], "2"),
        (KeySource(xpath="/event/nothing"), None, [], ""),
        (BY_TICKET, None, ["Idempotency-Key: k"], "k"),
    ],
)
def test_configured_sources(gateway: KeySource, service: KeySource | None, lines: list[str], key: str) -> None:
    """Idempotency-Key first, then the service's source, else the gateway's; header before XPath."""
    stage = Stage(idempotency=gateway, key_sources={PLAN: service} if service else {})
    stage.client().send(post(TICKET, *lines))
    assert [key] == [event.idempotency_key for event in stage.sink.events]


def test_a_long_text_of_the_body_counts_by_its_digest() -> None:
    """The sender of a body cannot know the limit of a key, so it is not refused."""
    stage = Stage(idempotency=BY_TICKET)
    stage.client().send(post(b"<event><ticket>" + b"x" * 300 + b"</ticket></event>"))
    assert "sha256:" + hashlib.sha256(b"x" * 300).hexdigest() == stage.sink.events[0].idempotency_key


def test_json_has_no_xpath() -> None:
    """It is taken without a key."""
    stage = Stage(idempotency=BY_TICKET)
    client = stage.client()
    client.send(post(b'{"ticket": 1}'))
    assert ([202], "") == (client.statuses, stage.sink.events[0].idempotency_key)


def test_large_bodies_are_looked_into_in_the_thread_that_checks_them() -> None:
    """The key of a large body is found where it is parsed."""
    stage = Stage(idempotency=BY_TICKET)
    stage.client().send(post(b"<event><ticket>9</ticket>" + b" " * 70_000 + b"</event>"))
    stage.run_threads()
    assert ["9"] == [event.idempotency_key for event in stage.sink.events]


def test_a_bad_configured_header_is_refused() -> None:
    """The header that holds the key is held to the same limits; the sentence names it."""
    stage = Stage(idempotency=KeySource(header="X-Delivery"))
    client = stage.client()
    client.send(post(SEED, "X-Delivery: " + "x" * 300))
    (answer,) = client.answers
    assert 400 == answer.status and b"The header X-Delivery has 300 bytes" in answer.body
