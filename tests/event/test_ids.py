"""Ids of events."""

import random
import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from agent.event.ids import EventIds


def ids(*times: int, last: str = "", seed: int = 1) -> list[str]:
    """One id for each reading of the clock."""
    clock = iter(times)
    new_id = EventIds(now_us=lambda: next(clock), randbytes=random.Random(seed).randbytes, last=last)
    return [new_id() for _ in times]


def test_is_a_uuid_of_version_7() -> None:
    """Ids are UUIDs after RFC 9562, with version, variant and the milliseconds in their place."""
    now_us = 1_763_660_000_123_456
    (text,) = ids(now_us)
    parsed = uuid.UUID(text)
    assert text == str(parsed)
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert now_us // 1000 == parsed.int >> 80
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)


@given(st.lists(st.integers(0, 2**47), min_size=2, max_size=50), st.integers())
def test_increases_strictly_whatever_the_clock_does(times: list[int], seed: int) -> None:
    """Also where the clock stands still or goes back, each id is greater than the one before."""
    made = ids(*times, seed=seed)
    assert sorted(set(made)) == made


def test_goes_on_after_a_restart() -> None:
    """The newest id of the spool is never undercut, although the clock went back meanwhile."""
    (last,) = ids(2_000_000_000)
    (after,) = ids(1_000_000_000, last=last, seed=2)
    assert last < after
    assert 7 == uuid.UUID(after).version


def test_sorts_within_one_millisecond() -> None:
    """The fraction of the millisecond is part of the order, so ids of one burst sort by time."""
    made = [ids(5_000_000 + fraction, seed=fraction)[0] for fraction in range(0, 1000, 10)]
    assert sorted(made) == made


def test_random_bits_are_drawn_in_stock_and_used_once() -> None:
    """The system is asked once for 512 ids; all 62 bits behind the variant come from there, and none is used twice."""
    asked: list[int] = []

    def randbytes(size: int) -> bytes:
        asked.append(size)
        return b"".join((number << 48 | number).to_bytes(8, "big") for number in range(size // 8))

    clock = iter(range(0, 10**9, 1000))
    new_id = EventIds(now_us=lambda: next(clock), randbytes=randbytes)
    made = [new_id() for _ in range(512)]
    assert [4096] == asked
    assert {number << 48 | number for number in range(512)} == {
        uuid.UUID(text).int & ~(3 << 62) & 2**64 - 1 for text in made
    }
    new_id()
    assert [4096, 4096] == asked


def test_a_step_carries_over_all_parts_of_an_id() -> None:
    """Into the fraction, the milliseconds and beyond version and variant, which stay in their places."""
    greatest = "00000000-0001-7fff-bfff-ffffffffffff"
    (after,) = ids(0, last=greatest)
    parsed = uuid.UUID(after)
    assert (2, 7, uuid.RFC_4122) == (parsed.int >> 80, parsed.version, parsed.variant)
