"""The check that comes behind the start, and when it may."""

import apsw
import pytest
from twisted.internet.defer import Deferred, execute

from agent.spool import doubt, layout, rescue
from agent.spool.batch import Batch, Change
from agent.spool.faults import trouble
from agent.spool.journal import Journal
from agent.spool.mark import FILE_NAME as MARK
from agent.spool.recheck import Recheck
from agent.spool.steady import SteadyClock, Uptime
from agent.spool.upkeep import Upkeep
from agent.spool.writer import Writer
from tests.spool.support import START_US, event, settlement

PAGE = 4096


def open_writer(folder, boot_id="this run", **more):
    ages = SteadyClock(now_us=lambda: START_US, uptime=Uptime(seconds=lambda: 100.0, boot_id=boot_id))
    writer = Writer(folder=folder, now_us=lambda: START_US, ages=ages, may_put_off=True, **more)
    writer.open()
    return writer


@pytest.fixture
def filled(folder, monkeypatch):
    """200 events over many pages, closed; more than is small here."""
    monkeypatch.setattr(rescue, "SMALL_BYTES", 10 * PAGE)
    writer = open_writer(folder)
    writer.commit(Batch(accepts=[(event(number, body=bytes(500)), None) for number in range(1, 201)]))
    writer.close()
    return folder


def damage(folder, name="event"):
    """A page in the midst of a table or an index, of the events unless it is said."""
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
    pages = [page for (page,) in connection.execute(query, (name,))]
    connection.close()
    with (folder / layout.FILE_NAME).open("r+b") as file:
        file.seek((pages[len(pages) // 2] - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def kill(folder):
    """A writer in the midst of its work: the log is left behind."""
    writer = open_writer(folder)
    writer.commit(Batch(accepts=[(event(900), None)]))
    writer._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    writer._connection.close(force=True)


def opened(folder, **more):
    """What a start finds, and whether it has put the check off."""
    writer = open_writer(folder, **more)
    found = list(writer.findings), writer.is_check_due
    writer.close()
    return found


class Spool:
    """What `Recheck` needs of the spool."""

    def __init__(self, is_check_due=True):
        self.is_check_due = is_check_due
        self.found = []

    def note_finding(self, sentence):
        self.found.append(sentence)


def recheck(folder, *, spool=None, in_thread=execute, seconds=lambda: 0.0):
    return Recheck(spool=spool or Spool(), folder=folder, time_s=10.0, in_thread=in_thread, seconds=seconds)


def run(steps):
    """Of a coroutine that waits for nothing."""
    done = Deferred.fromCoroutine(steps)
    assert done.called
    done.addErrback(lambda failure: failure.raiseException())


def rechecked(folder, **more):
    spool = Spool()
    run(recheck(folder, spool=spool, **more).start())
    return spool.found


def test_a_restart_does_not_wait_for_the_check(filled):
    """After an orderly stop in the same run of the machine the check is put off, and after a kill as well."""
    assert ([], True) == opened(filled)
    kill(filled)
    assert ([], True) == opened(filled)


@pytest.mark.parametrize("why", ["small", "other run", "no name of the run", "doubt", "cut off", "nobody checks later"])
def test_what_speaks_for_damage_or_costs_nothing_is_checked_before(filled, monkeypatch, why):
    """The machine was restarted, somebody met damage, the file is too short; and a small spool always."""
    if why == "small":
        monkeypatch.setattr(rescue, "SMALL_BYTES", 10**9)
    if why == "doubt":
        doubt.leave(filled, "a page")
    if why == "cut off":
        # Behind a log SQLite itself does not look how long the file is.
        kill(filled)
        path = filled / layout.FILE_NAME
        path.write_bytes(path.read_bytes()[: -10 * PAGE])
    else:
        damage(filled)
    boot_id = {"other run": "another run", "no name of the run": ""}.get(why, "this run")
    if why == "nobody checks later":
        writer = Writer(folder=filled, now_us=lambda: START_US)
        writer.open()
        findings, is_due = list(writer.findings), writer.is_check_due
        writer.close()
    else:
        findings, is_due = opened(filled, boot_id=boot_id)
    assert not is_due
    assert "the spool was damaged" in findings[0]
    assert "events were saved" in findings[0]


def test_damage_is_found_behind_the_start_and_healed_by_the_next(filled):
    """One sentence says what to do; the next start moves the spool aside and saves the others. The doubt goes along."""
    damage(filled)
    assert ([], True) == opened(filled)

    [sentence] = rechecked(filled)
    assert "the spool is damaged" in sentence
    assert "iadmin restart" in sentence
    assert doubt.is_left(filled)
    findings, is_due = opened(filled)
    assert "the spool was damaged" in findings[0]
    assert not is_due
    assert not doubt.is_left(filled)
    [aside] = filled.glob("quarantine-*")
    assert (aside / doubt.FILE_NAME).exists()
    assert 190 <= len(Journal(filled).events(limit=1000)) < 200


def test_a_sound_spool_is_not_talked_about(filled):
    """No sentence, and no doubt."""
    assert [] == rechecked(filled)
    assert not doubt.is_left(filled)


def test_a_start_that_has_checked_is_not_followed_by_another_check(filled):
    """Nothing is read a second time."""
    run(recheck(filled, spool=Spool(is_check_due=False), in_thread=lambda _: 1 / 0).start())


def test_a_doubt_without_reason_goes_with_the_check_that_finds_none(filled):
    """A backup was put back, say. The check before the start takes the note away, and the next one is short again."""
    doubt.leave(filled, "a page")
    assert ([], False) == opened(filled)
    assert not doubt.is_left(filled)
    assert ([], True) == opened(filled)


def test_half_a_check_leaves_the_doubt(filled, monkeypatch):
    """What was met may lie in the other half: the operator is told how to get there, and not that all is sound."""
    monkeypatch.setattr(rescue, "PROGRESS_STEPS", 10)
    doubt.leave(filled, "a page")
    ticks = iter(range(10**9))
    [sentence], is_due = opened(filled, seconds=lambda: next(ticks))
    assert "found sound" not in sentence
    assert "(a page)" in sentence and "check-time-s" in sentence and "iadmin restart" in sentence
    assert (False, True) == (is_due, doubt.is_left(filled))


def test_a_head_that_is_overwritten_meanwhile_is_damage(filled):
    """The check cannot even begin; the next start heals it like any other page."""
    with (filled / layout.FILE_NAME).open("r+b") as file:
        file.write(b"\xff" * 100)
    [sentence] = rechecked(filled)
    assert "the spool is damaged" in sentence
    assert doubt.is_left(filled)


def test_a_page_that_the_start_itself_needs_is_not_put_off(filled):
    """Where opening meets the damage, the check is made at once: the agent comes up in any case."""
    connection = layout.open_for_reading(filled / layout.FILE_NAME)
    [root] = [page for (page,) in connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event'")]
    connection.close()
    (filled / MARK).unlink()
    with (filled / layout.FILE_NAME).open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)

    findings, is_due = opened(filled)
    assert "the spool was damaged" in findings[0]
    assert not is_due


@pytest.mark.parametrize("name", ["dedup", "sqlite_autoindex_dedup_1", "tally", "meta", "request_open"])
def test_what_nothing_goes_on_without_is_checked_before(filled, name):
    """Filters do not begin without what they have counted, nothing settles without the tally, nothing is sent without
    the requests that are open: these few pages are healed before the start, however large the spool is."""
    damage(filled, name)
    writer = open_writer(filled)
    (finding,) = writer.findings
    assert "200 events were saved" in finding and not writer.is_check_due
    writer.close()


def test_a_former_format_is_checked_before_it_is_brought_up_to_date(filled):
    """Its tables are others, and the migration reads and writes all of them."""
    connection = layout.open_for_writing(filled / layout.FILE_NAME)
    connection.pragma("user_version", layout.FORMAT - 1)
    connection.close()
    overview = rescue.look_over(
        filled, time_s=10.0, now_us=lambda: START_US, seconds=lambda: 0.0, boot_id="this run", vfs=None
    )
    assert ([], False) == (overview.said, overview.is_put_off)


def test_the_check_has_an_end(filled, monkeypatch):
    """As at a start, and the operator is told how to look at the rest."""
    monkeypatch.setattr(rescue, "PROGRESS_STEPS", 10)
    ticks = iter(range(10**9))
    [sentence] = rechecked(filled, seconds=lambda: next(ticks))
    assert "found sound as far as 10 s reached" in sentence


def test_an_agent_that_stops_breaks_the_check_off(filled, monkeypatch):
    """The stop waits for the reader to be closed, and nothing is said of half a check."""
    monkeypatch.setattr(rescue, "PROGRESS_STEPS", 10)
    waiting, spool = [], Spool()

    def in_thread(call):
        done = Deferred()
        waiting.append((call, done))
        return done

    part = recheck(filled, spool=spool, in_thread=in_thread)
    run(part.start())
    stopped = Deferred.fromCoroutine(part.stop(10.0))
    assert not stopped.called
    [(call, done)] = waiting
    look = call()
    assert not look.is_whole
    done.callback(look)
    assert stopped.called
    assert [] == spool.found


def test_a_spool_that_cannot_be_opened_is_said(filled):
    """A disk that refuses is no damage: it is told, and no doubt is left."""
    (filled / layout.FILE_NAME).unlink()
    [sentence] = rechecked(filled)
    assert "could not be checked" in sentence
    assert not doubt.is_left(filled)


def test_whoever_meets_damage_leaves_a_doubt(filled):
    """The writer at a commit, and `iadmin spool check`: so one restart is enough to heal it."""
    damage(filled)
    assert not Upkeep(filled, now_us=lambda: START_US).check()["sound"]
    assert doubt.is_left(filled)


def test_a_writer_that_meets_damage_leaves_a_doubt(filled):
    """And nothing but damage makes it leave one."""
    damage(filled)
    writer = open_writer(filled)
    doubt.leave_for(filled, OSError("the disk"))
    assert not doubt.is_left(filled)
    failed = [writer.commit(Batch(changes=[Change(what=settlement(seq))])).failed for seq in range(1, 201)]
    assert "CorruptError" in str(failed)
    assert doubt.is_left(filled)
    writer.close()


def test_the_operator_is_told_what_heals_damage():
    """A restart: verifying the spool again, which helps after a sync that has failed, would wait for ever."""
    damaged = trouble(apsw.CorruptError("a page"), "var/spool")
    assert "spool-damaged" == damaged.code
    assert "the spool is damaged" in damaged.sentence and "iadmin restart" in damaged.sentence
    assert "iadmin restart" not in trouble(apsw.IOError("a sync"), "var/spool").sentence
