"""Fetches the events that `apclient` has left in `var/apclient` while the agent could not be reached.

1. Once a second the folder is looked at; its files sort by time.
2. One after the other is read, mapped by the descriptor of its service as the gateway would do it, and offered to the
   store. When it is committed, its file is removed. A kill in between makes no second event, because a file keeps the
   key under which the event is known.
3. What the store does not take now (503) stays, and with it all that is younger and for the same service.
4. What can never be taken is put into `var/apclient/refused`, and said in the log.

The folder also tells `apclient` where the agent listens and which certificate is presented there (`gateway`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from agent.boundaries import Counters, EventSink
from agent.committed import store
from agent.errors import SenderError
from agent.event import BodyKind, Event
from agent.event.body import BodyReader
from agent.mapping import InputRules, Submission, take_submission
from agent.wholefile import write_whole
from apclient import parcel

log = Logger(namespace="pickup")

EVERY_S: Final = 1.0
MAX_DEPTH: Final = 64
"""Of the XML of a message, as at the gateway."""
OLD_S: Final = 3600.0
"""Half-written files older than this belong to clients that were killed."""
PEER: Final = "apclient"

_Found = TypeVar("_Found")
InThread = Callable[[Callable[[], _Found]], Deferred[_Found]]


@attrs.frozen(kw_only=True)
class Entrance:
    """Where `apclient` reaches the agent: a URL, and the certificate (PEM) that is presented there, if it is https."""

    url: str
    certificate: str = ""


@attrs.frozen(kw_only=True)
class _Taken:
    """A parcel that was read and mapped."""

    service: str
    key: str
    submission: Submission


@attrs.frozen
class _Rejected:
    """Why a parcel can never be taken: the end of a sentence that begins with its name."""

    why: str


class PickUp:
    """A Part. `rules` are those of the active services; `inactive` ones keep their parcels waiting.

    `entrance` says where the agent listens at this moment. `in_thread` runs what blocks outside the reactor thread.
    """

    name: Final = "pick-up"

    def __init__(
        self,
        *,
        folder: Path,
        rules: Iterable[InputRules],
        inactive: Iterable[InputRules] = (),
        sink: EventSink,
        new_id: Callable[[], str],
        now_us: Callable[[], int],
        counters: Counters,
        clock: IReactorTime,
        in_thread: InThread[Any],
        entrance: Callable[[], Entrance | None],
    ) -> None:
        self._folder = folder
        self.change(rules, inactive)
        self._sink = sink
        self._new_id = new_id
        self._now_us = now_us
        self._counters = counters
        self._clock = clock
        self._in_thread = in_thread
        self._entrance = entrance
        self._noted: Entrance | None = None
        self._told: dict[str, str] = {}
        """By name of the file: why it waits. Empty name: the folder itself."""
        self._refused = 0
        self._timer: Any = None
        self._round: Deferred[None] | None = None
        self._is_stopping = False

    def change(self, rules: Iterable[InputRules], inactive: Iterable[InputRules]) -> None:
        """Other services, from the next look on."""
        self._rules = _by_url_name(rules)
        self._inactive = frozenset(_by_url_name(inactive))

    async def start(self) -> None:
        """Begin to look. What waits is fetched after this has returned."""
        self._begin()

    async def stop(self, patience_s: float) -> None:
        """Wait for the parcel that is in hand."""
        self._is_stopping = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._round is not None:
            await self._round

    def warnings(self) -> list[str]:
        """What an operator should do something about: parcels that were put aside, or that cannot be fetched."""
        if not self._refused:
            return list(self._told.values())
        events = "an event" if self._refused == 1 else f"{self._refused} events"
        aside = (
            f"{events} that apclient had kept cannot be taken; the log says why. They are in "
            f"{self._folder / parcel.REFUSED}: move them back to the folder above, or delete them"
        )
        return [aside, *self._told.values()]

    def _begin(self) -> None:
        self._round = Deferred.fromCoroutine(self._look())
        self._round.addErrback(lambda failure: log.failure("the events left by apclient cannot be fetched", failure))
        self._round.addCallback(self._ended)

    def _ended(self, _: object) -> None:
        self._round = None
        if not self._is_stopping:
            self._timer = self._clock.callLater(EVERY_S, self._begin)

    async def _look(self) -> None:
        try:
            await self._leave_note()
            names, self._refused = await self._in_thread(lambda: _look_around(self._folder, self._now_us()))
            self._told = {name: why for name, why in self._told.items() if name in names}
        except OSError as error:
            self._tell_once("", f"{self._folder} cannot be used: {(error.strerror or str(error)).lower()}")
            return
        blocked: set[str] = set()
        for name in names:
            mark = name.rpartition("-")[2]
            if mark in blocked:
                continue
            if self._is_stopping:
                return
            if not await self._fetch(name):
                blocked.add(mark)

    async def _leave_note(self) -> None:
        entrance = self._entrance()
        if entrance is None or entrance == self._noted:
            return
        content = f"{entrance.url}\n{entrance.certificate}".encode("ascii")
        await self._in_thread(lambda: _write_note(self._folder, content))
        self._noted = entrance

    async def _fetch(self, name: str) -> bool:
        """Take one parcel; whether the next one of its service may follow."""
        path = self._folder / name
        try:
            found = await self._in_thread(lambda: self._read(path))
        except FileNotFoundError:
            return True
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            self._tell_once(name, f"{path} cannot be read: {said}; let the agent's account read it")
            return False
        if isinstance(found, _Rejected):
            return await self._reject(path, found.why)
        if found is None:
            return False
        event = self._event(found)
        try:
            event_id = await store(self._sink, event)
        except SenderError as error:
            self._tell_once(name, f"{path} waits: {error.sentence}")
            return False
        if not await self._removed(path):
            return False
        self._told.pop(name, None)
        is_new = event_id == event.id
        self._counters.count("pickup.accepted" if is_new else "pickup.repeated")
        log.info(
            "fetched {size_bytes} bytes for {service} that apclient had kept"
            if is_new
            else "apclient had kept an event for {service} that is here already",
            event_id=event_id,
            size_bytes=len(event.body),
            service=event.service,
        )
        return True

    def _read(self, path: Path) -> _Taken | _Rejected | None:
        """Read and map a parcel; None while its service is inactive. Blocks."""
        try:
            left = parcel.read(_content(path))
        except ValueError as error:
            return _Rejected(str(error))
        if left.service in self._inactive:
            return None
        rules = self._rules.get(left.service)
        if rules is None:
            return _Rejected(f"is for the service {left.service}, which there is not")
        try:
            # A parser belongs to one thread, and threads of the pool change.
            submission = take_submission(BodyReader(max_depth=MAX_DEPTH), left.body, None, rules)
        except SenderError as error:
            return _Rejected(f"cannot be taken: {error.sentence}")
        return _Taken(service=rules.service.client_id, key=left.key, submission=submission)

    def _event(self, taken: _Taken) -> Event:
        return taken.submission.put_into(
            Event(
                id=self._new_id(),
                service=taken.service,
                received_us=self._now_us(),
                peer=PEER,
                kind=BodyKind.APXML,
                body=taken.submission.body,
                idempotency_key=taken.key,
            )
        )

    async def _removed(self, path: Path) -> bool:
        try:
            await self._in_thread(path.unlink)
        except FileNotFoundError:
            return True
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            self._tell_once(path.name, f"{path} is taken in and cannot be removed: {said}; remove it")
            return False
        return True

    async def _reject(self, path: Path, why: str) -> bool:
        refused = self._folder / parcel.REFUSED
        self._counters.count("pickup.refused")

        def put_aside() -> None:
            refused.mkdir(mode=0o700, exist_ok=True)
            path.rename(refused / path.name)

        try:
            await self._in_thread(put_aside)
        except OSError as error:
            self._tell_once(path.name, f"{path} {why}, and cannot be put aside: {(error.strerror or '').lower()}")
            return False
        log.warn("{path} {why}; it is in {folder} now", path=str(path), why=why, folder=str(refused))
        return True

    def _tell_once(self, name: str, sentence: str) -> None:
        """A parcel that waits is looked at each second; the operator hears of it once."""
        if self._told.get(name) != sentence:
            self._told[name] = sentence
            log.warn("{sentence}", sentence=sentence)


def _by_url_name(rules: Iterable[InputRules]) -> Mapping[str, InputRules]:
    return {quote(each.service.url_name, safe=""): each for each in rules}


def _write_note(folder: Path, content: bytes) -> None:
    """There is no secret in it: whoever may use the folder may read it."""
    write_whole(folder / parcel.NOTE, content)
    if folder.stat().st_mode & stat.S_IXGRP:
        (folder / parcel.NOTE).chmod(0o640)


def _look_around(folder: Path, now_us: int) -> tuple[list[str], int]:
    """The names of all parcels, the oldest first, and the number of refused ones. What killed clients have left
    half-written is removed."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(parcel.SUFFIX) and not entry.name.startswith("."):
                found.append(entry.name)
            elif entry.name.startswith(".") and entry.name.endswith(".tmp"):
                status = entry.stat(follow_symlinks=False)
                if now_us / 1e6 - status.st_mtime > OLD_S:
                    os.unlink(entry.path)  # noqa: PTH108 -- an entry has a text for its path
    try:
        refused = os.listdir(folder / parcel.REFUSED)  # noqa: PTH208 -- they are only counted
    except OSError:
        refused = []
    return sorted(found), len(refused)


def _content(path: Path) -> bytes:
    """A regular file's content. Others may write into the folder, so nothing is followed and nothing blocks."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("is not a regular file")
        data = file.read(parcel.MAX_BYTES + 1)
    if len(data) > parcel.MAX_BYTES:
        raise ValueError(f"is larger than {parcel.MAX_BYTES} bytes")
    return data
