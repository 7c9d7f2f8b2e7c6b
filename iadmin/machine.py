"""What this machine says of itself: disks, syncs, clock, name, limits, accounts, ports.

Each question has an answer that means "not known", for other systems and for accounts that may not look.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pwd
import socket
import stat
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from iadmin.diagnosis.home import Reach

SYNCS: Final = 9
"""Enough for a median that one slow write does not move."""
PROC: Final = Path("/proc")
_TIMEX_BYTES: Final = 208
"""`struct timex` of adjtimex(2) is 208 bytes on 64-bit machines; its first field, `modes`, is 0: only ask."""
_STATUS_AT: Final = 40
"""Where `status` stands in it: after modes, offset, freq, maxerror and esterror, each of eight bytes."""
_UNSYNCHRONISED: Final = 0x0040

BIND_FAULTS: Final = {
    errno.EADDRINUSE: "port-taken",
    errno.EADDRNOTAVAIL: "address-not-here",
    errno.EACCES: "port-not-allowed",
}


class Machine:
    """Asked by `iadmin doctor`. `find_owner` names the process that listens on a port, empty where it cannot."""

    def __init__(self, *, find_owner: Callable[[int], str]) -> None:
        self.port_owner: Final = find_owner

    def file_system(self, folder: Path) -> str:
        """The type of the file system, as `/proc/mounts` calls it; empty where it is not known."""
        try:
            lines = (PROC / "mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return ""
        real, best, kind = folder.resolve(), Path(), ""
        for line in lines:
            columns = line.split()
            if len(columns) < 3:
                continue
            place = Path(columns[1].replace("\\040", " "))
            # Of two mounts on one place the later one is seen.
            if real.is_relative_to(place) and len(place.parts) >= len(best.parts):
                best, kind = place, columns[2]
        return kind

    def room(self, folder: Path) -> tuple[int, int | None]:
        """Free bytes, and how many more files can be made (None: without a bound). Raises `OSError`."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None

    def sync_s(self, folder: Path) -> float:
        """The median of some appends with a sync, in seconds. Raises `OSError` where nothing can be written."""
        taken = []
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(SYNCS):
                file.write(b"x" * 4096)
                file.flush()
                began = time.perf_counter()
                os.fdatasync(file.fileno())
                taken.append(time.perf_counter() - began)
        return statistics.median(taken)

    def is_clock_synchronised(self) -> bool | None:
        """What adjtimex(2) says; None where it cannot be asked."""
        if ctypes.sizeof(ctypes.c_long) != 8:
            return None
        state = ctypes.create_string_buffer(_TIMEX_BYTES)
        try:
            answer = ctypes.CDLL(None).adjtimex(state)
        except (OSError, AttributeError):
            return None
        if answer < 0:
            return None
        return not int.from_bytes(state.raw[_STATUS_AT : _STATUS_AT + 4], "little") & _UNSYNCHRONISED

    def resolves(self, name: str) -> bool:
        """Whether a name has an address."""
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError):
            return False
        return True

    def accounts(self, folder: Path) -> tuple[str, str, bool]:
        """Who asks, who owns the folder, and whether who asks is root."""
        return _account(os.geteuid()), _account(folder.stat().st_uid), os.geteuid() == 0

    def agent_account(self, home: Path, pid: int | None) -> str:
        """As whom the agent runs: the owner of its process, else of its home."""
        with contextlib.suppress(OSError):
            if pid:
                # The owner of the folder in /proc is root for processes that may not be dumped.
                lines = (PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace").splitlines()
                return _account(next(int(line.split()[2]) for line in lines if line.startswith("Uid:")))
        return _account(home.stat().st_uid)

    def reach(self, path: Path, account: str, *, is_folder: bool) -> Reach:
        """What an account can do with a path, by owners, modes and the mount. Raises `OSError`."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return Reach.LINK_TO_NOTHING if path.is_symlink() else Reach.ABSENT
        if is_folder and not stat.S_ISDIR(found.st_mode):
            return Reach.NO_FOLDER
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return Reach.DENIED
        return Reach.WRITABLE if _may_write(found, account, is_folder=is_folder) else Reach.DENIED

    def descriptors(self, pid: int) -> int | None:
        """How many files a process may open; None where that cannot be read."""
        try:
            lines = (PROC / str(pid) / "limits").read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            return None
        for line in lines:
            if line.startswith("Max open files"):
                limit = line.split()[3]
                return int(limit) if limit.isdigit() else None
        return None

    def why_not_bound(self, host: str, port: int) -> tuple[str, str]:
        """Why nobody could listen at this address: a code and the system's words; both empty where one could."""
        try:
            found = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
            )
        except (OSError, UnicodeError):
            return "no-such-host", "this name has no address"
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as made:
            # As the agent does: what lingers of old connections is in nobody's way.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                made.bind(address)
                made.listen(1)
            except OSError as error:
                return BIND_FAULTS.get(error.errno or 0, "cannot-listen"), error.strerror or str(error)
        return "", ""


def _may_write(found: os.stat_result, account: str, *, is_folder: bool) -> bool:
    """A file is read and written, a folder is entered as well."""
    try:
        entry = pwd.getpwnam(account)
        user, groups = entry.pw_uid, os.getgrouplist(account, entry.pw_gid)
    except KeyError:
        user, groups = int(account), []
    needed = 0o7 if is_folder else 0o6
    if user == 0:
        return True
    shift = 6 if found.st_uid == user else 3 if found.st_gid in groups else 0
    return (found.st_mode >> shift) & needed == needed


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
