"""The work of the writer thread, without the thread: one batch, one transaction, and what happens when it fails.

What a commit promises: when `Writer.commit` reports an event as stored, the log that holds it was synced. What its
failure promises: nothing of the batch is kept, and nobody was told otherwise.

After an error the connection is in one of two states:

* the disk is full: the transaction is rolled back, the pages that were synced are sound, the next batch may try again;
* anything else, above all a failed sync: the kernel may have dropped what it could not write and call it clean, so
  syncing again proves nothing. The connection is *distrusted*: a new one is opened beside it (which keeps the shared
  index alive, so that the rolled-back frames behind the last commit are not taken for committed ones), the whole log is
  copied into the database anew and synced, the log is emptied, and the newest acknowledged event must be there. Until
  that succeeds every batch is refused; each batch tries it once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import apsw

from agent.config.model import SpoolLimits
from agent.errors import ExitStatus, MachineError
from agent.spool import doubt, found, layout, newcomers
from agent.spool.batch import FAULTS_OF_ONE, Batch, Change, Report
from agent.spool.changes import Changing, ImpossibleChange
from agent.spool.keys import Accept, sort_out
from agent.spool.ledger import Ledger
from agent.spool.mark import Mark, MarkFile
from agent.spool.mending import Edit, Mending, Purge, Replay
from agent.spool.place import Place
from agent.spool.rescue import look_over
from agent.spool.reserve import Reserve
from agent.spool.retention import Retire, retire
from agent.spool.steady import SteadyClock, Uptime

CHECKPOINT_PAGES: Final = 4000
"""Copy the log into the database when it has grown by this much, 16 MiB: seldom enough that the sync of the database
costs little, small enough that a restart reads it back in a moment. SQLite's own default is 1000."""

SCARCE_PAGES: Final = 256
"""The same while the reserve is spent, 1 MiB: the log must not use up what was given up for it."""


class Writer:
    """The only connection that writes and checkpoints. Everything is called in one thread.

    `now_us` gives wall-clock microseconds; `ages` is the clock of ages, which goes on from what the spool says when it
    is opened (one of this machine where it is None). `reserve` is given up when the disk is full. `seconds` bounds the
    check at the start; `may_put_off` says that somebody makes it later where `is_check_due`. `vfs` names the apsw VFS
    to use.
    """

    def __init__(
        self,
        *,
        folder: Path,
        now_us: Callable[[], int],
        ages: SteadyClock | None = None,
        limits: SpoolLimits | None = None,
        reserve: Reserve | None = None,
        seconds: Callable[[], float] = time.monotonic,
        may_put_off: bool = False,
        vfs: str | None = None,
    ) -> None:
        self._seconds = seconds
        self._may_put_off = may_put_off
        self._folder = folder
        self._reserve = reserve
        self._now_us = now_us
        self._ages = ages or SteadyClock(now_us=now_us, uptime=Uptime.of_this_machine())
        self._limits = limits or SpoolLimits()
        self._vfs = vfs
        self._path = folder / layout.FILE_NAME
        self._mark = MarkFile(folder)
        self._place = Place(folder)
        self._connection: apsw.Connection | None = None
        self._is_trusted = False
        self._event_seq = 0
        self._request_seq = 0
        self._log_pages = 0
        self.last_event_id = ""
        self.findings: list[str] = []
        """What was found damaged or missing, as sentences for the operator."""
        self.is_check_due = False
        """Whether the check of the pages was put off."""
        self.open_loads: list[tuple[str, int, int]] = []
        """What was open at the start: service, events, bytes of their bodies."""

    @property
    def is_trusted(self) -> bool:
        """False after a failure that makes the connection doubtful, until it was opened anew and verified."""
        return self._is_trusted

    def bound(self, limits: SpoolLimits) -> None:
        """Keep and forget by other limits from the next change on; may be called in any thread."""
        self._limits = limits

    def open(self) -> None:
        """Open or make the spool, migrate it, and take back what was in hand when the last process ended.

        Raises `OperatorError` for a spool that is not ours or newer, `MachineError` for one that cannot be opened.
        """
        try:
            # The folder is there, and it is ours to write in, before anything is looked at.
            self._path = layout.make_files(self._folder)
            try:
                self._begin()
            except (apsw.FullError, apsw.IOError):
                # After an orderly stop the log and its index are made anew, and there may be no room for them.
                if self._reserve is None or not self._reserve.give_up():
                    raise
                self._drop()
                self._begin()
            except doubt.DAMAGE as error:
                if not self.is_check_due:
                    raise
                # What was put off is due now.
                self._may_put_off = False
                doubt.leave_for(self._folder, error)
                self._drop()
                self._begin()
            if self._reserve is not None:
                self._reserve.lay_by()
        except (apsw.Error, OSError) as error:
            self._drop()
            raise MachineError(
                "spool-damaged" if isinstance(error, doubt.DAMAGE) else "spool-not-writable",
                f"{self._path}: the spool cannot be opened ({error}); check the disk and its space, "
                "or restore the folder from a backup",
                exit_status=ExitStatus.IO_ERROR,
            ) from error
        self._place.note()
        self._is_trusted = True

    def _begin(self) -> None:
        """Look the spool over, open it, and see what is in it."""
        overview = look_over(
            self._folder,
            time_s=self._limits.check_time_s,
            now_us=self._now_us,
            seconds=self._seconds,
            boot_id=self._ages.boot_id if self._may_put_off else "",
            vfs=self._vfs,
        )
        self.findings, self.is_check_due = overview.said, overview.is_put_off
        self._connection = connection = layout.open_for_writing(self._path, vfs=self._vfs)
        layout.migrate(connection, self._path)
        self._ages.resume_from(connection)
        self._watch_log(connection)
        found.note_start(connection, now_us=self._now_us(), ages=self._ages)
        self._event_seq, self._request_seq = found.last_seqs(connection)
        self.last_event_id = found.last_event_id(connection)
        self.open_loads = found.open_loads(connection)

    @property
    def last_seq(self) -> int:
        """The newest place in the line of events."""
        return self._event_seq

    def close(self) -> None:
        """Empty the log into the database and close: what is left is one file that can be copied."""
        if self._connection is None:
            return
        if self._is_trusted:
            marks = {
                "last_event_seq": self._event_seq,
                "last_request_seq": self._request_seq,
                "last_event_id": self.last_event_id,
            }
            try:
                with self._connection:
                    self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks.items())
                    self._ages.write_note(self._connection)
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.FullError:
                # The log stays: the next start reads it.
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._drop()

    def commit(self, batch: Batch) -> Report:
        """Store all of `batch` in one transaction. Never raises: what fails is in the report."""
        if batch.accepts and self._reserve is not None and self._reserve.is_spent:
            # The space that was given up is for working off what is there.
            return self._commit_changes_only(batch, apsw.FullError("the reserve is spent"))
        gone = self._place.what_is_wrong() if batch.accepts else None
        if gone is not None:
            # Settlements go on: the files without a name last as long as the process, and no longer.
            return self._commit_changes_only(batch, gone)
        report = Report()
        try:
            self._ensure_trusted()
            self._commit(batch, report)
            if report.accepts and (gone := self._place.what_is_wrong()) is not None:
                report.refused += [(event, waiting, gone) for event, waiting in report.accepts]
                report.accepts = []
        except FAULTS_OF_ONE as error:
            self._roll_back()
            if len(batch.accepts) + len(batch.changes) > 1:
                return self._commit_one_by_one(batch)
            report.refuse(batch, error)
        except apsw.FullError as error:
            self._roll_back()
            if self._reserve is not None and self._reserve.give_up():
                self._make_room()
                # Once more and whole: those who are waiting were let in while there seemed to be space.
                return self._commit_with_reserve(batch)
            if batch.accepts and batch.changes:
                return self._commit_changes_only(batch, error)
            report.refuse(batch, error)
        except Exception as error:
            # The border of the writer's task: whatever it was, the senders are answered and the connection is checked.
            self._roll_back()
            self._is_trusted = False
            doubt.leave_for(self._folder, error)
            report.refuse(batch, error)
        return report

    def _make_room(self) -> None:
        """Copy the log into the database in the space of the reserve: only then is the log's own space free again."""
        assert self._connection is not None
        with contextlib.suppress(apsw.FullError, apsw.BusyError):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._log_pages = 0

    def _commit_with_reserve(self, batch: Batch) -> Report:
        reserve, self._reserve = self._reserve, None
        try:
            return self.commit(batch)
        finally:
            self._reserve = reserve

    def _commit_changes_only(self, batch: Batch, error: Exception) -> Report:
        """On a full disk settlements come first: they are what makes room."""
        report = self.commit(Batch(changes=batch.changes)) if batch.changes else Report()
        report.refused += [(event, waiting, error) for event, waiting in batch.accepts]
        return report

    def checkpoint(self) -> Exception | None:
        """Copy the log into the database when it has grown; return the error that made the connection doubtful.

        Called when the batch has been reported: nobody waits for it.
        """
        is_scarce = self._reserve is not None and self._reserve.is_spent
        enough = SCARCE_PAGES if is_scarce else CHECKPOINT_PAGES
        if self._connection is None or not self._is_trusted or self._log_pages < enough:
            return None
        try:
            self._connection.wal_checkpoint(
                mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if is_scarce else apsw.SQLITE_CHECKPOINT_PASSIVE
            )
            self._log_pages = 0
        except apsw.BusyError:
            return None
        except apsw.FullError as error:
            if self._reserve is not None and self._reserve.give_up():
                self._make_room()
            return error
        except apsw.Error as error:
            # The pages that were not synced are still in the log: the reopening copies them anew.
            self._is_trusted = False
            return error
        return None

    def _commit(self, batch: Batch, report: Report) -> None:
        connection = self._connection
        assert connection is not None
        stored_us, age_us = self._now_us(), self._ages()
        first_seq, newest_id = self._event_seq + 1, self.last_event_id
        accepts: Sequence[Accept] = batch.accepts
        window_us = round(self._limits.idempotency_window_s * 1e6)
        has_keys = bool(window_us and [event for event, _ in accepts if event.idempotency_key])
        needs_transaction = bool(batch.changes) or has_keys or not newcomers.is_one_step(accepts)
        if needs_transaction:
            connection.execute("BEGIN IMMEDIATE")
        if has_keys:
            accepts, report.repeats = sort_out(connection, accepts, age_us=age_us, window_us=window_us)
        newcomers.insert(connection, accepts, first_seq=first_seq, stored_us=stored_us, age_us=age_us)
        event_seq, request_seq = self._event_seq + len(accepts), self._request_seq
        if accepts:
            newest_id = max(newest_id, accepts[-1][0].id)
        if batch.changes:
            ledger = Ledger(event_seq=event_seq, request_seq=request_seq, last_event_id=newest_id)
            self._change(connection, batch.changes, ledger, (stored_us, age_us), report)
            event_seq, request_seq, newest_id = ledger.event_seq, ledger.request_seq, ledger.last_event_id
            report.requests, report.replayed, report.opened = ledger.requests, ledger.replayed, ledger.opened
        if needs_transaction:
            connection.execute("COMMIT")
        self._event_seq, self._request_seq, self.last_event_id = event_seq, request_seq, newest_id
        self._mark.write(Mark(event_seq=event_seq, request_seq=request_seq, event_id=newest_id))
        report.first_seq, report.accepts = first_seq, accepts

    def _change(
        self,
        connection: apsw.Connection,
        changes: Sequence[Change],
        ledger: Ledger,
        now: tuple[int, int],
        report: Report,
    ) -> None:
        """`now` is the time of the wall clock and of the clock of ages."""
        changing = Changing(connection, *now, ledger)
        mending = Mending(connection, *now, ledger)
        for change in changes:
            try:
                if isinstance(change.what, Replay | Purge | Edit):
                    change.result = mending.make(change.what)
                elif isinstance(change.what, Retire):
                    change.retired = retire(connection, ledger, change.what, limits=self._limits, age_us=now[1])
                    self._ages.write_note(connection)
                else:
                    changing.make(change.what)
            except ImpossibleChange as error:
                report.failed.append((change, error))
            else:
                report.changes.append(change)
        ledger.write(connection)

    def _commit_one_by_one(self, batch: Batch) -> Report:
        """Store what can be stored when one order of a batch cannot; slow, and rare."""
        whole = Report(first_seq=self._event_seq + 1)
        ones = [Batch(accepts=[accept]) for accept in batch.accepts]
        ones += [Batch(changes=[change]) for change in batch.changes]
        for one in ones:
            whole.add(self.commit(one))
        return whole

    def _roll_back(self) -> None:
        if self._connection is None or not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except apsw.Error:
            self._is_trusted = False

    def _ensure_trusted(self) -> None:
        """Replace a distrusted connection by a verified one; raise what stands in the way. See the top."""
        if self._is_trusted:
            return
        old = self._connection
        fresh = layout.open_for_writing(self._path, vfs=self._vfs)
        try:
            if old is not None:
                old.close(force=True)
                self._connection = None
            fresh.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            event_seq, request_seq = found.last_seqs(fresh)
            if event_seq < self._event_seq or request_seq < self._request_seq:
                missing = max(self._event_seq - event_seq, 0)
                raise MachineError(
                    "spool-incomplete",
                    f"{self._path}: after a disk error the newest {missing} acknowledged events are missing; "
                    "nothing is accepted any more: check the disk, keep a copy of the folder, restart",
                    exit_status=ExitStatus.IO_ERROR,
                )
        except BaseException:
            if self._connection is None:
                # Keep one connection open in any case: the shared index lives as long as somebody has it open.
                self._connection = fresh
            else:
                fresh.close(force=True)
            raise
        self._connection = fresh
        self._watch_log(fresh)
        self._place.note()
        self._is_trusted = True

    def _watch_log(self, connection: apsw.Connection) -> None:
        def grown(_connection: apsw.Connection, _database: str, pages: int) -> int:
            self._log_pages = pages
            return apsw.SQLITE_OK

        self._log_pages = 0
        connection.set_wal_hook(grown)

    def _drop(self) -> None:
        self._mark.close()
        if self._connection is not None:
            if not self._is_trusted:
                # A doubtful log is left as it is: the next start reads it from the disk and checks every frame.
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._is_trusted = False
            self._connection.close(force=True)
            self._connection = None
