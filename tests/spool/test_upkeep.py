"""What an operator does to the spool's files: check, stats, compact, salvage."""

import pytest

from agent.delivery import OutboundRequest, Outcome
from agent.errors import MachineError, OperatorError
from agent.spool import layout
from agent.spool.batch import Batch, Change
from agent.spool.journal import Journal
from agent.spool.mark import Mark, MarkFile
from agent.spool.retention import Retire
from agent.spool.upkeep import Upkeep
from agent.spool.writer import Writer
from tests.spool.support import START_US, Time, event, settlement
from tests.spool.test_mending import books_balance, look

REQUEST = OutboundRequest(destination="out", body=bytes(5000))


def fill(folder, numbers):
    """The first is done with a request, the second dead, the others open."""
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    first = writer.last_seq + 1
    writer.commit(Batch(accepts=[(event(number, body=bytes(4000)), None) for number in numbers]))
    for what in (settlement(first, requests=(REQUEST,)), settlement(first + 1, Outcome.GIVE_UP)):
        writer.commit(Batch(changes=[Change(what=what)]))
    writer.close()


def upkeep(folder):
    return Upkeep(folder, now_us=lambda: START_US)


def test_a_sound_spool_is_found_sound(folder):
    """With the numbers of what is there."""
    fill(folder, range(1, 6))

    assert upkeep(folder).check() == {"sound": True, "faults": [], "events": 5, "requests": 1}


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM event WHERE seq = 3", "1 events are missing"),
        ("DELETE FROM request", "1 requests are missing"),
        ("UPDATE tally SET count = 7", "the counts of 1 kinds of ended events"),
        ("DELETE FROM event_body WHERE seq = 3", "1 events have lost their bodies"),
    ],
)
def test_books_that_do_not_balance_are_a_fault(folder, statement, fault):
    """SQLite finds nothing wrong there; we do."""
    fill(folder, range(1, 6))
    connection = layout.open_for_writing(folder / layout.FILE_NAME)
    connection.execute(statement)
    connection.close()
    found = upkeep(folder).check()

    assert found["sound"] is False
    assert any(fault.split(" kinds")[0].split("of 1")[0] in each for each in found["faults"])


def test_a_damaged_page_is_a_fault(folder):
    """Said, and nothing is changed."""
    fill(folder, range(1, 101))
    with (folder / layout.FILE_NAME).open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096)

    assert upkeep(folder).check()["faults"] != []


def test_stats_say_what_takes_the_space(folder):
    """Files, unused pages, free space, quarantines, and counts."""
    fill(folder, range(1, 6))
    (folder / "quarantine-x").mkdir()
    found = upkeep(folder).stats()

    assert found["format"] == layout.FORMAT
    assert found["files"]["spool.db"] == (folder / "spool.db").stat().st_size
    assert found["quarantines"] == ["quarantine-x"]
    assert found["services"] == Journal(folder).counts()["services"]
    assert found["free_bytes"] > 0


def test_compacting_gives_space_back(folder):
    """What is left is what was there."""
    fill(folder, range(1, 201))
    time = Time()
    writer = Writer(folder=folder, now_us=time.now_us, ages=time.clock())
    writer.open()
    for seq in range(3, 201):
        writer.commit(Batch(changes=[Change(what=settlement(seq))]))
    time.go(8 * 86400)
    for after_seq in (0, 100):
        writer.commit(Batch(changes=[Change(what=Retire(after_seq=after_seq))]))
    writer.close()
    found = upkeep(folder).compact()

    assert found["after_bytes"] < found["before_bytes"] / 4
    assert found["after_bytes"] == (folder / "spool.db").stat().st_size
    assert books_balance(folder)
    assert upkeep(folder).check()["sound"]


def test_salvage_takes_in_what_is_not_there(folder, tmp_path):
    """At the end of the line; a second time there is nothing new; the source stays as it is."""
    fill(folder, range(1, 5))
    fill(tmp_path / "other", range(3, 9))
    source = (tmp_path / "other" / "spool.db").read_bytes()
    assert upkeep(folder).salvage(tmp_path / "other") == {"taken": 4, "open": 4, "known": 2, "requests": 0}

    assert look(folder, "SELECT seq, id FROM event ORDER BY seq") == [(n, event(n).id) for n in range(1, 9)]
    assert books_balance(folder)
    assert upkeep(folder).check() == {"sound": True, "faults": [], "events": 8, "requests": 1}
    done = "SELECT count(*) * 5024 FROM event WHERE state = 3"
    assert look(folder, "SELECT value FROM meta WHERE name = 'done_bytes'") == look(folder, done)
    assert upkeep(folder).salvage(tmp_path / "other")["taken"] == 0
    assert (tmp_path / "other" / "spool.db").read_bytes() == source
    assert not list(folder.glob("salvage-*"))


def test_salvage_brings_names_and_no_old_pauses(folder, tmp_path):
    """Who sends again what was taken in is told its id; what waited by another clock is due at once."""
    fill(folder, range(1, 3))
    writer = Writer(folder=tmp_path / "other", now_us=lambda: START_US)
    writer.open()
    writer.commit(Batch(accepts=[(event(11, idempotency_key="k"), None)]))
    waiting = settlement(1, Outcome.POSTPONE, due_us=START_US + 3_600_000_000)
    writer.commit(Batch(changes=[Change(what=waiting)]))
    writer.close()
    assert 1 == upkeep(folder).salvage(tmp_path / "other")["open"]

    assert [(0, 0, 0)] == look(folder, f"SELECT state, due_us, ripe_us FROM event WHERE id = '{event(11).id}'")
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    [(_, _, known_as)] = writer.commit(Batch(accepts=[(event(12, idempotency_key="k"), None)])).repeats
    assert event(11).id == known_as
    writer.close()


def test_salvage_brings_requests_and_states(folder, tmp_path):
    """What was dead is dead, what was to be sent is to be sent."""
    fill(folder, range(1, 4))
    fill(tmp_path / "other", range(11, 15))
    upkeep(folder).salvage(tmp_path / "other")

    road = Journal(folder).event(event(11).id)
    assert [(each["id"], len(each["body"])) for each in road["requests"]] == [(f"{event(11).id}/1", 5000)]
    assert [each["id"] for each in Journal(folder).dead_letters()] == [event(12).id, event(2).id]
    assert books_balance(folder)
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    assert (writer.findings, writer.last_seq, writer.last_event_id) == ([], 7, event(14).id)
    writer.close()


def test_a_folder_without_a_spool_is_refused(folder, tmp_path):
    """As a source and as a place."""
    with pytest.raises(OperatorError, match="there is no spool here"):
        upkeep(folder).compact()
    with pytest.raises(OperatorError, match=r"no spool\.db in it"):
        upkeep(folder).salvage(tmp_path)


def test_a_copy_is_a_whole_spool(folder, tmp_path):
    """Beside a writer at work, with format, events, bodies and requests; also what is still in the log only."""
    fill(folder, range(1, 6))
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    writer.commit(Batch(accepts=[(event(9, body=bytes(4000)), None)]))
    place = tmp_path / "copy"
    place.mkdir()
    copied = upkeep(folder).copy(place / layout.FILE_NAME)
    writer.close()

    assert copied == {"bytes": (place / layout.FILE_NAME).stat().st_size}
    assert upkeep(place).check() == {"sound": True, "faults": [], "events": 6, "requests": 1}


def test_a_copy_replaces_nothing(folder, tmp_path):
    """A file in the way is a fault, with its name."""
    fill(folder, range(1, 3))
    (tmp_path / "there").write_bytes(b"mine")
    with pytest.raises(MachineError, match="there"):
        upkeep(folder).copy(tmp_path / "there")

    assert (tmp_path / "there").read_bytes() == b"mine"


def test_an_end_that_is_missing_is_a_fault(folder):
    """SQLite takes a log that is cut off for a shorter one, and finds nothing wrong with it."""
    fill(folder, range(1, 5))
    MarkFile(folder).write(Mark(event_seq=9))
    found = upkeep(folder).check()

    assert (found["sound"], found["faults"]) == (
        False,
        ["the newest 5 events that were stored are missing: the log is damaged or gone"],
    )


def test_a_spool_that_lost_everything_is_not_called_a_new_one(tmp_path):
    """After a kill the tables themselves may stand in the log only; the mark knows that there were events."""
    folder = tmp_path / "spool"
    layout.make_files(folder)
    with pytest.raises(OperatorError, match="the agent fills it"):
        upkeep(folder).check()
    MarkFile(folder).write(Mark(event_seq=9))

    assert ["the newest 9 events that were stored are missing: the log is damaged or gone"] == upkeep(folder).check()[
        "faults"
    ]
