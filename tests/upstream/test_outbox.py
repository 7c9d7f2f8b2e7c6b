"""The outbox: whole lines, on disk before anybody is told, in order."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from agent.config.model import OutboxDestination
from agent.delivery import OutboundRequest, State
from agent.errors import DestinationError
from agent.upstream import outbox as outbox_module
from agent.upstream.outbox import OutboxFile, OutboxSender, outbox_line, outbox_mark
from tests.support.fake_spool import FakeSpool
from tests.support.twisted_results import failure_of, is_waiting, result_of

NOW_US = 1_795_195_525_123_456


class Outbox:
    """A sender whose thread is the test: writes wait in `jobs` until they are run."""

    def __init__(self, path):
        self.path = path
        self.clock = Clock()
        self.spool = FakeSpool()
        self.jobs = []
        self.sender = OutboxSender(
            destination=OutboxDestination(name="outbox", path=path),
            reactor=self.clock,
            now_us=lambda: NOW_US,
            run_in_thread=self.run_in_thread,
        )

    def run_in_thread(self, work):
        done = Deferred()
        self.jobs.append(lambda: execute(work).chainDeferred(done))
        return done

    def send(self, **fields):
        return Deferred.fromCoroutine(self.sender.send(self.spool.put("outbox", **fields), 1))

    def ids(self):
        return [json.loads(line)["id"] for line in self.path.read_text().splitlines()]


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox" / "outbox.jsonl")


def line_of(**fields):
    return json.loads(outbox_line(FakeSpool().put("outbox", **fields), now_us=NOW_US))


def test_a_line_tells_everything_of_its_request():
    """With the time of writing, in local time with zone."""
    line = line_of(body=b'{"a": 1}', headers=(("X-Key", "v"),), path="/p", method="PUT")
    assert line.pop("time").endswith(("+00:00", ":00", ":30", ":45"))
    assert {
        "id": "event-1/1",
        "service": "applications|sample-plan",
        "destination": "outbox",
        "content_type": "application/json",
        "headers": {"X-Key": "v"},
        "method": "PUT",
        "path": "/p",
        "body": {"a": 1},
    } == line


def test_a_json_body_stands_as_it_was_sent():
    """To the digit, also where it was spread over lines."""
    line = outbox_line(FakeSpool().put(body=b'{"n": 1.10,\r\n "big": 12345678901234567890}\n'), now_us=NOW_US)
    assert line.endswith(b'"body": {"n": 1.10,   "big": 12345678901234567890}}\n')
    assert 1 == line.count(b"\n")


@pytest.mark.parametrize("body", ["<event/>", "NaN", '{"a": ', "", "\ufeff{}", "[" * 100_000])
def test_what_is_not_json_is_text(body):
    """Also what Python's reader would take, and what is too deep for it."""
    assert body == line_of(body=body.encode())["body"]


def test_what_is_not_text_is_base64():
    """Under another name, so that nobody takes it for text."""
    line = line_of(body=b"\xff\xfe\x00")
    assert b"\xff\xfe\x00" == base64.b64decode(line["body_base64"])
    assert "body" not in line


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.recursive(st.text(), st.lists).map(json.dumps).map(str.encode))
)
def test_every_body_is_one_line_of_json(body):
    """Whatever a service sends."""
    line = outbox_line(FakeSpool().put(body=body), now_us=NOW_US)
    assert (1, True) == (line.count(b"\n"), line.endswith(b"\n"))
    assert "event-1/1" == json.loads(line)["id"]


def test_nobody_is_told_before_the_sync(outbox):
    """And the answer names the file."""
    sending = outbox.send()
    outbox.clock.advance(0)
    assert is_waiting(sending)
    outbox.jobs.pop()()
    answer = result_of(sending)
    assert (0, str(outbox.path)) == (answer.status, answer.where)


def test_what_waits_is_written_together_and_in_order(outbox):
    """One write for a turn's requests; what comes during it goes into the next."""
    first = [outbox.send(), outbox.send()]
    outbox.clock.advance(0)
    second = [outbox.send(), outbox.send()]
    assert 1 == len(outbox.jobs)
    outbox.jobs.pop()()
    for sending in first:
        result_of(sending)
    assert 1 == len(outbox.jobs)
    outbox.jobs.pop()()
    for sending in second:
        result_of(sending)
    assert [f"event-{n}/1" for n in (1, 2, 3, 4)] == outbox.ids()
    outbox.clock.advance(0)
    assert [] == outbox.jobs


def test_a_failed_write_fails_all_that_wait_behind_it(outbox):
    """Otherwise a later one would pass an earlier one."""
    outbox.path.mkdir(parents=True)
    sending = [outbox.send()]
    outbox.clock.advance(0)
    sending.append(outbox.send())
    outbox.jobs.pop()()
    errors = [failure_of(each) for each in sending]
    assert [DestinationError] * 2 == [type(error) for error in errors]
    assert f"cannot write {outbox.path}: is a directory" == errors[0].sentence
    outbox.path.rmdir()
    again = outbox.send()
    outbox.clock.advance(0)
    outbox.jobs.pop()()
    result_of(again)
    assert ["event-3/1"] == outbox.ids()


def test_a_request_that_was_cancelled_in_the_line_is_not_written(outbox):
    """And does not disturb the others."""
    gone, stays = outbox.send(), outbox.send()
    gone.addErrback(lambda _: None)
    gone.cancel()
    outbox.clock.advance(0)
    outbox.jobs.pop()()
    result_of(stays)
    assert ["event-2/1"] == outbox.ids()


def test_file_and_folder_are_the_owners_alone(outbox):
    """0600 and 0700."""
    OutboxFile(outbox.path).append(b"{}\n")
    assert (0o600, 0o700) == (outbox.path.stat().st_mode & 0o777, outbox.path.parent.stat().st_mode & 0o777)


def test_a_torn_last_line_is_ended_first(outbox):
    """So that the next object is a line of its own."""
    outbox.path.parent.mkdir()
    outbox.path.write_bytes(b'{"id": 1}\n{"id": 2, "bo')
    OutboxFile(outbox.path).append(b'{"id": 2}\n')
    assert b'{"id": 1}\n{"id": 2, "bo\n{"id": 2}\n' == outbox.path.read_bytes()


def test_what_is_no_file_is_refused_without_waiting(outbox):
    """A pipe without a reader, a symbolic link."""
    outbox.path.parent.mkdir()
    os.mkfifo(outbox.path)
    with pytest.raises(DestinationError, match="it is not a file"):
        OutboxFile(outbox.path).append(b"{}\n")
    outbox.path.unlink()
    outbox.path.symlink_to("/dev/null")
    with pytest.raises(DestinationError, match="cannot write"):
        OutboxFile(outbox.path).append(b"{}\n")


def test_it_is_synced_and_so_is_the_folder_of_a_new_file(outbox, monkeypatch):
    """Without this the promise is one of the page cache."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    box = OutboxFile(outbox.path)
    box.append(b"{}\n")
    box.append(b"{}\n")
    assert [str(outbox.path), str(outbox.path.parent), str(outbox.path)] == synced


def restarted(outbox):
    """Another agent on the same home, with the requests that the first one could not settle."""
    again = Outbox(outbox.path)
    again.spool = outbox.spool
    return again


def send_again(outbox, *seqs, **changes):
    sent = [
        Deferred.fromCoroutine(outbox.sender.send(attrs.evolve(outbox.spool.requests[seq], **changes), 2))
        for seq in seqs
    ]
    outbox.clock.advance(0)
    outbox.jobs.pop()()
    return sent


def test_what_was_written_before_a_kill_is_not_written_again(outbox, monkeypatch):
    """It counts as delivered after another sync; what was torn or never written follows, in order."""
    for body in (b"1", b"2"):
        outbox.send(body=body)
    outbox.clock.advance(0)
    outbox.jobs.pop()()
    torn = outbox_line(outbox.spool.put("outbox", body=b"3"), now_us=NOW_US)[:-4]
    outbox.path.write_bytes(outbox.path.read_bytes() + torn)
    outbox.spool.put("outbox", body=b"4")
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    again = restarted(outbox)
    only_known = send_again(again, 1)
    assert (1, True) == (len(synced), bool(result_of(only_known[0]).where))
    send_again(again, 2, 3, 4)

    lines = outbox.path.read_bytes().split(b"\n")
    assert torn == lines.pop(2)
    assert [f"event-{n}/1" for n in (1, 2, 3, 4)] == [json.loads(line)["id"] for line in lines if line]


@pytest.mark.parametrize(
    "changes",
    [{"state": State.WAITING}, {"request": OutboundRequest(destination="outbox", body=b"mended")}],
    ids=["it had failed", "an operator has edited it"],
)
def test_what_may_not_be_there_is_written_again(outbox, changes):
    """A line that is seen after a sync that failed need not be on disk; and another body is another line."""
    outbox.send(body=b"1")
    outbox.clock.advance(0)
    outbox.jobs.pop()()
    send_again(restarted(outbox), 1, **changes)

    assert ["event-1/1", "event-1/1"] == outbox.ids()


def test_the_end_of_the_file_is_bounded(tmp_path, monkeypatch):
    """By lines and by bytes; the first part of a line is none, nor is what others have written."""
    monkeypatch.setattr(outbox_module, "MAX_END_LINES", 3)
    file, spool = OutboxFile(tmp_path / "outbox.jsonl"), FakeSpool()
    assert set() == file.marks_at_end()
    lines = [outbox_line(spool.put("outbox", body=b"x" * 50), now_us=NOW_US) for _ in range(9)]
    file.append(b"".join(lines))
    assert {outbox_mark(line) for line in lines[-3:]} == file.marks_at_end()
    monkeypatch.setattr(outbox_module, "MAX_END_BYTES", 2 * len(lines[0]) + 5)
    assert {outbox_mark(line) for line in lines[-2:]} == file.marks_at_end()
    file.append(b"somebody's note\n")
    assert {outbox_mark(lines[-1])} == file.marks_at_end()


@given(st.binary(max_size=60), st.integers(0, 2**50), st.integers(0, 2**50))
def test_a_mark_is_of_the_request_and_not_of_the_time(body, early_us, late_us):
    """Two lines of one request have one, those of two requests have two."""
    spool = FakeSpool()
    first, second = spool.put("outbox", body=body), spool.put("outbox", body=body)
    mark = outbox_mark(outbox_line(first, now_us=early_us))

    assert mark is not None
    assert mark == outbox_mark(outbox_line(first, now_us=late_us))
    assert mark != outbox_mark(outbox_line(second, now_us=early_us))
