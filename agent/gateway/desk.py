"""The stranger desk: every connection that failed or was misused is noted, told in the log, and kept over restarts.

In the log at most one line for each peer and minute, however often it knocks: the first at once, what follows counted
in one more line when the minute is over. Those who only connect and leave (health checks, port scanners) are told once
a day. The book is written whole, beside the old one and then in its place, at most every `SAVE_S`; a kill of the agent
costs what came since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel

from agent.gateway.reception import InThread
from agent.wholefile import write_whole
from agent.wire.misuse import Cause, Misuse
from agent.wire.strangerbook import MOST_BYTES, StrangerBook, read_book
from agent.wire.strangers import explain, is_own_check

log = Logger(namespace="gateway")

TICK_S: Final = 5.0
SAVE_S: Final = 10.0
QUIET_S: Final = 60.0
DAY_S: Final = 24 * 3600.0
MOST_PEERS: Final = 1000
"""Peers whose lines are held back one by one; a flood from more addresses is told in one line a minute."""

_HARMLESS: Final = frozenset({Cause.LEFT})


@attrs.define
class _Held:
    """What a peer did since its last line."""

    until: float
    count: int = 0
    latest: Misuse | None = None


class StrangerDesk:
    """A Part, and an `agent.boundaries.Desk`. `path` is the book's file; `reactor` tells the time and wakes it up."""

    name: Final = "stranger desk"

    def __init__(self, *, path: Path, reactor: Any, now_us: Callable[[], int], in_thread: InThread[Any]) -> None:
        self._path = path
        self._reactor = reactor
        self._now_us = now_us
        self._in_thread = in_thread
        self._book = StrangerBook()
        self._held: dict[tuple[str, bool], _Held] = {}
        self._crowd = 0
        self._crowd_until = 0.0
        self._is_changed = False
        self._is_saving: Deferred[None] | None = None
        self._saved_at = 0.0
        self._call: Any = None

    async def start(self) -> None:
        """Read the book of the last run; one that cannot be read is left aside with a warning."""
        try:
            data = await self._in_thread(lambda: _read(self._path))
            self._book = read_book(data) if data is not None else StrangerBook()
        except (OSError, ValueError) as error:
            log.warn("{path}: {error}; the list of strangers begins anew", path=str(self._path), error=str(error))
        self._book.expire(self._now_us())
        self._saved_at = self._reactor.seconds()
        self._call = self._reactor.callLater(TICK_S, self._tick)

    async def stop(self, patience_s: float) -> None:
        """Tell what was held back, and write the book a last time."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        self._tell_held(float("inf"))
        if self._is_saving is not None:
            await self._is_saving
        if self._is_changed:
            await self._save()

    def __call__(self, misuse: Misuse) -> None:
        """Take note of one connection."""
        if is_own_check(misuse):
            return  # it tries old versions because it wants to see them refused
        self._book.note(misuse, self._now_us())
        self._is_changed = True
        key = (misuse.peer, misuse.cause in _HARMLESS)
        held = self._held.get(key)
        if held is not None:
            held.count += 1
            held.latest = misuse
        elif len(self._held) >= MOST_PEERS:
            self._crowd += 1
        else:
            self._held[key] = _Held(self._reactor.seconds() + (DAY_S if key[1] else QUIET_S))
            _tell(misuse, 1)

    def document(self) -> Mapping[str, Any]:
        """For `/v1/strangers`."""
        self._book.expire(self._now_us())
        return self._book.document()

    def _tick(self) -> None:
        self._call = self._reactor.callLater(TICK_S, self._tick)
        now = self._reactor.seconds()
        self._tell_held(now)
        if self._is_changed and self._is_saving is None and now - self._saved_at >= SAVE_S:
            self._is_saving = Deferred.fromCoroutine(self._save())
            self._is_saving.addErrback(lambda failure: log.failure("the list of strangers", failure))

    def _tell_held(self, now: float) -> None:
        for key in [key for key, held in self._held.items() if held.until <= now]:
            held = self._held[key]
            if held.latest is None:
                del self._held[key]
                continue
            _tell(held.latest, held.count)
            held.until += DAY_S if key[1] else QUIET_S
            held.count, held.latest = 0, None
        if self._crowd and now >= self._crowd_until:
            log.warn(
                "{count} connections of further peers failed or were misused; see: iadmin tls strangers",
                count=self._crowd,
            )
            self._crowd, self._crowd_until = 0, now + QUIET_S

    async def _save(self) -> None:
        self._is_changed = False
        self._book.expire(self._now_us())
        document = self._book.document()  # here, because the book changes only in this thread
        try:
            await self._in_thread(lambda: write_whole(self._path, json.dumps(document).encode("ascii")))
        except OSError as error:
            log.warn(
                "{path}: the list of strangers cannot be written: {error}", path=str(self._path), error=error.strerror
            )
        finally:
            self._saved_at = self._reactor.seconds()
            self._is_saving = None


def _tell(misuse: Misuse, count: int) -> None:
    level = LogLevel.info if misuse.cause in _HARMLESS else LogLevel.warn
    if count == 1:
        log.emit(level, "{sentence}", sentence=explain(misuse), cause=misuse.cause.value)
        return
    log.emit(
        level,
        "{sentence} ({count} such connections of this peer since the last line)",
        sentence=explain(misuse),
        count=count,
        cause=misuse.cause.value,
    )


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
