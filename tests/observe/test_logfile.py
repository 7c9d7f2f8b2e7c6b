"""The log file is private, bounded, and survives what others do to it."""

from __future__ import annotations

import os

import pytest

from agent.observe.logfile import LogFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / "agent.log"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_file_and_folder_are_the_owners_alone(path):
    """Whatever the umask is; a file that is too open is closed up."""
    path.parent.mkdir(mode=0o700)
    path.write_text("old\n")
    path.chmod(0o644)
    LogFile(path=path, max_bytes=1000, max_old=1).write("new\n")
    assert "old\nnew\n" == path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_new_folder_is_made_private(path):
    """0700."""
    LogFile(path=path, max_bytes=1000, max_old=1).write("x\n")
    assert 0o700 == path.parent.stat().st_mode & 0o777


def test_it_rotates_by_size_and_keeps_so_many(path):
    """A write that would pass the size begins a new file; the oldest falls out."""
    log_file = LogFile(path=path, max_bytes=10, max_old=2)
    for number in range(5):
        log_file.write(f"line {number}\n")
    assert ["agent.log", "agent.log.1", "agent.log.2"] == names(path)
    assert "line 4\n" == path.read_text()
    assert "line 2\n" == path.with_name("agent.log.2").read_text()


def test_without_old_files_it_starts_again(path):
    """`max_old` 0."""
    log_file = LogFile(path=path, max_bytes=10, max_old=0)
    log_file.write("line 1\n")
    log_file.write("line 2\n")
    assert ["agent.log"] == names(path)
    assert "line 2\n" == path.read_text()


def test_a_write_larger_than_the_limit_goes_into_an_empty_file(path):
    """It does not rotate for ever."""
    LogFile(path=path, max_bytes=10, max_old=2).write("x" * 50 + "\n")
    assert ["agent.log"] == names(path)


def test_a_file_moved_away_by_others_is_made_anew(path):
    """As logrotate does it."""
    log_file = LogFile(path=path, max_bytes=1000, max_old=2)
    log_file.write("a\n")
    path.rename(path.with_name("elsewhere"))
    log_file.write("b\n")
    assert "b\n" == path.read_text()


def test_a_symbolic_link_is_not_followed(path, tmp_path):
    """Whoever can write into the folder cannot lead the lines into another file."""
    path.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("")
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        LogFile(path=path, max_bytes=1000, max_old=2).write("a\n")
    assert "" == victim.read_text()


def test_a_write_that_fails_leaves_it_usable(path):
    """The descriptor closed under it, as after a revoked mount: the error comes out once, the next write works."""
    log_file = LogFile(path=path, max_bytes=1000, max_old=2)
    log_file.write("a\n")
    os.close(log_file._fd)
    with pytest.raises(OSError, match="descriptor"):
        log_file.write("b\n")
    log_file.write("c\n")
    assert "a\nc\n" == path.read_text()
