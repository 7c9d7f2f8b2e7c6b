"""Since when things stand where they stand, and the whole body of what is dead."""

import apsw
import attrs

from agent.delivery import OutboundRequest, Outcome
from agent.spool import layout
from agent.spool.batch import Batch, Change
from agent.spool.journal import Journal
from agent.spool.mending import Purge, Replay
from tests.spool.support import SERVICE, START_US, event, sent, settlement

SECOND_US = 1_000_000
LONG = b"<a>" + b"x" * 100_000 + b"</a>"


def order(writer, *orders):
    for what in orders:
        assert writer.commit(Batch(changes=[Change(what=what)])).failed == []


def at(settled, seconds):
    return attrs.evolve(settled, ended_us=START_US + seconds * SECOND_US)


def iso(seconds):
    return f"2025-11-24T16:00:{seconds:02}.000+00:00"


def test_an_empty_spool_has_no_ages(writer, folder):
    """Nothing is dead and nothing waits."""
    assert {"dead": None, "open": {"services": {}, "destinations": {}}} == Journal(folder).oldest()


def test_the_first_to_die_is_found_among_events_and_requests(writer, folder):
    """By the time of dying, not of coming in; what is replayed or purged is dead no more."""
    request = OutboundRequest(destination="out", body=b"{}")
    writer.commit(Batch(accepts=[(event(number), None) for number in (1, 2, 3)]))
    order(
        writer,
        at(settlement(1, Outcome.GIVE_UP), 9),
        settlement(2, requests=(request,)),
        at(sent(1, Outcome.GIVE_UP), 3),
        at(settlement(3, Outcome.GIVE_UP), 6),
    )
    assert iso(3) == Journal(folder).oldest()["dead"]
    order(writer, Purge(ids=(f"{event(2).id}/1",)))
    assert iso(6) == Journal(folder).oldest()["dead"]
    order(writer, Replay(ids=(event(3).id,)))
    assert iso(9) == Journal(folder).oldest()["dead"]


def test_each_line_waits_since_its_first_one(writer, folder):
    """Per service and destination; what is done counts no more."""
    request = OutboundRequest(destination="out", body=b"{}")
    writer.commit(Batch(accepts=[(event(1), None), (event(2, service="x|y"), None), (event(3), None)]))
    order(writer, settlement(1, requests=(request,)))
    found = Journal(folder).oldest()["open"]
    assert ({SERVICE, "x|y"}, {"out"}) == (set(found["services"]), set(found["destinations"]))
    order(writer, sent(1), settlement(2))
    found = Journal(folder).oldest()["open"]
    assert ({SERVICE}, set()) == (set(found["services"]), set(found["destinations"]))


def test_what_was_replayed_waits_since_then(writer, folder):
    """Not since it came in: nobody is warned of an event that has just been offered again."""
    writer.commit(Batch(accepts=[(event(1), None)]))
    order(writer, settlement(1, Outcome.GIVE_UP), Replay(ids=(event(1).id,)))
    apsw.Connection(str(folder / layout.FILE_NAME)).execute(
        f"UPDATE event SET replayed_us = {START_US + 9 * SECOND_US}"
    )
    assert {SERVICE: iso(9)} == Journal(folder).oldest()["open"]["services"]


def test_the_body_of_a_dead_letter_is_whole(writer, folder):
    """However long; of an event and of a request; nothing else gives out its body this way."""
    request = OutboundRequest(destination="out", body=b"\xff\x00")
    writer.commit(Batch(accepts=[(event(1, body=LONG), None), (event(2), None)]))
    order(writer, settlement(1, Outcome.GIVE_UP), settlement(2, requests=(request,)), sent(1, Outcome.GIVE_UP))
    journal = Journal(folder)
    assert (LONG, b"\xff\x00") == (journal.body(event(1).id), journal.body(f"{event(2).id}/1"))
    missing = [event(2).id, event(3).id, f"{event(2).id}/2", f"{event(1).id}/1", f"{event(2).id}/x", "", "/"]
    assert [None] * len(missing) == [journal.body(each) for each in missing]
