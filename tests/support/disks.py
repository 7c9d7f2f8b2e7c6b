"""Disks that fill up, become read-only or fail to sync, for the end-to-end tests; each says whether it is permitted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.live import run, until

MIB: Final = 1024 * 1024


@cache
def may_mount() -> bool:
    """Whether we may mount a small disk: root, and not every container."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"mount-probe-{os.getpid()}"
    folder.mkdir()
    try:
        if run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder).returncode:
            return False
        return run("umount", folder).returncode == 0
    finally:
        folder.rmdir()


@cache
def may_inject() -> bool:
    """Whether strace is there and may inject faults into system calls."""
    if shutil.which("strace") is None:
        return False
    probe = run("strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "true")
    return probe.returncode == 0


@contextmanager
def small_disk(folder: Path, *, size_mib: int) -> Iterator[Path]:
    """A tmpfs of its own, mounted there."""
    folder.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0700", "tmpfs", folder)
    assert mounted.returncode == 0, mounted.stderr
    try:
        yield folder
    finally:
        # Lazily: what a failed test has left running must not keep the folder.
        run("umount", "-l", folder)


def free_bytes(folder: Path) -> int:
    """What is left on the disk of this folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, *, leave_bytes: int = 0) -> Path:
    """Take the space of the disk away but for this much; returns the file that holds it."""
    ballast = folder / "ballast"
    with ballast.open("ab") as file:
        while (left := free_bytes(folder) - leave_bytes) > 0:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, left)
            except OSError:
                break
    return ballast


@contextmanager
def injected(pid: int, *faults: str, path: Path | None = None) -> Iterator[None]:
    """While this lasts, system calls of the process fail: `fdatasync:error=EIO`; only those on `path` where given."""
    argv = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(pid)]
    calls = ",".join(fault.partition(":")[0] for fault in faults)
    argv += ["-e", f"trace={calls}", *(word for fault in faults for word in ("-e", f"inject={fault}"))]
    argv += ["-P", str(path)] if path is not None else []
    tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("strace to hold every thread", lambda: _traced(pid))
        assert tracer.poll() is None, "strace ended"
        yield
    finally:
        # It lets go of the process, which goes on.
        tracer.terminate()
        tracer.wait(10)


def _traced(pid: int) -> bool:
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if "\nTracerPid:\t0\n" in text:
            return False
    return True
