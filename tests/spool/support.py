"""What the tests of the spool share: events, a reactor that is pumped by hand, a disk that fails on demand."""

from __future__ import annotations

import queue
import shutil
from pathlib import Path

import apsw
import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.boundaries import EventSettlement, RequestSettlement
from agent.delivery import Outcome, State
from agent.event import BodyKind, Event, Priority
from agent.spool.gathering import PAUSE_S
from agent.spool.steady import SteadyClock, Uptime

SERVICE = "applications|sample-plan"
START_US = 1_764_000_000_000_000


def event(number, *, service=SERVICE, group="", priority=Priority.NORMAL, body=b"<a/>", **more):
    return Event(
        id=f"0193b3f0-0000-7000-8000-{number:012x}",
        service=service,
        received_us=START_US + number,
        peer="192.0.2.7:40001",
        kind=BodyKind.XML,
        body=body,
        group=group,
        priority=priority,
        **more,
    )


def settlement(seq, outcome=Outcome.SUCCEED, **more):
    return EventSettlement(seq=seq, outcome=outcome, begun_us=START_US + 100, ended_us=START_US + 200, **more)


def sent(seq, outcome=Outcome.SUCCEED, **more):
    return RequestSettlement(seq=seq, outcome=outcome, begun_us=START_US + 300, ended_us=START_US + 400, **more)


@attrs.define
class Time:
    """The clocks of a machine, set by the test: the wall's, and its own since its start."""

    wall_us: int = START_US
    up_us: int = 3_600_000_000
    boot_id: str = "first"

    def go(self, seconds):
        """Time passes."""
        self.wall_us += round(seconds * 1e6)
        self.up_us += round(seconds * 1e6)

    def jump(self, seconds):
        """Somebody sets the wall clock."""
        self.wall_us += round(seconds * 1e6)

    def restart_machine(self, boot_id="second"):
        """Off and on in no time."""
        self.up_us, self.boot_id = 0, boot_id

    def now_us(self):
        return self.wall_us

    def uptime(self):
        return Uptime(seconds=lambda: self.up_us / 1e6, boot_id=self.boot_id)

    def clock(self):
        return SteadyClock(now_us=self.now_us, uptime=self.uptime())


class Sender:
    """A `Waiting` that remembers what it was told."""

    def __init__(self, told=None):
        self.told = [] if told is None else told
        self.ids = []

    def stored(self, event_id):
        self.told.append("stored")
        self.ids.append(event_id)

    def refused(self, error):
        self.told.append(error)


class GoneSender(Sender):
    """A connection that is gone: being told raises."""

    def stored(self, event_id):
        raise ConnectionResetError("the client has left")

    def refused(self, error):
        raise ConnectionResetError("the client has left")


@attrs.define
class Tally:
    """Counters that can be looked at."""

    counts: dict = attrs.field(factory=dict)

    def count(self, name, label="", by=1):
        self.counts[name, label] = self.counts.get((name, label), 0) + by


class HandReactor(Clock):
    """A clock, and a `callFromThread` whose calls wait until the test pumps them."""

    PATIENCE_S = 20.0
    """A thread that does not report at all must fail the test and not hang it."""

    def __init__(self):
        super().__init__()
        self.from_threads = queue.SimpleQueue()

    def callFromThread(self, call, *arguments, **keywords):
        self.from_threads.put((call, arguments, keywords))

    def pump_one(self):
        call, arguments, keywords = self.from_threads.get(timeout=self.PATIENCE_S)
        call(*arguments, **keywords)

    def turn(self):
        """The rest of this turn of the reactor, and what is put off for a moment."""
        self.advance(0)
        if any(call.getTime() <= self.seconds() + PAUSE_S for call in self.getDelayedCalls()):
            self.advance(PAUSE_S)

    def pump_until(self, is_over):
        while not is_over():
            self.turn()
            if not is_over():
                self.pump_one()

    def wait_for(self, awaitable):
        """The result of an awaitable, pumping until it is there."""
        deferred = awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(awaitable)
        results = []
        deferred.addBoth(results.append)
        self.pump_until(lambda: results)
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]


class FaultyDisk(apsw.VFS):
    """The real disk, with a record of what was synced and faults on demand.

    `fail` maps "write" or "sync" to the exception to raise; `record` is a list that gets "sync" after each sync of
    the log that succeeded; `hold` is called before it. With `synced`, a folder, each file is copied there as it was
    when it was last synced: what a power cut leaves in the worst case. A deleted file is gone there with the next sync
    of the log, because SQLite syncs the folder with the first sync of a new log.
    """

    def __init__(self, name):
        self.name = name
        self.fail = {}
        self.record = []
        self.hold = None
        self.synced = None
        self.deleted = set()
        super().__init__(name, "")

    def xDelete(self, filename, syncdir):
        self.deleted.add(Path(filename).name)
        super().xDelete(filename, syncdir)

    def xOpen(self, name, flags):
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    def __init__(self, disk, name, flags):
        self.disk = disk
        self.path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        self.is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__("", name, flags)

    def xWrite(self, data, offset):
        self._maybe_fail("write")
        super().xWrite(data, offset)

    def xSync(self, flags):
        self._maybe_fail("sync")
        if self.is_log and self.disk.hold is not None:
            self.disk.hold()
        super().xSync(flags)
        if self.disk.synced is not None:
            self.disk.deleted.discard(self.path.name)
            shutil.copy(self.path, self.disk.synced / self.path.name)
            for name in self.disk.deleted if self.is_log else ():
                (self.disk.synced / name).unlink(missing_ok=True)
        if self.is_log:
            self.disk.record.append("sync")

    def _maybe_fail(self, what):
        if what in self.disk.fail:
            raise self.disk.fail[what]


def io_error(code=apsw.SQLITE_IOERR_FSYNC):
    error = apsw.IOError("injected")
    error.extendedresult = code
    return error


def full():
    return apsw.FullError("injected")


def undo_format_8(connection: apsw.Connection) -> None:
    """Make the tables what they were before the time of giving up was in the rows."""
    connection.execute(
        f"""
        DROP INDEX event_died; DROP INDEX request_died;
        ALTER TABLE event DROP COLUMN died_us; ALTER TABLE request DROP COLUMN died_us;
        CREATE INDEX request_dead ON request (seq, destination) WHERE state = {State.DEAD.value};
        """
    )
    connection.pragma("user_version", 7)
