"""What an operator does to dead letters: replay, purge and edit, with the agent and without it."""

import base64

import apsw
import pytest

from agent.delivery import Answer, OutboundRequest, Outcome, State
from agent.errors import MachineError, OperatorError
from agent.spool import layout, letters, mending
from agent.spool.batch import Batch, Change, announced
from agent.spool.changes import ImpossibleChange
from agent.spool.journal import Journal
from agent.spool.mending import Edit, Purge, Replay
from agent.spool.offline import OfflineSpool
from agent.spool.rows import LARGE_BYTES
from tests.spool.support import SERVICE, START_US, event, io_error, sent, settlement, undo_format_8

FILTERS = ("service", "destination", "since", "before", "match")
REQUEST = OutboundRequest(destination="out", body=b"{}")


@pytest.fixture
def dead(writer, folder):
    """Events 1 and 2 are dead, 3 is done with a dead and a sent request, 4 is open."""
    writer.commit(Batch(accepts=[(event(number, group="g"), None) for number in (1, 2, 3, 4)]))
    for what in (
        settlement(1, Outcome.POSTPONE, reason="it raised", due_us=1),
        settlement(1, Outcome.GIVE_UP, reason="gave up: Disk on Fire", detail="Traceback"),
        settlement(2, Outcome.GIVE_UP, reason="rejected"),
        settlement(3, requests=(REQUEST, REQUEST)),
        sent(1, Outcome.GIVE_UP, reason="404", answer=Answer(status=404, where="http://b.example/")),
        sent(2),
    ):
        assert order(writer, what)[0].failed == []
    return writer


def order(writer, what):
    change = Change(what=what)
    return writer.commit(Batch(changes=[change])), change.result


def letter(number, request=0):
    return f"{event(number).id}/{request}" if request else event(number).id


def look(folder, query):
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def books_balance(folder):
    """Rows and freed places add up to the newest place, the tally is what is there, and no body lies alone."""
    for table in ("event", "request"):
        assert look(folder, f"SELECT seq FROM {table}_body WHERE seq NOT IN (SELECT seq FROM {table})") == []
    marks = dict(look(folder, "SELECT name, value FROM meta"))
    for table, name in (("event", "service"), ("request", "destination")):
        [(rows, newest)] = look(folder, f"SELECT count(*), coalesce(max(seq), 0) FROM {table}")
        newest = max(newest, marks.get(f"last_{table}_seq", 0))
        assert newest == rows + marks.get(f"freed_{table}_seqs", 0)
        counted = f"SELECT {name}, state, count(*) FROM {table} WHERE state > 2 GROUP BY 1, 2 ORDER BY 1, 2"
        tally = f"SELECT name, state, count FROM tally WHERE kind = '{table}' AND count ORDER BY 1, 2"
        assert look(folder, counted) == look(folder, tally)
    return True


def test_a_replayed_event_stands_at_the_end_of_its_line(dead, folder):
    """It has a new place, no attempts, and is announced after what came in with it."""
    change = Change(what=Replay(ids=(letter(1),)))
    report = dead.commit(Batch(accepts=[(event(5, group="g"), None)], changes=[change]))

    assert change.result.count == 1
    assert [(each.seq, each.event.id, each.attempt) for each in announced(report)] == [
        (5, letter(5), 0),
        (6, letter(1), 0),
    ]
    assert look(folder, "SELECT seq, state, attempt, due_us, reason FROM event WHERE seq IN (1, 6)") == [
        (6, State.RECEIVED, 0, 0, "")
    ]
    assert books_balance(folder)


def test_the_old_road_stays_visible(dead, folder):
    """Attempts before the replay are still told, and those after it are counted anew."""
    order(dead, Replay(ids=(letter(1),)))
    order(dead, settlement(5))

    steps = [(step["step"], step["text"]) for step in Journal(folder).event(letter(1))["steps"][2:]]
    assert steps == [
        ("begun", f"handed to {SERVICE}, attempt 1"),
        ("postponed", "it raised"),
        ("begun", f"handed to {SERVICE}, attempt 2"),
        ("given up", "gave up: Disk on Fire\nTraceback"),
        ("replayed", "by the operator"),
        ("begun", f"handed to {SERVICE}, attempt 1"),
        ("done", ""),
    ]


def test_a_replayed_request_stands_at_the_end_of_its_line(dead, folder):
    """It is announced to the destinations under its old id, and its age counts from now."""
    report, mended = order(dead, Replay(ids=(letter(3, 1),)))

    assert mended.count == 1
    assert [(each.seq, each.id, each.attempt, each.request) for each in report.requests] == [
        (3, letter(3, 1), 0, REQUEST)
    ]
    assert report.requests[0].age_s == 0
    assert look(folder, "SELECT replayed_us FROM request WHERE seq = 3") == [(START_US + 50,)]
    order(dead, sent(3))
    assert [each["state"] for each in Journal(folder).event(letter(3))["requests"]] == ["done", "done"]
    assert books_balance(folder)


@pytest.mark.parametrize("kind", [Replay, Purge])
def test_only_what_is_dead_is_touched(dead, folder, kind):
    """Open, done, unknown and nonsensical ids are passed over and not counted."""
    before = look(folder, "SELECT * FROM event"), look(folder, "SELECT * FROM request")
    ids = (letter(4), letter(3), letter(3, 2), letter(9), letter(3, 9), "", "/", "x/y", f"{letter(3)}/{'9' * 40}")
    _report, mended = order(dead, kind(ids=ids))

    assert mended.count == 0
    assert (look(folder, "SELECT * FROM event"), look(folder, "SELECT * FROM request")) == before


def test_what_is_replayed_once_is_not_replayed_twice(dead):
    """The second order finds it open."""
    assert [order(dead, Replay(ids=(letter(1),)))[1].count for _ in range(2)] == [1, 0]


def test_a_purged_event_is_gone_with_its_road(dead, folder):
    """No row of it is left, and its place and id are not given again after a restart."""
    _report, mended = order(dead, Purge(ids=(letter(1), letter(2))))

    assert mended.count == 2
    assert look(folder, "SELECT seq FROM event") == [(3,), (4,)]
    assert look(folder, "SELECT DISTINCT event_seq FROM step") == [(3,)]
    assert books_balance(folder)


def test_the_newest_place_is_not_given_again_after_a_purge(writer, folder):
    """The marks are written with the deletion: a kill right after it changes nothing."""
    writer.commit(Batch(accepts=[(event(1), None)]))
    order(writer, settlement(1, Outcome.GIVE_UP))
    order(writer, Purge(ids=(letter(1),)))

    assert dict(look(folder, "SELECT name, value FROM meta WHERE name NOT LIKE 'clock_%'")) == {
        "done_bytes": 0,
        "freed_event_seqs": 1,
        "freed_request_seqs": 0,
        "last_event_id": letter(1),
        "last_event_seq": 1,
        "last_request_seq": 0,
    }


def test_a_purged_request_leaves_a_step_on_its_event(dead, folder):
    """The event says what became of its request."""
    assert order(dead, Purge(ids=(letter(3, 1),)))[1].count == 1

    road = Journal(folder).event(letter(3))
    assert [each["id"] for each in road["requests"]] == [letter(3, 2)]
    assert road["steps"][-1]["step"] == "purged"
    assert road["steps"][-1]["text"] == "request 1 for out, by the operator"
    assert books_balance(folder)


def test_an_event_whose_requests_are_still_open_is_not_purged(writer, folder):
    """What it produced is sent under its id."""
    writer.commit(Batch(accepts=[(event(1), None)]))
    order(writer, settlement(1, Outcome.GIVE_UP, requests=(REQUEST,)))

    assert order(writer, Purge(ids=(letter(1),)))[1].count == 0
    order(writer, sent(1))
    assert order(writer, Purge(ids=(letter(1),)))[1].count == 1
    assert look(folder, "SELECT count(*) FROM request") == [(0,)]
    assert books_balance(folder)


def test_an_edited_event_is_replayed_with_its_new_body(dead, folder):
    """It stays dead until then, and the road says that it was edited."""
    assert order(dead, Edit(id=letter(1), body=b"<b/>\n"))[1].count == 1
    assert Journal(folder).event(letter(1))["steps"][-1]["text"] == "by the operator: 4 bytes became 5"
    report, _ = order(dead, Replay(ids=(letter(1),)))

    assert [(each.event.body, each.event.id) for each in announced(report)] == [(b"<b/>\n", letter(1))]
    assert look(folder, "SELECT size_bytes FROM event WHERE seq = 5") == [(5,)]


@pytest.mark.parametrize("body", [b"<a>", b"", b'{"a": 1}', b"<!DOCTYPE a><a/>"])
def test_a_body_that_cannot_be_read_is_refused(dead, folder, body):
    """Services rely on bodies that parse; the event stays as it was."""
    report, mended = order(dead, Edit(id=letter(1), body=body))

    assert [type(error) for _, error in report.failed] == [ImpossibleChange]
    assert mended is None
    assert look(folder, "SELECT body FROM event WHERE seq = 1") == [(b"<a/>",)]


def test_an_edited_request_is_sent_with_its_new_body(dead):
    """Any body: what a destination takes is not ours to judge."""
    assert order(dead, Edit(id=letter(3, 1), body=b"new"))[1].count == 1
    report, _ = order(dead, Replay(ids=(letter(3, 1),)))

    assert [each.request.body for each in report.requests] == [b"new"]


def test_what_is_open_cannot_be_edited(dead):
    """It belongs to its service."""
    assert [order(dead, Edit(id=each, body=b"<b/>"))[1].count for each in (letter(4), letter(3, 2), "x/1")] == [0, 0, 0]


def test_an_order_takes_so_much_and_says_what_is_left(dead, monkeypatch):
    """By number and by bytes: senders wait no longer than for one part."""
    monkeypatch.setattr(mending, "MAX_AT_ONCE", 1)
    _report, mended = order(dead, Purge(ids=(letter(1), letter(2))))
    assert (mended.count, mended.left) == (1, (letter(2),))

    monkeypatch.setattr(mending, "MAX_AT_ONCE", 100)
    monkeypatch.setattr(mending, "MAX_BYTES_AT_ONCE", 4)
    _report, mended = order(dead, Replay(ids=(letter(2), letter(3, 1))))
    assert (mended.count, mended.left) == (1, (letter(3, 1),))


def test_without_the_agent_it_is_the_same(dead, folder, monkeypatch):
    """Replay, purge and edit; progress tells the ids looked at; the agent offers them at its next start."""
    dead.close()
    monkeypatch.setattr(mending, "MAX_AT_ONCE", 1)
    looked_at = []
    with OfflineSpool(folder, now_us=lambda: START_US + 60) as spool:
        assert spool.edit(letter(1), body=b"<b/>") == 1
        with pytest.raises(ValueError, match="cannot be read"):
            spool.edit(letter(1), body=b"<b>")
        assert spool.replay([letter(1), letter(3), letter(3, 1), letter(1)], progress=looked_at.append) == 2
        assert spool.purge([letter(2)]) == 1
    assert looked_at == [1, 2, 3]
    assert sorted(path.name for path in folder.iterdir()) == ["newest", "spool.db"]

    dead.open()
    assert look(folder, "SELECT seq, state FROM event") == [(3, State.DONE), (4, State.RECEIVED), (5, State.RECEIVED)]
    assert books_balance(folder)


def test_without_the_agent_a_failing_disk_is_said(dead, folder, disk):
    """One sentence, and nothing was changed."""
    dead.close()
    with OfflineSpool(folder, now_us=lambda: 0, vfs=disk.name) as spool:
        disk.fail["sync"] = io_error()
        with pytest.raises(MachineError, match="the disk reported an error"):
            spool.purge([letter(1)])
        disk.fail.clear()
    dead.open()

    assert len(look(folder, "SELECT 1 FROM event")) == 4


def test_without_a_spool_there_is_nothing_to_mend(tmp_path):
    """And none is made."""
    with pytest.raises(OperatorError, match="there is no spool"):
        OfflineSpool(tmp_path / "spool", now_us=lambda: 0).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_dead_letters_are_events_and_requests(dead, folder):
    """The latest to die first; ids are those that the orders take."""
    assert Journal(folder).dead_letters(limit=1) == [
        {
            "id": letter(3, 1),
            "kind": "request",
            "service": SERVICE,
            "destination": "out",
            "received": "2025-11-24T16:00:00.000+00:00",
            "died": "2025-11-24T16:00:00.000+00:00",
            "attempt": 1,
            "size_bytes": 2,
            "peer": "192.0.2.7:40001",
            "priority": "normal",
            "group": "g",
            "reason": "404",
            "place": f"{START_US + 400}.3.{letter(3, 1)}",
        }
    ]


def test_pages_of_dead_letters_go_on_behind_the_last_one(dead, folder):
    """However many died at one time; also where the last one was replayed meanwhile."""
    connection = apsw.Connection(str(folder / layout.FILE_NAME))
    for table in ("event", "request"):
        connection.execute(f"UPDATE {table} SET died_us = 7 WHERE state = {State.DEAD.value}")
    connection.close()
    ids, page = [], Journal(folder).dead_letters(limit=1)
    while page:
        ids += [each["id"] for each in page]
        if len(ids) == 2:
            order(dead, Replay(ids=(ids[-1],)))
        page = Journal(folder).dead_letters(limit=1, after=page[-1]["place"])

    assert [letter(3, 1), letter(2), letter(1)] == ids
    with pytest.raises(OperatorError, match="'x' is not a place in the list"):
        Journal(folder).dead_letters(after="x")


def test_dead_letters_come_with_their_bodies(dead, folder, monkeypatch):
    """As many as their bytes allow, and one at least."""
    listed = Journal(folder).dead_letters(bodies=True)
    assert [base64.b64decode(each["body_base64"]) for each in listed] == [b"{}", b"<a/>", b"<a/>"]
    monkeypatch.setattr(letters, "MAX_BYTES_AT_ONCE", 1)

    assert len(Journal(folder).dead_letters(bodies=True)) == 1


def test_dead_letters_come_with_their_roads(dead, folder):
    """What `event` tells of each, so that an export asks once for a page and not once for each letter."""
    listed = Journal(folder).dead_letters(roads=True)

    for told in listed:
        whole = Journal(folder).event(told["id"].partition("/")[0])
        of_it = next((each for each in whole["requests"] if each["id"] == told["id"]), whole)
        names = set(told) & set(of_it) - {"kind", "received"}
        assert {name: of_it[name] for name in names} == {name: told[name] for name in names}
        assert "given up" == told["steps"][-1]["step"]


def test_a_page_of_dead_letters_reads_no_more_than_itself(dead, folder):
    """It goes on in the order of the indexes, from where the last one ended; nobody sorts a hundred thousand."""
    asked = []
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    connection.exec_trace = lambda _cursor, query, bindings: asked.append((query, bindings)) or True
    place = f"{START_US + 400}.3.{letter(3, 1)}"
    letters.dead_letters(connection, after=place, limit=2, **dict.fromkeys(FILTERS, ""), bodies=False, roads=False)
    connection.exec_trace = None
    plan = [row[3] for query, bindings in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", bindings)]
    connection.close()

    for table in ("event", "request"):
        assert f"SEARCH {table} USING INDEX {table}_died (died_us<?)" in plan


def test_letters_of_an_older_spool_keep_the_times_of_their_deaths(dead, folder):
    """Before format 8 only their steps told them."""
    listed = Journal(folder).dead_letters()
    dead.close()
    connection = apsw.Connection(str(folder / layout.FILE_NAME))
    undo_format_8(connection)
    connection.close()
    dead.open()

    assert listed == Journal(folder).dead_letters()
    assert listed[-1]["died"] == Journal(folder).oldest()["dead"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [letter(3, 1), letter(2), letter(1)]),
        ({"limit": 2}, [letter(3, 1), letter(2)]),
        ({"service": SERVICE}, [letter(3, 1), letter(2), letter(1)]),
        ({"service": "x"}, []),
        ({"destination": "out"}, [letter(3, 1)]),
        ({"destination": "x"}, []),
        ({"match": "disk ON"}, [letter(1)]),
        ({"match": "%"}, []),
        ({"since": "2025-11-24T16:00:00.000300+00:00"}, [letter(3, 1)]),
        ({"before": "2025-11-24T16:00:00.000300"}, [letter(2), letter(1)]),
        ({"before": "2025-11-24T18:00:00.000300+02:00"}, [letter(2), letter(1)]),
    ],
)
def test_dead_letters_can_be_narrowed(dead, folder, choice, expected):
    """By service, destination, time of dying, and what the reason says."""
    assert expected == [each["id"] for each in Journal(folder).dead_letters(**choice)]


def test_a_time_that_is_none_is_refused(dead, folder):
    """A typo is not an empty list."""
    with pytest.raises(OperatorError, match="'yesterday' is not a time"):
        Journal(folder).dead_letters(since="yesterday")


LARGE = b"<a>" + b"x" * LARGE_BYTES + b"</a>"


def test_large_bodies_go_with_their_rows(writer, folder):
    """They lie beside their row, move with it, are edited to small and back, and are deleted with it."""
    large = OutboundRequest(destination="out", body=LARGE)
    writer.commit(Batch(accepts=[(event(number, body=LARGE), None) for number in (1, 2)]))
    order(writer, settlement(1, Outcome.GIVE_UP))
    order(writer, settlement(2, requests=(large, large)))
    order(writer, sent(1, Outcome.GIVE_UP))
    assert look(folder, "SELECT seq, length(body) FROM event_body") == [(1, len(LARGE)), (2, len(LARGE))]
    assert {each["size_bytes"] for each in Journal(folder).dead_letters()} == {len(LARGE)}

    report, _ = order(writer, Replay(ids=(letter(1), letter(2, 1))))
    assert [each.event.body for each in announced(report)] == [LARGE]
    assert [each.request.body for each in report.requests] == [LARGE]
    assert Journal(folder).event(letter(2))["requests"][0]["body"] == LARGE.decode()
    assert books_balance(folder)

    order(writer, settlement(3, Outcome.GIVE_UP))
    order(writer, sent(3, Outcome.GIVE_UP))
    for letter_id in (letter(1), letter(2, 1)):
        order(writer, Edit(id=letter_id, body=b"<b/>"))
        assert books_balance(folder)
        order(writer, Edit(id=letter_id, body=LARGE))
    assert Journal(folder).event(letter(1))["body"] == LARGE.decode()
    assert order(writer, Purge(ids=(letter(1), letter(2, 1))))[1].count == 2
    assert books_balance(folder)
    assert look(folder, "SELECT seq FROM request_body") == [(2,)]


def test_dead_letters_are_found_by_their_ids(dead, folder):
    """With whose they are; others are not there."""
    first = Journal(folder).dead_letters(limit=50)
    ids = [one["id"] for one in first]
    assert [{name: one[name] for name in ("id", "service", "destination")} for one in first] == Journal(
        folder
    ).dead_named([*ids, "nobody", "nobody/1", f"{ids[0]}/9"])
