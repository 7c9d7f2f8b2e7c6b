"""Damage that is found at the start: moved aside whole, the readable saved, and the agent comes up."""

import pytest

from agent.delivery import OutboundRequest, Outcome, State
from agent.spool import layout, rescue
from agent.spool.batch import Batch, Change
from agent.spool.journal import Journal
from agent.spool.mark import Mark, MarkFile
from agent.spool.rescue import check, look_over, over_after
from agent.spool.rows import LARGE_BYTES
from agent.spool.writer import Writer
from tests.spool.support import START_US, FaultyDisk, event, sent, settlement
from tests.spool.test_mending import books_balance

PAGE = 4096
REQUEST = OutboundRequest(destination="out", body=b"{}")


def open_writer(folder, **more):
    writer = Writer(folder=folder, now_us=lambda: START_US, **more)
    writer.open()
    return writer


@pytest.fixture
def filled(folder):
    """200 events over many pages: 1 to 20 done with a request each, 21 to 30 dead, the rest open; closed."""
    writer = open_writer(folder)
    for number in range(1, 201):
        body = bytes(LARGE_BYTES + 1) if number % 10 == 0 else bytes(500)
        writer.commit(Batch(accepts=[(event(number, body=body), None)]))
    changes = [settlement(seq, requests=(REQUEST,)) for seq in range(1, 21)]
    changes += [settlement(seq, Outcome.GIVE_UP) for seq in range(21, 31)]
    writer.commit(Batch(changes=[Change(what=what) for what in [*changes, sent(1)]]))
    writer.close()
    return folder


def look(folder, **more):
    return look_over(folder, time_s=10, now_us=lambda: START_US, seconds=lambda: 0.0, **more).said


def pages_of(folder, table):
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    try:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
        return [page for (page,) in connection.execute(query, (table,))]
    finally:
        connection.close()


def damage(path, offset, data=b"\xff" * PAGE):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def states(folder):
    return {each["id"]: each["state"] for each in Journal(folder).events(limit=1000)}


def quarantine(folder):
    [path] = folder.glob("quarantine-*")
    return path


def test_a_sound_spool_is_left_alone(filled):
    """Nothing is said, nothing moved, no byte changed."""
    before = (filled / layout.FILE_NAME).read_bytes()

    assert look(filled) == []
    assert (filled / layout.FILE_NAME).read_bytes() == before
    assert sorted(path.name for path in filled.iterdir() if not path.name.endswith(("-shm", "-wal"))) == [
        "newest",
        "spool.db",
    ]


def test_a_new_home_has_nothing_to_check(tmp_path):
    """And nothing is made."""
    assert look(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [0, 5, -1])
def test_a_damaged_page_costs_what_is_on_it(filled, which):
    """The others keep places, ids and states; the agent comes up, goes on after the old places, and says so."""
    page = pages_of(filled, "event")[which]
    damage(filled / layout.FILE_NAME, (page - 1) * PAGE)
    before = (filled / layout.FILE_NAME).read_bytes()
    writer = open_writer(filled)

    [sentence] = writer.findings
    found = states(filled)
    assert 180 <= len(found) < 200
    assert f"{len(found)} events were saved" in sentence
    assert f"{200 - len(found)} places of events could not be read" in sentence
    expected = {event(n).id: "done" if n < 21 else "dead" if n < 31 else "received" for n in range(1, 201)}
    assert found.items() <= expected.items()
    assert books_balance(filled)
    assert writer.commit(Batch(accepts=[(event(900), None)])).first_seq == 201
    assert writer.last_event_id == event(900).id
    aside = quarantine(filled)
    assert (aside / layout.FILE_NAME).read_bytes() == before
    assert sentence in (aside / "report.txt").read_text()
    assert aside.stat().st_mode & 0o777 == 0o700
    writer.close()
    assert open_writer_says(filled) == []


def open_writer_says(folder):
    writer = open_writer(folder)
    writer.close()
    return writer.findings


def test_the_name_of_an_event_that_could_not_be_saved_is_forgotten(filled):
    """Who sends it again must not be told that it is stored; the names of the others count as before."""
    writer = open_writer(filled)
    for number in range(201, 204):
        writer.commit(Batch(accepts=[(event(number, body=bytes(2000), idempotency_key=f"k{number}"), None)]))
    writer.close()
    damage(filled / layout.FILE_NAME, (pages_of(filled, "event")[-1] - 1) * PAGE)
    writer = open_writer(filled)
    kept = {event_id for event_id in (event(number).id for number in range(201, 204)) if event_id in states(filled)}
    assert 0 < len(kept) < 3
    reports = [
        writer.commit(Batch(accepts=[(event(number + 100, idempotency_key=f"k{number}"), None)]))
        for number in range(201, 204)
    ]

    assert kept == {earlier_id for report in reports for _, _, earlier_id in report.repeats}
    assert 3 - len(kept) == sum(len(report.accepts) for report in reports)


@pytest.mark.parametrize("table", ["event_body", "step", "request", "sqlite_autoindex_event_1", "event_open"])
def test_damage_elsewhere_leaves_nothing_half(filled, table):
    """An event whose body is gone is not processed with another one; a damaged index costs no event."""
    page = pages_of(filled, table)[0]
    damage(filled / layout.FILE_NAME, (page - 1) * PAGE)
    writer = open_writer(filled)

    assert len(writer.findings) == 1
    count = len(states(filled))
    assert count == 200 if table != "event_body" else 180 <= count < 200
    assert books_balance(filled)
    rows = writer._connection.execute("SELECT size_bytes, coalesce(length(b.body), length(e.body)) FROM event e "
                                      "LEFT JOIN event_body b USING (seq)").fetchall()  # fmt: skip
    assert all(size == length for size, length in rows)
    writer.close()


@pytest.mark.parametrize("content", [b"no database at all " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_moved_aside(filled, content):
    """Nothing can be saved; the agent comes up all the same, and never gives the old places again."""
    (filled / layout.FILE_NAME).write_bytes(content)
    writer = open_writer(filled)

    assert "0 events were saved" in writer.findings[0]
    assert (quarantine(filled) / layout.FILE_NAME).read_bytes() == content
    assert writer.commit(Batch(accepts=[(event(900), None)])).first_seq == 201
    writer.close()


def test_a_spool_that_is_gone_is_said(filled):
    """A new one is begun, after the old places."""
    (filled / layout.FILE_NAME).unlink()
    writer = open_writer(filled)

    assert "the spool is gone; 200 events had been stored" in writer.findings[0]
    assert writer.commit(Batch(accepts=[(event(900), None)])).first_seq == 201
    assert writer.last_event_id == event(900).id
    assert books_balance(filled)
    writer.close()


def killed(folder, count):
    """What a kill leaves behind: everything in the log."""
    writer = open_writer(folder)
    for number in range(1, count + 1):
        writer.commit(Batch(accepts=[(event(number), None)]))
    writer._connection.config(__import__("apsw").SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    writer._connection.close(force=True)


@pytest.mark.parametrize("how", ["truncated", "removed"])
def test_a_missing_end_is_noticed(folder, how):
    """SQLite takes a log that is cut off for a shorter one; the mark outside the database knows better."""
    killed(folder, 50)
    log = folder / "spool.db-wal"
    kept = log.stat().st_size // 2
    if how == "truncated":
        log.write_bytes(log.read_bytes()[:kept])
    else:
        log.unlink()
    left = log.read_bytes() if log.exists() else None
    writer = open_writer(folder)

    [sentence] = writer.findings
    missing = 50 - len(states(folder)) if how != "removed" else 50
    assert f"{missing} events" in sentence
    assert 20 <= missing <= 50
    assert "missing" in sentence or "gone" in sentence or "moved" in sentence
    if left is not None:
        assert (quarantine(folder) / "spool.db-wal").read_bytes() == left
    assert writer.commit(Batch(accepts=[(event(900), None)])).first_seq == 51
    assert books_balance(folder)
    writer.close()
    assert open_writer_says(folder) == []


@pytest.mark.parametrize("part", [1, 5, 9])
def test_what_stands_behind_a_flipped_bit_of_the_log_is_saved(folder, part):
    """SQLite reads nothing from there on; here no event is lost, because its page was written again by a later one."""
    killed(folder, 50)
    log = folder / "spool.db-wal"
    damage(log, log.stat().st_size * part // 10, b"\xa5")
    left = log.read_bytes()
    writer = open_writer(folder)

    [sentence] = writer.findings
    assert "in its log 1 of" in sentence
    assert "50 events were saved (50 of them still to be done) and no place was unreadable" in sentence
    assert (quarantine(folder) / "spool.db-wal").read_bytes() == left
    assert writer.commit(Batch(accepts=[(event(900), None)])).first_seq == 51
    assert books_balance(folder)
    writer.close()
    assert open_writer_says(folder) == []


def test_without_room_for_a_copy_what_is_before_the_bit_stays(folder, monkeypatch):
    """The agent comes up in any case."""
    killed(folder, 50)
    log = folder / "spool.db-wal"
    damage(log, log.stat().st_size // 2, b"\xa5")
    found = len(states(folder))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.spool.quarantine.write_image", full)
    writer = open_writer(folder)

    [sentence] = writer.findings
    assert f"{50 - found} events that had been acknowledged" in sentence
    writer.close()


@pytest.mark.parametrize("pages", [50, 30])
def test_a_database_that_was_cut_off_gives_what_is_left(filled, pages):
    """SQLite refuses a file that is shorter than its header says; the pages that are there are read all the same."""
    path = filled / layout.FILE_NAME
    left = [page for page in pages_of(filled, "event") if page <= pages]
    path.write_bytes(path.read_bytes()[: pages * PAGE])
    before = path.read_bytes()
    writer = open_writer(filled)

    [sentence] = writer.findings
    found = states(filled)
    assert 200 > len(found) >= 4 * len(left) > 0
    assert f"{len(found)} events were saved" in sentence
    assert f"{200 - len(found)} places of events could not be read" in sentence
    assert (quarantine(filled) / layout.FILE_NAME).read_bytes() == before
    assert books_balance(filled)
    writer.close()


def test_an_empty_database_with_a_log_is_read_from_its_log(folder):
    """SQLite would delete the log without a word."""
    killed(folder, 3)
    log = (folder / "spool.db-wal").read_bytes()
    (folder / layout.FILE_NAME).write_bytes(b"")
    writer = open_writer(folder)

    assert "the database is empty although its log is not" in writer.findings[0]
    assert "3 events were saved (3 of them still to be done) and no place was unreadable" in writer.findings[0]
    assert 3 == len(states(folder))
    assert (quarantine(folder) / "spool.db-wal").read_bytes() == log
    writer.close()


def test_the_check_has_an_end(filled):
    """A spool too large for the time is opened all the same, and the operator is told that not all was looked at."""
    ticks = iter(range(10**9))
    connection = layout.open_for_reading(filled / layout.FILE_NAME)
    rescue_steps, rescue.PROGRESS_STEPS = rescue.PROGRESS_STEPS, 10
    try:
        found = check(connection, is_enough=over_after(3, lambda: next(ticks)))
        [sentence] = look_over(filled, time_s=3, now_us=lambda: START_US, seconds=lambda: next(ticks)).said
    finally:
        rescue.PROGRESS_STEPS = rescue_steps
        connection.close()

    assert (found.fault, found.is_whole) == ("", False)
    assert "as far as 3 s reached" in sentence


def test_two_quarantines_of_one_second_have_two_names(filled):
    """Nothing that was moved aside is overwritten."""
    for _ in range(2):
        (filled / layout.FILE_NAME).write_bytes(b"x" * 5000)
        look(filled)

    assert len(list(filled.glob("quarantine-*"))) == 2


def test_a_spool_of_an_older_format_is_saved_as_well(filled):
    """Columns that it had not get their defaults."""
    connection = layout.open_for_writing(filled / layout.FILE_NAME)
    connection.execute("DROP TABLE dedup; ALTER TABLE request DROP COLUMN replayed_us")
    connection.pragma("user_version", 1)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    page = pages_of(filled, "event")[3]
    damage(filled / layout.FILE_NAME, (page - 1) * PAGE)
    writer = open_writer(filled)

    assert len(states(filled)) >= 180
    assert writer._connection.execute("SELECT count(*) FROM request").get == 20 - sum(
        1 for n in range(1, 21) if event(n).id not in states(filled)
    )
    writer.close()


def test_the_mark_never_runs_ahead(folder):
    """It is written after the commit, and a batch that failed is not in it."""
    disk = FaultyDisk("mark")
    writer = open_writer(folder, vfs=disk.name)
    writer.commit(Batch(accepts=[(event(1), None)]))
    from tests.spool.support import io_error

    disk.fail["sync"] = io_error()
    writer.commit(Batch(accepts=[(event(2), None)]))
    assert MarkFile(folder).read() == Mark(event_seq=1, request_seq=0, event_id=event(1).id)
    disk.fail.clear()
    writer.close()
    disk.unregister()


@pytest.mark.parametrize("content", [b"", b"1", b"x y z\n", b"\xff\xff", b"-"])
def test_a_mark_that_cannot_be_understood_is_none(tmp_path, content):
    """It is a witness, not the truth."""
    (tmp_path / "newest").write_bytes(content)

    assert MarkFile(tmp_path).read() == Mark()


def test_a_mark_is_read_as_it_was_written(tmp_path):
    """Also a shorter one over a longer one, and one without an id."""
    file = MarkFile(tmp_path)
    for mark in (Mark(event_seq=10**15, request_seq=7, event_id=event(1).id), Mark(event_seq=1)):
        file.write(mark)
        assert MarkFile(tmp_path).read() == mark
    file.close()


def test_states_survive_a_rescue(filled):
    """Settled requests keep their answers' places, dead letters stay dead."""
    page = pages_of(filled, "step")[0]
    damage(filled / layout.FILE_NAME, (page - 1) * PAGE)
    writer = open_writer(filled)
    requests = writer._connection.execute("SELECT state, count(*) FROM request GROUP BY 1").fetchall()

    assert requests == [(State.RECEIVED, 19), (State.DONE, 1)]
    assert Journal(filled).counts()["services"][event(1).service]["dead"] == 10
    writer.close()
