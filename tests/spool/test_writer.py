"""One batch, one transaction: what is stored, what is refused, and what a failing disk leaves behind."""

import shutil

import apsw
import pytest

from agent.delivery import Answer, OutboundRequest, Outcome, State
from agent.errors import MachineError
from agent.spool import layout
from agent.spool import rows as rows_module
from agent.spool import writer as writer_module
from agent.spool.batch import Batch, Change, announced
from agent.spool.changes import Answered
from agent.spool.claims import Claim
from agent.spool.journal import Journal
from agent.spool.reader import OpenWork
from agent.spool.writer import Writer
from tests.spool.support import SERVICE, START_US, event, full, io_error, sent, settlement

REQUEST = OutboundRequest(destination="out", body=b"{}", headers=(("x-a", "ä"),), path="/p", method="PUT")


def accepting(*numbers, **more):
    return Batch(accepts=[(event(number, **more), None) for number in numbers])


def changing(*changes):
    return Batch(changes=[Change(what=what) for what in changes])


def rows(folder, query):
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def open_seqs(folder, service=SERVICE):
    return [stored.seq for stored in open_events(folder, service)]


def open_events(folder, service=SERVICE, **choice):
    work = OpenWork(folder=folder, age_us=lambda: START_US)
    keywords = {"after_seq": 0, "limit": 1000, "priority": None, "group": None, "except_groups": (), **choice}
    try:
        return work.events(service, **keywords)
    finally:
        work.close()


def open_requests(folder, destination="out"):
    work = OpenWork(folder=folder, age_us=lambda: START_US)
    try:
        return work.requests(destination, after_seq=0, limit=1000, group=None, except_groups=())
    finally:
        work.close()


def test_seqs_count_up_without_gaps(writer, folder):
    """Refused events leave no hole in the sequence, so that a hole always means a loss."""
    assert writer.commit(accepting(1, 2)).first_seq == 1
    writer._connection.execute("PRAGMA max_page_count = 1")
    assert len(writer.commit(accepting(3, body=bytes(2_000_000))).refused) == 1
    writer._connection.execute("PRAGMA max_page_count = 1073741823")

    assert writer.commit(accepting(4)).first_seq == 3
    assert open_seqs(folder) == [1, 2, 3]


def test_an_event_comes_back_as_it_was(writer, folder):
    """Every field of an event survives, bytes and characters unchanged."""
    original = event(
        1, group="pump-ü", body=b"\x00\xff<a/>", content_type="text/xml", charset="utf-16", path="/ä/b", query="a=%20"
    )
    writer.commit(Batch(accepts=[(original, None)]))

    assert [stored.event for stored in open_events(folder)] == [original]


@pytest.mark.parametrize("size", [0, rows_module.LARGE_BYTES, rows_module.LARGE_BYTES + 1, 100_000])
def test_bodies_of_all_sizes_come_back(writer, folder, size):
    """In the row or beside it; of events, of events that were answered, and of requests."""
    body = b"x" * size
    large = OutboundRequest(destination="out", body=body)
    writer.commit(accepting(1, body=body))
    writer.commit(changing(Answered(event=event(2, body=body), settlement=settlement(0, requests=(large,)))))

    assert [stored.event.body for stored in open_events(folder)] == [body]
    assert [stored.request.body for stored in open_requests(folder)] == [body]
    beside = [(2 * (size > rows_module.LARGE_BYTES), 1 * (size > rows_module.LARGE_BYTES))]
    assert rows(folder, "SELECT (SELECT count(*) FROM event_body), (SELECT count(*) FROM request_body)") == beside


def test_changing_a_state_does_not_write_a_large_body_again(writer, folder):
    """The log grows by the page of the row and not by the body."""
    writer.commit(accepting(1, body=bytes(1_000_000)))
    writer._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    writer.commit(changing(settlement(1)))

    assert (folder / "spool.db-wal").stat().st_size < 100_000


def test_files_are_closed_to_others(writer, folder):
    """The folder is 0700 and every file in it 0600, whatever the umask."""
    writer.commit(accepting(1))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "newest": 0o600,
        "spool.db": 0o600,
        "spool.db-wal": 0o600,
        "spool.db-shm": 0o600,
    }


def test_a_new_spool_is_made_with_one_transaction(tmp_path, disk):
    """Synced are the head of the log, all tables, and the note of the clock: not each format that ever was."""
    writer = Writer(folder=tmp_path / "new", now_us=lambda: START_US, vfs=disk.name)
    writer.open()
    assert ["sync"] * 3 == disk.record
    writer.close()


def test_each_commit_syncs_the_log_before_it_is_reported(writer, disk):
    """One batch, one sync of the log, and it is over when the report is made."""
    writer.commit(accepting(1))
    disk.record.clear()
    writer.commit(accepting(*range(2, 100)))

    assert disk.record == ["sync"]


@pytest.mark.parametrize(
    ("batch", "begins"),
    [
        (accepting(2, 3, 4), 0),
        (accepting(2, 3, idempotency_key="k"), 1),
        (accepting(2, body=b"x" * 10_000), 1),
        (Batch(accepts=[(event(2), None)], changes=[Change(what=settlement(1))]), 1),
    ],
)
def test_one_statement_is_a_transaction_by_itself(writer, batch, begins):
    """New events alone need no other; with anything else they are stored together or not at all."""
    writer.commit(accepting(1))
    seen = []
    writer._connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda step: seen.append(step["sql"]))
    report = writer.commit(batch)
    assert ([], begins) == (report.refused + report.failed, seen.count("BEGIN IMMEDIATE"))


def test_settling_stores_the_requests_in_the_same_transaction(writer, folder):
    """The event is done and its requests are open, or neither."""
    writer.commit(accepting(1, group="pump"))
    report = writer.commit(changing(settlement(1, requests=(REQUEST, REQUEST))))

    assert open_seqs(folder) == []
    stored = open_requests(folder)
    assert report.requests == stored
    assert [(each.id, each.group, each.request) for each in stored] == [
        (f"{event(1).id}/1", "pump", REQUEST),
        (f"{event(1).id}/2", "pump", REQUEST),
    ]
    assert rows(folder, "SELECT DISTINCT created_us FROM request") == [(START_US + 50,)]


def test_when_the_settlement_fails_no_request_is_stored(writer, folder, disk):
    """A sync error in mid-settlement leaves the event open and no request behind."""
    writer.commit(accepting(1))
    disk.fail["sync"] = io_error()
    report = writer.commit(changing(settlement(1, requests=(REQUEST,))))
    disk.fail.clear()

    assert [type(error) for _, error in report.failed] == [apsw.IOError]
    assert report.requests == []
    assert (open_seqs(folder), open_requests(folder)) == ([1], [])


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SUCCEED, State.DONE),
        (Outcome.SUPPRESS, State.SUPPRESSED),
        (Outcome.GIVE_UP, State.DEAD),
        (Outcome.POSTPONE, State.WAITING),
        (Outcome.INTERRUPT, State.RECEIVED),
    ],
)
def test_every_outcome_leads_where_the_table_says(writer, folder, outcome, state):
    """A settlement applies the claim and then the outcome; only a waiting event keeps the time it is due."""
    writer.commit(accepting(1))
    writer.commit(changing(settlement(1, outcome, due_us=77, reason="why")))

    due_us = 77 if state is State.WAITING else 0
    assert rows(folder, "SELECT state, attempt, due_us, reason FROM event") == [(state, 1, due_us, "why")]


def test_attempts_count_the_settlements(writer, folder):
    """What is offered again says how often it was begun before."""
    writer.commit(accepting(1))
    for _ in range(3):
        writer.commit(changing(settlement(1, Outcome.POSTPONE, due_us=5)))

    [stored] = open_events(folder)
    assert (stored.attempt, stored.state) == (3, State.WAITING)


def test_a_claim_on_disk_is_not_counted_twice(writer, folder):
    """Where the row says claimed already, its attempt was counted with the claim."""
    writer.commit(accepting(1))
    writer._connection.execute("UPDATE event SET state = ?, attempt = 1", (State.CLAIMED,))
    writer.commit(changing(settlement(1)))

    assert rows(folder, "SELECT state, attempt FROM event") == [(State.DONE, 1)]


def test_a_doubtful_log_is_left_for_the_next_start(folder, disk):
    """Closing after a failed sync copies nothing: the next start reads the log from the disk and checks it."""
    writer = Writer(folder=folder, now_us=lambda: 0, vfs=disk.name)
    writer.open()
    writer.commit(accepting(1))
    disk.fail["sync"] = io_error()
    writer.commit(accepting(2))
    disk.fail.clear()
    size = (folder / "spool.db-wal").stat().st_size
    writer.close()

    assert (folder / "spool.db-wal").stat().st_size == size
    assert open_seqs(folder)[0] == 1


def test_an_impossible_settlement_does_not_disturb_the_others(writer, folder):
    """Settling what is done or not there fails alone, with a sentence."""
    writer.commit(accepting(1, 2))
    writer.commit(changing(settlement(1)))
    report = writer.commit(changing(settlement(1), settlement(99), sent(99), settlement(2)))

    assert [str(error) for _, error in report.failed] == [
        "an event that is done cannot claim",
        "event 99 is not in the spool and cannot succeed",
        "request 99 is not in the spool; it cannot succeed",
    ]
    assert [change.what.seq for change in report.changes] == [2]
    assert open_seqs(folder) == []


def test_an_event_that_cannot_be_stored_does_not_take_its_batch_with_it(writer, folder):
    """A double id and a text that is no Unicode are refused alone; the others of the batch keep their order."""
    report = writer.commit(
        Batch(accepts=[(each, None) for each in [event(1), event(1), event(2, path="\ud800"), event(3)]])
    )

    assert [each.event.id for each in announced(report)] == [event(1).id, event(3).id]
    assert [stored.event.id for stored in open_events(folder)] == [event(1).id, event(3).id]
    assert [type(error) for _, _, error in report.refused] == [apsw.ConstraintError, UnicodeEncodeError]


def test_a_request_keeps_its_answer(writer, folder):
    """Settling a request and storing the answer is one transaction."""
    writer.commit(accepting(1))
    writer.commit(changing(settlement(1, requests=(REQUEST,))))
    answer = Answer(status=202, where="http://b.example/", body=b"\x00ok", content_type="text/plain")
    writer.commit(changing(sent(1, answer=answer)))

    assert open_requests(folder) == []
    assert rows(folder, "SELECT state, answer_status, answer_where, answer_type, answer_body FROM request") == [
        (State.DONE, 202, "http://b.example/", "text/plain", b"\x00ok")
    ]


def test_an_answered_event_is_stored_with_its_end(writer, folder):
    """It gets a place, is never offered, and what it produced is."""
    writer.commit(accepting(1))
    answered = Answered(event=event(2), settlement=settlement(0, requests=(REQUEST,)))
    report = writer.commit(changing(answered))

    assert [each.id for each in report.requests] == [f"{event(2).id}/1"]
    assert rows(folder, "SELECT seq, id, state FROM event WHERE seq = 2") == [(2, event(2).id, State.DONE)]
    assert writer.last_event_id == event(2).id


def test_what_was_in_hand_is_offered_again_after_a_restart(folder):
    """Rows that a dead process left claimed are interrupted when the spool is opened."""
    first = Writer(folder=folder, now_us=lambda: 0)
    first.open()
    first.commit(accepting(1))
    first._connection.execute("UPDATE event SET state = ?", (State.CLAIMED,))
    first.close()
    second = Writer(folder=folder, now_us=lambda: 0)
    second.open()
    second.close()

    assert [stored.state for stored in open_events(folder)] == [State.RECEIVED]


def test_an_attempt_that_went_down_with_the_agent_stands_on_the_road(folder):
    """So that the numbers of attempts are those of the reason, and nobody wonders where one is; of requests as well."""
    first = Writer(folder=folder, now_us=lambda: START_US)
    first.open()
    first.commit(accepting(1))
    first.commit(
        changing(settlement(1, Outcome.POSTPONE, due_us=5, requests=(REQUEST,)), Claim(events=(1,), requests=(1,)))
    )
    first.close()
    second = Writer(folder=folder, now_us=lambda: START_US + 9_000_000)
    second.open()
    second.commit(changing(settlement(1)))
    second.close()

    found = Journal(folder).event(event(1).id)
    assert [(step["step"], step["text"]) for step in found["steps"][2:]] == [
        ("begun", f"handed to {SERVICE}, attempt 1"),
        ("postponed", ""),
        ("begun", f"handed to {SERVICE}, attempt 2, some time before"),
        ("interrupted", "the agent ended before it did"),
        ("begun", f"handed to {SERVICE}, attempt 3"),
        ("done", ""),
    ]
    assert found["attempt"] == 3
    assert [step["step"] for step in found["requests"][0]["steps"]] == ["stored", "begun", "interrupted"]


def test_places_and_ids_go_on_after_a_restart_even_when_rows_were_deleted(folder):
    """A retention rule that deletes the newest rows does not make their places be given again."""
    first = Writer(folder=folder, now_us=lambda: 0)
    first.open()
    first.commit(accepting(1, 2))
    first.close()
    connection = layout.open_for_writing(folder / layout.FILE_NAME)
    connection.execute("DELETE FROM event")
    connection.close()
    second = Writer(folder=folder, now_us=lambda: 0)
    second.open()
    assert second.last_event_id == event(2).id

    assert second.commit(accepting(3)).first_seq == 3
    second.close()


@pytest.mark.parametrize(("fault", "error"), [("sync", io_error()), ("write", io_error(apsw.SQLITE_IOERR_WRITE))])
def test_after_a_disk_error_nothing_is_stored_until_the_spool_is_verified(writer, folder, disk, fault, error):
    """The batch is refused, and so is each one after it while the disk fails; then it goes on, without a gap."""
    writer.commit(accepting(1))
    disk.fail[fault] = error
    assert len(writer.commit(accepting(2)).refused) == 1
    assert not writer.is_trusted
    assert len(writer.commit(accepting(3)).refused) == 1
    disk.fail.clear()

    assert writer.commit(accepting(4)).first_seq == 2
    assert writer.is_trusted
    assert [stored.event.id for stored in open_events(folder)] == [event(1).id, event(4).id]


def test_a_failed_sync_is_not_followed_by_a_sync_of_the_same_log(writer, folder, disk):
    """After EIO the whole log is copied into the database and emptied before anything is stored again."""
    writer.commit(accepting(1))
    disk.fail["sync"] = io_error()
    writer.commit(accepting(2))
    disk.fail.clear()
    log = folder / "spool.db-wal"
    before = log.read_bytes()
    writer.commit(accepting(3))

    assert log.read_bytes()[16:24] != before[16:24], "the salts of the log's header say that it was begun anew"
    assert event(2).id.encode() not in log.read_bytes()


def test_a_full_disk_refuses_and_goes_on_when_there_is_space(writer, folder, disk):
    """ENOSPC is refused without distrust: what was synced before is sound."""
    writer.commit(accepting(1))
    disk.fail["write"] = full()
    report = writer.commit(accepting(2))
    assert [type(error) for _, _, error in report.refused] == [apsw.FullError]
    assert writer.is_trusted
    disk.fail.clear()

    assert writer.commit(accepting(3)).first_seq == 2


def test_acknowledged_events_that_are_missing_after_a_disk_error_are_noticed(writer, folder, disk):
    """When the newest acknowledged event is not there after reopening, nothing is accepted any more."""
    writer.commit(accepting(1, 2))
    writer._event_seq = 3
    disk.fail["sync"] = io_error()
    writer.commit(accepting(4))
    disk.fail.clear()
    [(_, _, error)] = writer.commit(accepting(5)).refused

    assert isinstance(error, MachineError)
    assert error.code == "spool-incomplete"


def test_the_log_is_copied_when_it_has_grown(writer, folder, disk, monkeypatch):
    """The checkpoint comes after the report, syncs the database, and starts the log anew."""
    monkeypatch.setattr(writer_module, "CHECKPOINT_PAGES", 10)
    writer.commit(accepting(1, body=bytes(100_000)))
    size = (folder / "spool.db-wal").stat().st_size

    assert writer.checkpoint() is None
    writer.commit(accepting(2, body=bytes(50_000)))
    assert (folder / "spool.db-wal").stat().st_size == size
    assert (folder / "spool.db").stat().st_size > 100_000


def test_a_checkpoint_that_cannot_sync_makes_the_connection_doubtful(writer, folder, disk, monkeypatch):
    """A second attempt on the same pages would succeed without writing them: they are copied anew instead."""
    monkeypatch.setattr(writer_module, "CHECKPOINT_PAGES", 1)
    writer.commit(accepting(1))
    disk.fail["sync"] = io_error()
    assert isinstance(writer.checkpoint(), apsw.IOError)
    assert not writer.is_trusted
    disk.fail.clear()

    assert writer.commit(accepting(2)).first_seq == 2
    assert open_seqs(folder) == [1, 2]


def test_closing_leaves_one_file(folder):
    """After a clean stop the database alone holds everything."""
    writer = Writer(folder=folder, now_us=lambda: 0)
    writer.open()
    writer.commit(accepting(1))
    writer.close()

    assert sorted(path.name for path in folder.iterdir()) == ["newest", "spool.db"]


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "log deleted"])
def test_a_folder_that_is_gone_stores_nothing_more(writer, folder, how):
    """No event is acknowledged that is in a file without a name; what is in hand can still be settled."""
    writer.commit(accepting(1, 2))
    if how == "log deleted":
        (folder / f"{layout.FILE_NAME}-wal").unlink()
    elif how == "deleted":
        shutil.rmtree(folder)
    else:
        folder.rename(folder.with_name("aside"))
        if how == "replaced":
            shutil.copytree(folder.with_name("aside"), folder)

    report = writer.commit(Batch(accepts=accepting(3).accepts, changes=changing(settlement(1)).changes))

    assert ([], 1) == (report.accepts, len(report.changes))
    ((_event, _waiting, error),) = report.refused
    assert "store-gone" == error.code
    assert "deleted, moved or replaced" in error.sentence


def test_a_folder_that_is_put_back_goes_on(writer, folder):
    """Moved away and back it is the same: nothing was lost in between."""
    folder.rename(folder.with_name("aside"))
    writer.commit(accepting(1))
    folder.with_name("aside").rename(folder)
    assert 1 == len(writer.commit(accepting(2)).accepts)
    assert [1] == open_seqs(folder)


def test_a_folder_that_goes_during_the_commit_is_noticed(writer, disk, folder):
    """What was synced after its name was gone is not acknowledged."""
    disk.hold = lambda: shutil.rmtree(folder, ignore_errors=True)
    report = writer.commit(accepting(1))
    assert ([], 1) == (list(report.accepts), len(report.refused))


def test_a_connection_that_was_opened_anew_is_at_its_place(writer, disk, folder):
    """After a failed sync the log may be another file: that is no reason to refuse."""
    writer.commit(accepting(1))
    disk.fail["sync"] = io_error()
    writer.commit(accepting(2))
    disk.fail.clear()
    assert [1, 1] == [len(writer.commit(accepting(number)).accepts) for number in (3, 4)]


def test_a_disk_that_is_full_at_the_start_does_not_keep_the_spool_closed(folder, disk):
    """What was in hand cannot be noted as interrupted; it is open all the same, and keeps its number of attempts."""
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    writer.commit(accepting(1))
    writer.commit(changing(Claim(events=(1,))))
    writer.close()
    disk.fail["write"] = full()
    again = Writer(folder=folder, now_us=lambda: START_US, vfs=disk.name)
    again.open()

    assert [(SERVICE, 1, 4)] == again.open_loads
    assert [1] == open_seqs(folder)
    assert again.commit(accepting(2)).refused
    disk.fail.clear()
    assert not again.commit(changing(settlement(1))).failed
    assert [(State.DONE, 1)] == rows(folder, "SELECT state, attempt FROM event")
    again.close()
