"""The outbox: a file of JSON lines, so that a newcomer sees the result without any account.

One object per request, in the order of sending. What waits is written together, with one sync, in a thread of the pool;
a request counts as delivered after the sync. A crash between the sync and the settling offers a request again whose
line is there: so the end of the file is read once, and what stands in it is synced again and not written again. A line
that a crash has torn is ended before the next one is written, and its request comes again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from agent.boundaries import StoredRequest
from agent.config.model import OutboxDestination
from agent.delivery import Answer, State
from agent.errors import DestinationError

MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

CONCURRENCY: Final = 256
"""Requests in one write: beyond this the sync is no longer what costs."""

MAX_END_LINES: Final = 4 * CONCURRENCY
"""Read at the end of the file: at most `CONCURRENCY` requests are written and not settled when the agent is killed."""

MAX_END_BYTES: Final = 16 * 1024 * 1024
"""The same in bytes. Requests beyond it, larger than 16 KiB all of them, are written twice."""

_HEAD: Final = re.compile(rb'\{"id": "([^"\\]+)", "time": "[^"\\]+", ')

RunInThread = Callable[[Callable[[], None]], Deferred[None]]


def outbox_line(request: StoredRequest, *, now_us: int) -> bytes:
    """The line of one request. A JSON body stands in it as it was sent, to the digit."""
    sent = request.request
    fields: dict[str, Any] = {
        "id": request.id,
        "time": datetime.fromtimestamp(now_us / 1e6, UTC).astimezone().isoformat(timespec="milliseconds"),
        "service": request.service,
        "destination": sent.destination,
        "content_type": sent.content_type,
        "headers": dict(sent.headers),
    }
    if sent.method:
        fields["method"] = sent.method
    if sent.path:
        fields["path"] = sent.path
    head = json.dumps(fields, ensure_ascii=False)[:-1]
    return f"{head}, {_body_member(sent.body)}}}\n".encode("utf-8", "replace")


def outbox_mark(line: bytes) -> bytes | None:
    """What two lines of one request have in common, whenever they were written; None for what is no line of ours."""
    head = _HEAD.match(line)
    if head is None:
        return None
    return hashlib.blake2b(head[1] + b"\n" + line[head.end() :].rstrip(b"\n"), digest_size=16).digest()


def _body_member(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f'"body_base64": "{base64.b64encode(body).decode("ascii")}"'
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return f'"body": {json.dumps(text, ensure_ascii=False)}'
    # Outside of strings a line end is white space, and inside of them JSON does not allow it.
    return f'"body": {text.strip().replace(chr(13), " ").replace(chr(10), " ")}'


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class OutboxFile:
    """Appends and syncs. Called in a thread, one call at a time; raises `DestinationError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, data: bytes) -> None:
        """Append whole lines; when this returns they are on disk."""
        try:
            self._append(data)
        except OSError as error:
            raise DestinationError(
                "outbox-failed", f"cannot write {self._path}: {(error.strerror or str(error)).lower()}"
            ) from error

    def marks_at_end(self) -> set[bytes]:
        """The marks of the last lines that are whole; none where there is no file, or none that can be read."""
        try:
            with open(self._path, "rb", opener=_open_without_waiting) as file:
                size = os.fstat(file.fileno()).st_size
                begin = max(0, size - MAX_END_BYTES)
                file.seek(begin)
                lines = file.read(MAX_END_BYTES).split(b"\n")
        except OSError:
            return set()
        # The last one is empty, or torn; the first one may be the end of a longer one.
        whole = lines[1 if begin else 0 : -1][-MAX_END_LINES:]
        return {mark for line in whole if (mark := outbox_mark(line)) is not None}

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Opened anew each time: an operator may move the file away while the agent runs. O_NONBLOCK is for what is
        # no file at all: opening a pipe must not wait for its reader.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self._path, flags, MODE)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise DestinationError("outbox-failed", f"cannot write {self._path}: it is not a file")
            if found.st_size and os.pread(fd, 1, found.st_size - 1) != b"\n":
                data = b"\n" + data
            while data:
                data = data[os.write(fd, data) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        if not found.st_size:
            self._sync_folder()

    def _sync_folder(self) -> None:
        """A new file is there after a power cut only when its folder is on disk, too."""
        fd = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_there(request: StoredRequest, line: bytes, at_end: Collection[bytes | None]) -> bool:
    """Whether an earlier agent has written this line and was killed before it could note that.

    One that waits was noted, and as a failure: after a sync that failed, a line can be seen that is not on disk.
    """
    return bool(at_end) and request.state is not State.WAITING and outbox_mark(line) in at_end


@attrs.frozen(kw_only=True)
class _Entry:
    request: StoredRequest
    written: Deferred[None]


class OutboxSender:
    """Implements `Sender` over one file. See `Sender.keeps_order`: a failed write fails all that waits behind it."""

    kind: Final = "outbox"
    concurrency: Final = CONCURRENCY
    keeps_order: Final = True

    def __init__(
        self,
        *,
        destination: OutboxDestination,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        run_in_thread: RunInThread,
    ) -> None:
        self.target: Final = str(destination.path)
        self._file = OutboxFile(Path(destination.path))
        self._reactor = reactor
        self._now_us = now_us
        self._run_in_thread = run_in_thread
        self._waiting: list[_Entry] = []
        self._is_writing = False
        self._at_end: set[bytes] | None = None
        """The marks of the lines that were there before this agent wrote the first one."""

    async def send(self, request: StoredRequest, attempt: int) -> Answer:
        """Write `request` with the others that wait."""
        entry = _Entry(request=request, written=Deferred())
        self._waiting.append(entry)
        if not self._is_writing:
            self._is_writing = True
            # At the end of the turn, so that all that the turn brings is written together.
            self._reactor.callLater(0, self._write)
        await entry.written
        return Answer(status=0, where=self.target)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _write(self) -> None:
        # A request that was cancelled meanwhile is left out: its Deferred has fired.
        batch = [entry for entry in self._waiting if not entry.written.called]
        self._waiting.clear()
        if not batch:
            self._is_writing = False
            return
        requests = [entry.request for entry in batch]
        written = self._run_in_thread(lambda: self._append(requests))
        written.addCallbacks(lambda _: self._written(batch), lambda failure: self._failed(batch, failure.value))

    def _append(self, requests: Sequence[StoredRequest]) -> None:
        if self._at_end is None:
            self._at_end = self._file.marks_at_end()
        at_end, now_us = self._at_end, self._now_us()
        lines = [(request, outbox_line(request, now_us=now_us)) for request in requests]
        # Where all of them are there, nothing is appended, and the file is synced all the same.
        self._file.append(b"".join(line for request, line in lines if not _is_there(request, line, at_end)))

    def _written(self, batch: Sequence[_Entry]) -> None:
        for entry in batch:
            if not entry.written.called:
                entry.written.callback(None)
        self._write()

    def _failed(self, batch: Sequence[_Entry], error: BaseException) -> None:
        behind = self._waiting
        self._waiting = []
        self._is_writing = False
        for entry in (*batch, *behind):
            if not entry.written.called:
                entry.written.errback(error)
