"""What a writer looks up at its start."""

import pytest

from agent.spool import found, layout
from agent.spool.batch import Batch, Change
from agent.spool.steady import SteadyClock, Uptime
from tests.spool.support import START_US, event, settlement

PARTIAL = ("event_open", "event_claimed", "request_open", "request_claimed")
"""Indexes that hold nothing of what is over: reading one from end to end is reading what is open."""


@pytest.fixture
def connection(writer, folder):
    """On a spool with an event that is over and one that is open."""
    writer.commit(Batch(accepts=[(event(1), None), (event(2), None)]))
    writer.commit(Batch(changes=[Change(what=settlement(1))]))
    connection = layout.open_for_writing(folder / layout.FILE_NAME)
    yield connection
    connection.close()


def note_start(connection):
    uptime = Uptime(seconds=lambda: 100.0, boot_id="another")
    found.note_start(connection, now_us=START_US, ages=SteadyClock(now_us=lambda: START_US, uptime=uptime))


@pytest.mark.parametrize("look", [note_start, found.last_seqs, found.last_event_id, found.open_loads])
def test_a_start_reads_nothing_of_what_is_over(connection, look):
    """Each statement searches, or reads an index of what is open: a million done events cost it nothing."""
    statements = []
    connection.exec_trace = lambda _, statement, bindings: statements.append((statement, bindings)) or True
    look(connection)
    connection.exec_trace = None
    plans = [
        (step, statement)
        for statement, bindings in statements
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bindings)
        if statement.lstrip().startswith(("SELECT", "UPDATE"))
    ]
    assert plans
    scans = [plan for plan in plans if plan[0].startswith(("SCAN event", "SCAN request", "SCAN step"))]
    assert [] == [plan for plan in scans if not plan[0].endswith(PARTIAL)]
