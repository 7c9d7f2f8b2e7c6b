"""The frames of a log: told apart as SQLite writes them, whatever is damaged."""

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.spool.frames import FRAME, HEADER, LogImage, write_image

PAGE = 4096


def make(folder, rounds=3):
    """A database of ten rows, and a log with `rounds` changes of each and one more that was rolled back."""
    path = folder / "x.db"
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(rounds):
        for n in range(10):
            connection.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (n, f"{number} " * 500))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
    return path


def read(path):
    connection = apsw.Connection(str(path))
    try:
        assert connection.pragma("integrity_check") == "ok"
        return connection.execute("SELECT n, text FROM t ORDER BY n").fetchall()
    finally:
        connection.close()


def test_a_sound_log_gives_what_sqlite_reads(tmp_path):
    """Frame by frame, the last of each page; the database and its log stay as they are."""
    path, target = make(tmp_path), tmp_path / "image"
    before = path.read_bytes()
    found = write_image(path, target)

    assert found.damaged == 0 < found.frames
    assert path.read_bytes() == before
    assert read(target) == [(n, "2 " * 500) for n in range(10)]


@pytest.mark.parametrize("damage", [slice(0, 4), slice(8, 12), slice(16, 24), slice(0, 32), slice(0, 600)])
def test_a_damaged_header_costs_the_first_frame_only(tmp_path, damage):
    """SQLite takes such a log for an empty one; its frames tell what the header said."""
    path, target = make(tmp_path), tmp_path / "image"
    log = path.with_name("x.db-wal")
    data = bytearray(log.read_bytes())
    data[damage] = bytes(byte ^ 0xFF for byte in data[damage])
    log.write_bytes(data)
    found = write_image(path, target)

    assert 1 <= found.damaged <= 2
    assert read(target) == [(n, "2 " * 500) for n in range(10)]


def test_what_an_earlier_round_of_the_log_left_does_not_count(tmp_path):
    """After a checkpoint the log begins anew over its old frames, with other salts."""
    path, target = make(tmp_path), tmp_path / "image"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("SELECT 1 FROM t").fetchall()
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    connection.execute("UPDATE t SET text = 'new' WHERE n = 1")
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
    found = write_image(path, target)

    assert (found.damaged, found.frames < 10) == (0, True)
    assert dict(read(target))[1] == "new"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_costs_two_frames_at_most(tmp_path_factory, data):
    """The one that it is in, and the next where it is in the sum."""
    folder = tmp_path_factory.mktemp("log")
    path, target = make(folder, rounds=1), folder / "image"
    log = folder / "x.db-wal"
    sound = write_image(path, target)
    content = bytearray(log.read_bytes())
    place = data.draw(st.integers(HEADER.size, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    log.write_bytes(content)
    found = write_image(path, target)

    is_salt = 8 <= (place - HEADER.size) % (FRAME.size + PAGE) < 16
    assert sound.frames - is_salt <= found.frames <= sound.frames
    assert found.damaged <= 2


@pytest.mark.parametrize("content", [None, b"", b"x" * 31, bytes(5000)])
def test_what_is_no_log_gives_nothing(tmp_path, content):
    """Nothing is written then."""
    path, target = make(tmp_path), tmp_path / "image"
    log = tmp_path / "x.db-wal"
    log.unlink() if content is None else log.write_bytes(content)

    assert write_image(path, target) == LogImage()
    assert not target.exists()
