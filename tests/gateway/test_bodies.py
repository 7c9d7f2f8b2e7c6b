"""Whether the body of a request is wanted."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from agent.errors import SenderError
from agent.gateway.bodies import READ_AND_DROP_BYTES, Bodies
from agent.gateway.budget import PACE_S, SMALL_BYTES, Budget
from agent.gateway.slot import Slot
from agent.wire import Head, read_head

MIB = 1 << 20


def head(length: int | None) -> Head:
    plain = read_head(method="POST", version="1.1", headers=[(b"Host", b"a")], keep_alive=True)
    return attrs.evolve(plain, length=length)


def code_of(call: Callable[[], None]) -> str:
    try:
        call()
    except SenderError as error:
        return error.code
    return ""


def test_what_is_announced_too_large_is_refused_before_it_comes() -> None:
    """A chunked body announces nothing, and is counted as it comes."""
    bodies = Bodies(max_bytes=1000, budget=Budget(MIB))
    codes = [code_of(lambda length=length: bodies.begin(head(length), 0.0)) for length in (1000, 1001, None)]  # type: ignore[misc]
    assert ["", "body-too-large", ""] == codes


def test_a_large_body_needs_room_and_a_small_one_does_not() -> None:
    """The memory of all bodies is bounded; alarms are small."""
    budget = Budget(MIB)
    budget.take(MIB, of_bytes=1)
    bodies = Bodies(max_bytes=MIB, budget=budget)
    assert ["", "too-many-bodies"] == [
        code_of(lambda: bodies.admit(head(SMALL_BYTES))),
        code_of(lambda: bodies.admit(head(SMALL_BYTES + 1))),
    ]


@pytest.mark.parametrize(
    ("asked", "is_dropped"),
    [
        (head(READ_AND_DROP_BYTES), True),
        (head(READ_AND_DROP_BYTES + 1), False),
        (head(None), False),
        (attrs.evolve(head(1), expects_continue=True), False),
    ],
)
def test_a_short_body_that_nobody_wants_is_read_all_the_same(asked: Head, *, is_dropped: bool) -> None:
    """So that its connection can go on."""
    assert is_dropped == Bodies(max_bytes=MIB, budget=Budget(MIB)).may_be_dropped(asked)


def test_only_large_bodies_crawl_and_only_while_memory_is_short() -> None:
    """Nobody is sent away for being slow while there is room."""
    budget = Budget(MIB)
    bodies = Bodies(max_bytes=MIB, budget=budget)
    slot: Slot = Slot(None, None, None)  # type: ignore[arg-type]
    bodies.begin(head(MIB), 0.0)
    bodies.hold(slot, SMALL_BYTES + 1)
    in_time = bodies.crawls(slot, PACE_S, 10)
    budget.take(MIB, of_bytes=1)
    assert (False, True) == (in_time, bodies.crawls(slot, PACE_S, 10))
