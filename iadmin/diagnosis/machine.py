"""The machine under the agent: disk, clock, name, limits, account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from iadmin.diagnosis.finding import Finding, fault, note, warning

NETWORK_DISKS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "afs", "fuse.sshfs", "lustre", "ocfs2"}
)
"""Types of `/proc/mounts` on which SQLite's log does not work: its index is shared memory of one machine."""
MEMORY_DISKS: Final = frozenset({"tmpfs", "ramfs"})
SYNC_UNREAL_S: Final = 0.000_005
"""No device answers faster; what does has not written anything. (A fast NVMe disk takes 20 microseconds and more.)"""
SYNC_SLOW_S: Final = 0.1
"""At ten commits a second the senders of a busy agent wait; a spinning disk takes 10 ms."""
CLOCK_TOLERANCE_S: Final = 60.0
LOW_TIMES: Final = 4
"""As `iadmin status` counts: so many times the bound below which events are refused."""
FEW_INODES: Final = 1000
SPARE_DESCRIPTORS: Final = 200
"""For files, workers and deliveries, beside the connections of senders."""


@attrs.frozen(kw_only=True)
class Disk:
    """The disk under a home. Sizes in bytes, None where not known; `sync_s` is the median of some syncs."""

    folder: str
    file_system: str = ""
    free_bytes: int | None = None
    free_inodes: int | None = None
    min_free_bytes: int = 0
    sync_s: float | None = None
    sync_fault: str = ""
    is_reserve_there: bool = True


def look_at_disk(disk: Disk) -> Iterator[Finding]:
    """Kind, room, and whether a sync is one."""
    known = f"the disk under {disk.folder}"
    if disk.file_system in NETWORK_DISKS:
        yield fault(
            "network-disk",
            f"the home lies on a network file system ({disk.file_system}), where the spool can be damaged",
            known=f"{known}, from /proc/mounts",
            remedy="move the home to a local disk: docs/operations.rst",
        )
    elif disk.file_system in MEMORY_DISKS:
        yield fault(
            "memory-disk",
            f"the home lies in memory ({disk.file_system}): every acknowledged event is lost with the next power cut",
            known=f"{known}, from /proc/mounts",
            remedy="move the home to a disk: docs/operations.rst",
        )
    elif disk.sync_s is not None and disk.sync_s < SYNC_UNREAL_S:
        yield warning(
            "sync-not-real",
            f"a sync takes {disk.sync_s * 1e6:.1f} microseconds, which no disk does: a power cut may lose events",
            known=f"{known}: some files were written and synced",
            remedy="switch off what pretends (mount option, eatmydata, the write cache of the virtual machine's host)",
        )
    if disk.sync_s is not None and disk.sync_s > SYNC_SLOW_S:
        yield warning(
            "sync-slow",
            f"a sync takes {disk.sync_s * 1000:.0f} ms, and every sender waits for one",
            known=f"{known}: some files were written and synced",
            remedy="move the home to a faster disk, or take other writers off this one",
        )
    if disk.sync_fault:
        yield fault(
            "home-not-writable",
            f"nothing can be written below {disk.folder}: {disk.sync_fault}",
            known="a file was to be written there",
            remedy="free space, mount it for writing, or give the folder to the agent's account",
        )
    yield from _room(disk, known)


def _room(disk: Disk, known: str) -> Iterator[Finding]:
    free = disk.free_bytes
    if free is not None and free < disk.min_free_bytes:
        yield fault(
            "disk-full",
            f"only {free // 1024**2} MiB are free, and below {disk.min_free_bytes // 1024**2} MiB events are refused",
            known=known,
            remedy="free some, or move the home: docs/operations.rst",
        )
    elif free is not None and free < LOW_TIMES * disk.min_free_bytes:
        yield warning(
            "disk-low",
            f"only {free // 1024**2} MiB are free; below {disk.min_free_bytes // 1024**2} MiB events are refused",
            known=known,
            remedy="free some, or move the home: docs/operations.rst",
        )
    if disk.free_inodes is not None and disk.free_inodes < FEW_INODES:
        yield warning(
            "inodes-low",
            f"only {disk.free_inodes} more files can be made on this disk",
            known=known,
            remedy="delete what is many: df --inodes shows where",
        )
    if not disk.is_reserve_there:
        yield warning(
            "no-reserve",
            "the reserve of the spool is not there: with a full disk, work in hand could not be ended",
            known=f"{disk.folder}/var/spool/reserve",
            remedy="free some space; the running agent lays it by again",
        )


@attrs.frozen(kw_only=True)
class Clock:
    """`ahead_s`: how far the newest event lies in the future. `is_synchronised` as the kernel says, None: not told."""

    ahead_s: float | None = None
    is_synchronised: bool | None = None


def look_at_clock(clock: Clock) -> Iterator[Finding]:
    """Times in logs, certificates and signatures are only as good as the clock."""
    if clock.ahead_s is not None and clock.ahead_s > CLOCK_TOLERANCE_S:
        yield warning(
            "clock-behind",
            f"the clock is behind: the newest event came {clock.ahead_s:.0f} s in its future",
            known="the newest time in the spool against this machine's clock",
            remedy="set the clock, and let chrony or systemd-timesyncd keep it: timedatectl set-ntp true",
        )
    if clock.is_synchronised is False:
        yield note(
            "clock-not-synchronised",
            "nothing keeps the clock of this machine right, as far as its kernel knows",
            known="adjtimex(2)",
            remedy="timedatectl set-ntp true (inside a container the host does it)",
        )


def look_at_name(name: str, *, resolves: bool) -> Iterator[Finding]:
    """The machine's own name."""
    if not resolves:
        yield note(
            "own-name-unknown",
            f"this machine calls itself {name}, and cannot find the address of that name",
            known="asking the resolver",
            remedy="put the name into DNS or /etc/hosts, or senders will not find it under that name either",
        )


def look_at_account(*, account: str, owner: str, is_root: bool) -> Iterator[Finding]:
    """Who asks, and whose home it is."""
    if account != owner and not is_root:
        yield warning(
            "other-account",
            f"you are {account}, and the home belongs to {owner}: not everything can be looked at",
            known="the owner of the home",
            remedy=f"say it again as {owner} or root",
        )


def look_at_descriptors(limit: int | None, *, connections: int) -> Iterator[Finding]:
    """`limit`: open files that the running agent may have; `connections`: that its gateways may take."""
    if limit is not None and limit < connections + SPARE_DESCRIPTORS:
        yield warning(
            "few-descriptors",
            f"the agent may open {limit} files, and its gateways would take {connections} connections",
            known="the limits of its process",
            remedy=f"LimitNOFILE={connections + 4096} in its unit (or ulimit -Hn), or lower max-connections",
        )
