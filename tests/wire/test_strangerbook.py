"""The book of the stranger desk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.hello import ClientHello
from agent.wire.misuse import Cause, Misuse
from agent.wire.strangerbook import DAY_US, KEPT_DAYS, MOST_OF_A_CAUSE, StrangerBook, read_book

NOW_US = 1_763_640_000_000_000


def seen(cause: Cause = Cause.PLAINTEXT, peer: str = "10.2.3.4", **facts: Any) -> Misuse:
    return Misuse(peer=peer, port=8081, expects_tls=True, cause=cause, **facts)


def test_occurrences_are_grouped_by_peer_and_cause() -> None:
    """The same again counts; another cause, or another peer, is another entry; the latest is first."""
    book = StrangerBook()
    book.note(seen(first_line="GET /old"), NOW_US)
    book.note(seen(peer="2001:db8::1"), NOW_US + 1000)
    book.note(seen(Cause.LEFT), NOW_US + 2000)
    book.note(seen(first_line="GET /new"), NOW_US + 3000)
    told = [(one["peer"], one["cause"], one["count"]) for one in book.document()["strangers"]]
    assert [("10.2.3.4", "plaintext", 2), ("10.2.3.4", "left", 1), ("2001:db8::1", "plaintext", 1)] == told
    first = book.document()["strangers"][0]
    assert "GET /new" == first["first_line"]
    assert '"GET /new" without TLS' in first["sentence"]
    assert ("2025-11-20T12:00:00.000+00:00", "2025-11-20T12:00:00.003+00:00") == (first["first"], first["last"])


def test_a_flood_drives_out_only_its_own_kind() -> None:
    """A scan from ten thousand addresses leaves the sender with the expired certificate on the page."""
    book = StrangerBook()
    book.note(seen(Cause.EXPIRED), NOW_US)
    for number in range(MOST_OF_A_CAUSE + 50):
        book.note(seen(Cause.LEFT, peer=f"2001:db8::{number:x}"), NOW_US + number)
    causes = [entry.cause for entry in book.entries()]
    assert 1 == causes.count(Cause.EXPIRED)
    assert MOST_OF_A_CAUSE == causes.count(Cause.LEFT)
    assert {"left": 50} == book.document()["forgotten"]


def test_the_least_recent_goes_first() -> None:
    """Who comes back stays."""
    book = StrangerBook()
    for number in range(MOST_OF_A_CAUSE):
        book.note(seen(peer=f"p{number}"), NOW_US)
    book.note(seen(peer="p0"), NOW_US)
    book.note(seen(peer="new"), NOW_US)
    peers = {entry.peer for entry in book.entries()}
    assert "p0" in peers and "p1" not in peers


def test_what_is_long_ago_is_dropped() -> None:
    """The page is about the last days."""
    book = StrangerBook()
    book.note(seen(peer="old"), NOW_US)
    book.note(seen(peer="new"), NOW_US + DAY_US)
    book.expire(NOW_US + KEPT_DAYS * DAY_US + 1)
    assert ["new"] == [entry.peer for entry in book.entries()]


def test_it_survives_a_restart_and_goes_on_counting() -> None:
    """Written, read again, the same; a further occurrence adds to the entry."""
    book = StrangerBook()
    book.note(seen(Cause.NO_SHARED_VERSION, hello=ClientHello(versions=("TLS 1.0",))), NOW_US)
    book.note(seen(), NOW_US + 5000)
    again = read_book(book.dump())
    assert book.document() == again.document()
    again.note(seen(), NOW_US + 9000)
    latest = again.document()["strangers"][0]
    assert (2, "2025-11-20T12:00:00.005+00:00") == (latest["count"], latest["first"])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 100_000, b'{"version": 99}', b"\xff\xfe"])
def test_a_damaged_book_is_refused(data: bytes) -> None:
    """Whoever reads it decides what to do; it is no crash."""
    with pytest.raises(ValueError):
        read_book(data)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["peer", "port", "cause", "count", "first", "last", "sentence", "openssl"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_entries_that_make_no_sense_are_left_out(entry: dict[str, Any]) -> None:
    """One bad entry costs only itself."""
    book = StrangerBook()
    book.note(seen(), NOW_US)
    document = book.document()
    document["strangers"] = [entry, None, *document["strangers"]]
    assert "10.2.3.4" in {one.peer for one in read_book(json.dumps(document).encode()).entries()}


def test_a_clock_set_back_makes_no_entry_end_before_it_began() -> None:
    """`last` is never before `first`."""
    book = StrangerBook()
    book.note(seen(), NOW_US)
    entry = book.note(seen(), NOW_US - DAY_US)
    assert entry.first_us == entry.last_us
