"""The file that is given up when the disk is full, on real files."""

import errno
import os

import pytest

from agent.spool.reserve import Reserve, free_bytes

SIZE = 1 << 20


@pytest.fixture
def free():
    return [10 * SIZE]


@pytest.fixture
def reserve(tmp_path, free):
    return Reserve(folder=tmp_path, size_bytes=SIZE, keep_free_bytes=SIZE, free_bytes=lambda _folder: free[0])


def test_it_takes_its_space_for_real(reserve, tmp_path):
    """Blocks and not only a length; closed to others."""
    assert reserve.lay_by()
    found = (tmp_path / "reserve").stat()

    assert (found.st_size, found.st_mode & 0o777) == (SIZE, 0o600)
    assert found.st_blocks * 512 >= SIZE


def test_it_is_given_up_once(reserve, tmp_path):
    """Then there is none, until it is laid by again."""
    reserve.lay_by()
    assert (reserve.give_up(), reserve.is_spent, reserve.give_up()) == (True, True, False)
    assert list(tmp_path.iterdir()) == []

    assert (reserve.lay_by(), reserve.is_spent) == (True, False)


def test_it_is_not_laid_by_at_the_cost_of_what_must_stay_free(reserve, free, tmp_path):
    """It stays spent while there is no more space than that."""
    reserve.lay_by()
    reserve.give_up()
    free[0] = 2 * SIZE - 1
    assert (reserve.lay_by(), reserve.is_spent) == (False, True)
    assert list(tmp_path.iterdir()) == []
    free[0] = 2 * SIZE

    assert (reserve.lay_by(), reserve.is_spent) == (True, False)


def test_a_reserve_that_cannot_be_made_leaves_nothing_behind(reserve, tmp_path, monkeypatch):
    """The disk was fuller than it said; the agent goes on without."""

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "injected")

    monkeypatch.setattr(os, "posix_fallocate", full)

    assert (reserve.lay_by(), reserve.is_spent, list(tmp_path.iterdir())) == (False, False, [])


def test_none_can_be_wanted(tmp_path):
    """A size of 0: nothing is made and nothing given up."""
    reserve = Reserve(folder=tmp_path, size_bytes=0, keep_free_bytes=0)

    assert (reserve.lay_by(), reserve.give_up(), list(tmp_path.iterdir())) == (True, False, [])


def test_what_an_earlier_process_left_is_taken_over(reserve, tmp_path):
    """One file, also after a kill in the middle of making it."""
    (tmp_path / "reserve").write_bytes(b"half")
    reserve.lay_by()

    assert (tmp_path / "reserve").stat().st_size == SIZE


def test_free_space_is_that_of_the_folders_disk(tmp_path, monkeypatch):
    """A number of bytes, not of blocks, and what is for everybody, not for root alone."""
    look = os.statvfs(tmp_path)
    looked = []
    monkeypatch.setattr(os, "statvfs", lambda folder: looked.append(folder) or look)
    assert (look.f_bavail * look.f_frsize, [tmp_path]) == (free_bytes(tmp_path), looked)
