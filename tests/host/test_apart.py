"""agent.host.apart: limits that the kernel holds a process to, tried in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.host.apart import account_for, count_tasks

ROOT = Path(__file__).parent.parent.parent
UNPRIVILEGED = """
import os, agent.host.apart
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
"""
"""Only now: another account may not read this Python."""


def run(script: str) -> str:
    """What a Python process prints, as an account that is not root, because root is not held to all limits."""
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED + script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": f"{ROOT}:{':'.join(path for path in sys.path if path)}"},
    )
    return done.stdout.strip()


def test_a_fork_bomb_meets_its_limit() -> None:
    """What the account has when the worker starts, and some more; then the system says no."""
    told = run(
        """
import signal, time
os.setpgid(0, 0)
agent.host.apart.hold_to({"processes": 20})
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except BlockingIOError:
    pass
print(len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
"""
    )
    assert 10 <= int(told) <= 20


def test_limits_are_final_and_zero_is_none() -> None:
    """Soft and hard limit are the same, so no service can raise them; one above the agent's own is cut."""
    told = run(
        """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
before = resource.getrlimit(resource.RLIMIT_NPROC)
agent.host.apart.hold_to({"open_files": 1024, "memory_bytes": 2**28, "processes": 0})
assert before == resource.getrlimit(resource.RLIMIT_NPROC)
print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_DATA))
"""
    )
    assert f"200 200 {2**28} {2**28}" == told


def test_tasks_are_counted_as_the_kernel_does() -> None:
    """At least this process; none for an account that has none."""
    assert 1 <= count_tasks(os.getuid())
    assert 0 == count_tasks(2**31 - 2)


def test_root_runs_scripts_as_those_who_may_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the account's own groups; everybody else, and root on its own home, stays what it is."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    home = tmp_path / "home"

    class Owner:
        st_uid, st_gid = 12345, 678

    monkeypatch.setattr(Path, "stat", lambda self: Owner)
    assert {"user": 12345, "group": 678, "extra_groups": [678]} == account_for(home)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert {} == account_for(home)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Owner, "st_uid", 0)
    assert {} == account_for(home)
