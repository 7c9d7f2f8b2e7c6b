"""The events that wait in the home for the agent: written whole and synced, bounded, in order."""

from __future__ import annotations

import os
import time

from apclient import parcel
from apclient.submission import Submission

MAX_PARCELS = 10_000
MAX_BYTES = 256 * 1024 * 1024
"""Both for all that waits: a day of an alarm every ten seconds, and no full disk when the agent stays away."""
LOCK_PATIENCE_S = 5.0


class Full(Exception):
    """There is no room; the text is a sentence."""


class Spool:
    """`var/apclient` of a home."""

    def __init__(self, home: str) -> None:
        self._home = home
        self.folder = os.path.join(home, *parcel.FOLDER)

    def waiting(self, service: str) -> int:
        """How many events of this service wait already: a new one must not overtake them. Raises `OSError`."""
        return sum(parcel.is_for(name, service) for name, _ in self._parcels())

    def note(self) -> tuple[str, str]:
        """URL and certificate (PEM) of the agent's gateway, as it has left them here; empty where it has not."""
        try:
            with open(os.path.join(self.folder, parcel.NOTE), encoding="ascii") as file:
                url, _, certificate = file.read(parcel.MAX_NOTE_BYTES).partition("\n")
        except (OSError, ValueError):
            return "", ""
        return url.strip(), certificate.strip()

    def keep(self, submission: Submission) -> None:
        """Store an event: when this returns it is on disk. Raises `OSError`, and `Full`."""
        content = parcel.write(submission)
        self._make_folder()
        with _Lock(self.folder):
            known = self._parcels()
            size = sum(size for _, size in known)
            if len(known) >= MAX_PARCELS or size + len(content) > MAX_BYTES:
                raise Full(
                    f"{len(known)} events with {size} bytes wait in {self.folder} already, which is all it may hold"
                )
            newest = max((parcel.time_of(name) for name, _ in known), default=0)
            # A clock that was set back must not turn the order round.
            name = parcel.file_name(max(time.time_ns(), newest + 1), os.getpid(), submission.service)
            self._write(name, content)

    def _make_folder(self) -> None:
        path = self._home
        for name in parcel.FOLDER:
            path = os.path.join(path, name)
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            owner = os.stat(self._home)
            if os.geteuid() == 0:
                os.lchown(path, owner.st_uid, owner.st_gid)

    def _write(self, name: str, content: bytes) -> None:
        path = os.path.join(self.folder, name)
        temporary = os.path.join(self.folder, f".{name}.tmp")
        # Where the folder belongs to the agent's account, and this is another's, they share a group.
        mode = 0o600 if os.geteuid() in (0, os.stat(self.folder).st_uid) else 0o640
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, mode)  # the umask of a management system may hide it from the agent
                _hand_over(handle, self.folder)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _parcels(self) -> list[tuple[str, int]]:
        """Names and sizes; none where there is no folder yet."""
        found = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(parcel.SUFFIX) and not entry.name.startswith("."):
                        try:
                            found.append((entry.name, entry.stat().st_size))
                        except FileNotFoundError:
                            continue  # the agent has just taken it
        except FileNotFoundError:
            return []
        return found


def _hand_over(handle: int, folder: str) -> None:
    """What root writes belongs to the agent's account, which could not read it otherwise: then all later events of the
    service would wait behind it."""
    if os.geteuid() == 0:
        owner = os.stat(folder)
        os.fchown(handle, owner.st_uid, owner.st_gid)


class _Lock:
    """One writer at a time; the lock ends with the process, however it ends."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, ".lock")
        self._handle = -1

    def __enter__(self) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        # For reading, so that the lock file of another account will do; a lock needs no more.
        self._handle = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        if os.fstat(self._handle).st_nlink != 1:
            os.close(self._handle)
            raise OSError(f"{self._path} is a link to another file, whose mode it would change; remove it")
        try:
            os.fchmod(self._handle, 0o640)
            _hand_over(self._handle, self._folder)
        except OSError:
            pass  # another account's
        end = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                flock(self._handle, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"another apclient has held {self._path} for {LOCK_PATIENCE_S:g} s") from None
                time.sleep(0.01)
            else:
                return

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
