"""One agent per home."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.control import HomeLock, running_pid
from agent.control.lock import TRIES
from agent.errors import ExitStatus, MachineError

HOLDER = """
import sys
from pathlib import Path
from agent.control import HomeLock
HomeLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "var" / "run" / "agent.pid"


def held(path: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the lock until its standard input ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"locked\n" == process.stdout.readline()
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    process.communicate(timeout=20)


def test_the_first_agent_writes_its_pid(path: Path) -> None:
    """The pid stands in the file for people, and the file is for the owner only."""
    lock = HomeLock(path)
    lock.acquire()
    assert f"{os.getpid()}\n" == path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777
    lock.release()


def test_the_second_agent_is_refused_with_the_pid_of_the_first(path: Path) -> None:
    """One sentence names pid, home and remedy; every pause before it is counted."""
    first = held(path)
    pauses: list[float] = []
    with pytest.raises(MachineError) as caught:
        HomeLock(path, pause=pauses.append).acquire()
    home = path.parents[2]
    assert (
        f'another agent (pid {first.pid}) already runs on {home}; stop it with "iadmin --home {home} stop"'
        == caught.value.sentence
    )
    assert ExitStatus.UNAVAILABLE == caught.value.exit_status
    assert TRIES - 1 == len(pauses)
    ended(first)


def test_a_reader_in_the_way_is_waited_for(path: Path) -> None:
    """An iadmin that looks at the lock in the very moment of a start does not make the agent refuse."""
    import fcntl

    path.parent.mkdir(parents=True)
    path.touch()
    reader = os.open(path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    lock = HomeLock(path, pause=lambda _: os.close(reader))
    lock.acquire()
    assert os.getpid() == running_pid(path)
    lock.release()


def test_a_killed_agent_leaves_nothing_that_blocks(path: Path) -> None:
    """After kill -9 the file still names the dead pid; nobody is taken in by it."""
    first = held(path)
    os.kill(first.pid, signal.SIGKILL)
    ended(first)
    assert f"{first.pid}\n" == path.read_text()
    assert running_pid(path) is None
    lock = HomeLock(path)
    lock.acquire()
    assert f"{os.getpid()}\n" == path.read_text()
    lock.release()


def test_a_longer_pid_of_before_leaves_nothing(path: Path) -> None:
    """The file holds our pid and nothing else."""
    path.parent.mkdir(parents=True)
    path.write_text("123456789012\n")
    lock = HomeLock(path)
    lock.acquire()
    assert f"{os.getpid()}\n" == path.read_text()
    lock.release()


def test_a_released_home_is_free(path: Path) -> None:
    """Release gives the home to the next one, and may be repeated."""
    lock = HomeLock(path)
    lock.acquire()
    lock.release()
    lock.release()
    assert running_pid(path) is None
    HomeLock(path).acquire()


def test_running_pid_tells_the_holder(path: Path) -> None:
    """Readers are told the pid while it is held; no file is no agent; a holder without a pid is 0."""
    assert running_pid(path) is None
    first = held(path)
    assert first.pid == running_pid(path)
    path.write_text("")
    assert 0 == running_pid(path)
    ended(first)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file where a folder should be, or missing rights, is named."""
    (tmp_path / "var").write_text("")
    with pytest.raises(MachineError, match=r"cannot open .*agent\.pid"):
        HomeLock(tmp_path / "var" / "run" / "agent.pid").acquire()


def test_a_released_file_keeps_its_block(path: Path) -> None:
    """On a disk that has become full meanwhile, an empty file could not take the pid of the next agent."""
    lock = HomeLock(path)
    lock.acquire()
    lock.release()

    assert 0 < path.stat().st_size
    assert None is running_pid(path)


def test_a_pid_that_cannot_be_written_is_one_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file, and what to do; the lock is not kept."""

    def refuse(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        with pytest.raises(MachineError, match=r"agent\.pid' .No space left on device.; free some space") as caught:
            HomeLock(path).acquire()

    assert ExitStatus.CANNOT_CREATE == caught.value.exit_status
    HomeLock(path).acquire()
