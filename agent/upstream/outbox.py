"""The outbox: a file of JSON lines, so that a newcomer sees the result without any account.

One object per request, in the order of sending. What waits is written together, with one sync, in a thread of the pool;
a request counts as delivered after the sync. A crash between the sync and the settling writes a request again: same
`id`, later `time`. A line that a crash has torn is ended before the next one is written, and its request comes again.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from agent.boundaries import StoredRequest
from agent.config.model import OutboxDestination
from agent.delivery import Answer
from agent.errors import DestinationError

MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

CONCURRENCY: Final = 256
"""Requests in one write: beyond this the sync is no longer what costs."""

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
        now_us = self._now_us()
        self._file.append(b"".join(outbox_line(request, now_us=now_us) for request in requests))

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
