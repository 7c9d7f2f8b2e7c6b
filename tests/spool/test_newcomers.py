"""Newly accepted events, several in one statement: the same rows as one by one, whatever their number."""

import apsw
import pytest

from agent.delivery import State
from agent.event import Priority
from agent.spool import layout, newcomers, rows
from tests.spool.support import START_US, event

EVENTS = [
    event(number, priority=Priority(number % 2), group=f"g{number % 3}", charset=(None, "UTF-8")[number % 2], path="/p")
    for number in range(200)
]


@pytest.fixture
def connection(tmp_path):
    path = layout.make_files(tmp_path / "spool")
    opened = layout.open_for_writing(path)
    layout.migrate(opened, path)
    yield opened
    opened.close()


def accepts(events):
    return [(event, None) for event in events]


def stored(connection):
    return connection.execute(f"SELECT {rows.EVENT_COLUMNS} FROM event ORDER BY seq").fetchall()


@pytest.mark.parametrize("number", [0, 1, 3, 4, 15, 16, 17, 22, 64, 200])
def test_any_number_of_events_becomes_the_rows_that_each_alone_would_be(connection, number):
    """Whichever statements they are stored with, and in their order."""
    newcomers.insert(connection, accepts(EVENTS[:number]), first_seq=7, stored_us=START_US + 5, age_us=START_US + 9)
    alone = [
        rows.event_row(seq, each, state=State.RECEIVED.value, attempt=0, stored_us=START_US + 5, age_us=START_US + 9)
        for seq, each in enumerate(EVENTS[:number], start=7)
    ]
    assert alone == stored(connection)


@pytest.mark.parametrize("before", [1, newcomers.MAX_TOGETHER + 1])
def test_a_large_body_lies_beside_its_row(connection, before):
    """The row itself is small, and a small body stays in its own; also with the second of two statements."""
    large = event(before, body=b"<a>" + b"x" * rows.LARGE_BYTES + b"</a>")
    events = [*map(event, range(before)), large]
    newcomers.insert(connection, accepts(events), first_seq=1, stored_us=START_US, age_us=START_US)
    found = connection.execute(f"SELECT body, {rows.BODY['event']} FROM event ORDER BY seq").fetchall()
    assert [(b"<a/>", b"<a/>")] * before + [(b"", large.body)] == found


@pytest.mark.parametrize(("number", "steps"), [(1, 1), (45, 1), (64, 1), (65, 2), (200, 4)])
def test_few_steps_store_many_events(connection, number, steps):
    """As many as can be with one: each step costs the writer its turn at the interpreter."""
    seen = []
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, seen.append)
    newcomers.insert(connection, accepts(EVENTS[:number]), first_seq=1, stored_us=START_US, age_us=START_US)
    assert steps == len(seen)
    assert (steps == 1) == newcomers.is_one_step(accepts(EVENTS[:number]))


def test_what_has_a_large_body_takes_more_than_one_step():
    """The body is a row of its own, and both or none are to be stored."""
    large = event(1, body=b"x" * (rows.LARGE_BYTES + 1))
    assert not newcomers.is_one_step(accepts([event(0), large]))


def test_statements_of_all_numbers_are_kept_ready(connection):
    """None is compiled anew when all the others have been used in between."""
    for number in (*range(1, newcomers.MAX_TOGETHER + 1), 1):
        first_seq = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        fresh = [event(first_seq + index) for index in range(number)]
        newcomers.insert(connection, accepts(fresh), first_seq=first_seq, stored_us=START_US, age_us=START_US)
    cache = connection.cache_stats()
    assert (0, 0) == (cache["evictions"], cache["too_big"])
