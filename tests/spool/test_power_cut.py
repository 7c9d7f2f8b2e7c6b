"""Kills and power cuts at random moments, against a simple model of what was acknowledged."""

import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.delivery import OutboundRequest, Outcome
from agent.spool import layout
from agent.spool import writer as writer_module
from agent.spool.batch import Batch, Change
from agent.spool.reader import OpenWork
from agent.spool.writer import Writer
from tests.spool.support import SERVICE, START_US, FaultyDisk, event, full, io_error, settlement

REQUEST = OutboundRequest(destination="out", body=b"{}")
_NUMBERS = itertools.count()

STEPS = st.one_of(
    st.tuples(st.just("accept"), st.integers(1, 5), st.sampled_from([10, 5000])),
    st.tuples(st.just("settle"), st.sampled_from([Outcome.SUCCEED, Outcome.POSTPONE, Outcome.GIVE_UP])),
    st.tuples(st.just("break"), st.sampled_from(["sync", "write", "full"])),
    st.tuples(st.just("mend")),
    st.tuples(st.just("kill")),
    st.tuples(st.just("power cut")),
)


class Machine:
    """A machine whose power can be cut. `promised` and `ended` are what the outside was told, by event id.

    `doubtful`: requests by event id, of settlements that were refused. A sync that failed says nothing about what a
    kill leaves in the log: the next start may find such a settlement, but then whole. The next commit ends the doubt.
    """

    def __init__(self, root):
        self.root = root
        self.promised = []
        self.ended = set()
        self.doubtful = {}
        self.requests = 0
        self.boots = 0
        self.offered = 0
        self.dead = []
        self.open()

    def open(self):
        """A disk of its own for each life: what a dead process's connections do when they are collected is not ours."""
        self.disk = FaultyDisk(f"cut-{next(_NUMBERS)}")
        self.disk.synced = self.root / f"synced-{self.boots}"
        self.folder = self.root / f"spool-{self.boots}"
        self.folder.mkdir(exist_ok=True)
        shutil.copytree(self.folder, self.disk.synced)
        self.writer = Writer(folder=self.folder, now_us=lambda: START_US, vfs=self.disk.name)
        self.writer.open()

    def stored(self):
        work = OpenWork(folder=self.folder, age_us=lambda: START_US)
        keywords = {"limit": 10_000, "priority": None, "group": None, "except_groups": ()}
        events = work.events(SERVICE, after_seq=0, **keywords)
        requests = work.requests("out", after_seq=0, limit=10_000, group=None, except_groups=())
        work.close()
        return events, requests

    def accept(self, count, size):
        numbers = range(self.offered, self.offered + count)
        self.offered += count
        report = self.writer.commit(Batch(accepts=[(event(number, body=bytes(size)), None) for number in numbers]))
        self.promised += [accepted.id for accepted, _ in report.accepts]
        if report.accepts:
            self.doubtful = {}
        error = self.writer.checkpoint()
        assert error is None or self.disk.fail

    def settle(self, outcome):
        still_open = [stored for stored in self.stored()[0] if stored.event.id not in self.ended]
        if still_open:
            stored = still_open[0]
            requests = (REQUEST,) if outcome is Outcome.SUCCEED else ()
            change = Change(what=settlement(stored.seq, outcome, requests=requests))
            if self.writer.commit(Batch(changes=[change])).failed:
                if outcome is not Outcome.POSTPONE:
                    self.doubtful[stored.event.id] = len(requests)
                return
            self.doubtful = {}
            if outcome is not Outcome.POSTPONE:
                self.end(stored.event.id, len(requests))

    def end(self, event_id, requests):
        self.ended.add(event_id)
        self.requests += requests

    def break_(self, fault):
        errors = {"sync": ("sync", io_error()), "write": ("write", io_error()), "full": ("write", full())}
        self.disk.fail = dict([errors[fault]])

    def mend(self):
        self.disk.fail = {}

    def boot(self, source):
        """Begin anew with the files of `source`; the shared index is memory and is gone."""
        self.dead.append((self.disk, self.writer))
        self.boots += 1
        shutil.copytree(source, self.root / f"spool-{self.boots}", ignore=shutil.ignore_patterns("*-shm"))
        self.open()
        self.check()

    def check(self):
        """Everything acknowledged is there, in order, and nothing that ended is open again."""
        events, requests = self.stored()
        found = [stored.event.id for stored in events]
        for event_id, count in self.doubtful.items():
            if event_id not in found:
                self.end(event_id, count)
        self.doubtful = {}
        assert [each for each in self.promised if each not in self.ended] == [e for e in found if e in self.promised]
        assert len(requests) == self.requests
        connection = layout.open_for_reading(self.folder / layout.FILE_NAME)
        seqs = [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]
        connection.close()
        assert seqs == list(range(1, len(seqs) + 1)), "no gaps"


@settings(max_examples=40, deadline=None)
@example(steps=[("accept", 1, 10), ("break", "sync"), ("settle", Outcome.SUCCEED), ("kill",)])
@given(steps=st.lists(STEPS, max_size=25))
def test_what_was_acknowledged_survives(steps):
    """After any sequence of faults, kills and power cuts: all that was acknowledged, in order, without gaps."""
    with tempfile.TemporaryDirectory() as root:
        machine = Machine(Path(root))
        checkpoint_pages, writer_module.CHECKPOINT_PAGES = writer_module.CHECKPOINT_PAGES, 8
        try:
            for name, *arguments in steps:
                if name == "kill":
                    machine.boot(machine.folder)
                elif name == "power cut":
                    machine.boot(machine.disk.synced)
                else:
                    getattr(machine, name if name != "break" else "break_")(*arguments)
            machine.boot(machine.disk.synced)
        finally:
            writer_module.CHECKPOINT_PAGES = checkpoint_pages
            for disk, _writer in machine.dead:
                disk.unregister()
            machine.disk.unregister()
