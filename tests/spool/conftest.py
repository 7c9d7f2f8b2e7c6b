"""One folder and one faulty disk for each test."""

import itertools

import pytest

from agent.spool.writer import Writer
from tests.spool.support import START_US, FaultyDisk

_NUMBERS = itertools.count()


@pytest.fixture
def disk():
    """A disk that can be told to fail. Registered under a name of its own: SQLite keeps a list of them."""
    disk = FaultyDisk(f"faulty-{next(_NUMBERS)}")
    yield disk
    disk.unregister()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def writer(folder, disk):
    """An open writer over the faulty disk."""
    writer = Writer(folder=folder, now_us=lambda: START_US + 50, vfs=disk.name)
    writer.open()
    yield writer
    disk.fail.clear()
    writer.close()
