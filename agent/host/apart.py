"""What a worker process does to itself before the service's code runs: apart from the agent, and within its limits.

What an unprivileged process can hold and what not, on Linux:

* **memory** (RLIMIT_DATA): what the process can write to. Not RLIMIT_AS, the address space: libraries and each thread's
  heap reserve gigabytes of addresses that are never touched, so a bound on them is either useless or hits the innocent.
  Not counted: shared memory, `tmpfs`, and whatever programs the service starts; each of those has the same limit anew.
* **descriptors** (RLIMIT_NOFILE), **core files** (none: they would hold events).
* **processes and threads** (RLIMIT_NPROC): the kernel counts all of the account's, so the limit is what there is now
  and some more. It binds this process and what it starts, not the agent. Of no effect for root.
* when the machine's memory is short, the kernel is told to end workers before the agent.
* **the end**: a session of its own, which the agent kills as one; a program that begins yet another session escapes.
  A cgroup would hold all of it, and needs rights that an agent does not have.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pwd
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

KEPT_FDS: Final = 5
"""0 to 4: the standard ones and the two pipes."""

OOM_SCORE: Final = "500"
"""Of 1000; the kernel ends the process with the highest score first, and anybody may raise their own."""

PR_SET_PDEATHSIG: Final = 1


def live_apart(agent_pid: int) -> None:
    """Own session, so that Ctrl-C at the agent's terminal does not reach the hooks and that the agent can kill
    everything the service starts as one group; nothing open but the five descriptors; dead when the agent is."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.closerange(KEPT_FDS, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    _die_with(agent_pid)
    # A crash in C code leaves a Python traceback in the log, and before the agent kills a worker whose hook overran its
    # time, it asks where the threads are: that line is what the service's author needs.
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def account_for(home: Path) -> dict[str, Any]:
    """What to start a process with (`subprocess.Popen`) so that it has the account of a home's owner, and no more.

    Empty unless root asks about the home of somebody else: then the scripts in it are that account's to write, and must
    not run as root. Raises `OSError` where there is no such home.
    """
    owner = home.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    try:
        groups = os.getgrouplist(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:
        groups = [owner.st_gid]
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": groups}


def hold_to(limits: Mapping[str, int]) -> None:
    """Take on the limits: `memory_bytes`, `open_files`, `processes`; 0 or absent: none. They cannot be raised again."""
    _limit(resource.RLIMIT_DATA, limits.get("memory_bytes", 0))
    _limit(resource.RLIMIT_NOFILE, limits.get("open_files", 0))
    more = limits.get("processes", 0)
    if more and os.getuid() != 0:
        _limit(resource.RLIMIT_NPROC, count_tasks(os.getuid()) + more)


def count_tasks(user: int) -> int:
    """Threads of all processes of an account, as RLIMIT_NPROC counts them; 0 where `/proc` does not tell."""
    tasks = 0
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end while they are counted.
        with contextlib.suppress(OSError):
            if process.stat().st_uid == user:
                tasks += len(os.listdir(process / "task"))  # noqa: PTH208 - a number is wanted, not paths
    return tasks


def _limit(kind: int, wanted: int) -> None:
    if not wanted:
        return
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def _die_with(agent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != agent_pid:
        # It died before we asked to be told.
        os._exit(0)
