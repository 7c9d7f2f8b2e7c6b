"""Files: the path holds the old store or the new one, whole, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keystoretools import files
from keystoretools.errors import CorruptError, ErrorCode, FileError, LimitError
from keystoretools.limits import Limits

NOW = datetime(2026, 11, 20, 18, 15, 30, tzinfo=UTC)
OLD = b"old" * 1000
NEW = b"new" * 2000
NEWER = b"newer" * 500


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / ".keystore"
    path.write_bytes(OLD)
    path.chmod(0o640)
    return path


def names(store: Path) -> list[str]:
    return sorted(path.name for path in store.parent.iterdir())


def test_a_save_replaces_the_store_and_keeps_the_old_one_under_the_time(store: Path) -> None:
    """The backup holds the old octets; nothing else is left in the folder."""
    saved = files.save(store, NEW, now=NOW)
    assert NEW == store.read_bytes()
    assert store.with_name(".keystore.20261120-181530.bak") == saved.backup
    assert OLD == saved.backup.read_bytes()
    assert [".keystore", ".keystore.20261120-181530.bak"] == names(store)


def test_two_saves_in_one_second_keep_two_backups(store: Path) -> None:
    """A backup is never overwritten."""
    files.save(store, NEW, now=NOW)
    second = files.save(store, b"newest", now=NOW).backup
    assert second is not None
    assert (".keystore.20261120-181530-2.bak", NEW) == (second.name, second.read_bytes())


def test_a_backup_is_made_where_files_have_only_one_name(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT, some network file systems, files of others: the backup is a copy then."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    saved = files.save(store, NEW, now=NOW)
    assert saved.backup is not None
    assert (OLD, 0o640) == (saved.backup.read_bytes(), stat.S_IMODE(saved.backup.stat().st_mode))
    assert NEW == store.read_bytes()


def test_the_mode_of_the_store_is_kept_and_a_new_one_is_private(store: Path) -> None:
    """Whoever could read it still can; nobody else."""
    files.save(store, NEW, now=NOW)
    assert 0o640 == stat.S_IMODE(store.stat().st_mode)
    fresh = store.with_name("fresh.p12")
    assert files.save(fresh, NEW, now=NOW, create=True).created
    assert 0o600 == stat.S_IMODE(fresh.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_of_the_store_is_kept(store: Path) -> None:
    """An administrator's change must not lock out the agent's account."""
    os.chown(store, 12345, 23456)
    files.save(store, NEW, now=NOW)
    found = store.stat()
    assert (12345, 23456) == (found.st_uid, found.st_gid)


def test_a_symbolic_link_is_followed_not_replaced(store: Path) -> None:
    """The store may live elsewhere."""
    link = store.with_name("link")
    link.symlink_to(store)
    files.save(link, NEW, now=NOW)
    assert (True, NEW) == (link.is_symlink(), store.read_bytes())


def test_a_mistyped_path_makes_no_new_store(store: Path) -> None:
    """It is refused, and the file that was meant is named."""
    with pytest.raises(FileError) as caught:
        files.save(store.with_name(".keystor"), NEW, now=NOW)
    assert ErrorCode.NO_SUCH_FILE is caught.value.code
    assert f"Did you mean {str(store)!r}?" in caught.value.sentence
    assert [".keystore"] == names(store)


def test_a_missing_folder_is_named_not_made(store: Path) -> None:
    """Also where a new file may be made."""
    with pytest.raises(FileError, match="There is no folder"):
        files.save(store.parent / "cnof" / ".keystore", NEW, now=NOW, create=True)
    assert [".keystore"] == names(store)


@pytest.mark.parametrize("use", [files.load, lambda path: files.save(path, NEW, now=NOW)])
def test_a_folder_is_no_keystore(tmp_path: Path, use) -> None:
    """It says so."""
    with pytest.raises(FileError, match="is a folder") as caught:
        use(tmp_path)
    assert ErrorCode.FILE_EXISTS is caught.value.code


def test_a_store_that_another_program_changed_is_not_overwritten(store: Path) -> None:
    """keytool knows no lock: what it wrote since our reading must not be lost."""
    before = files.load(store)
    store.write_bytes(b"keytool was here")
    with pytest.raises(FileError) as caught:
        files.save(store, NEW, now=NOW, expected=before)
    assert (ErrorCode.FILE_CHANGED, b"keytool was here") == (caught.value.code, store.read_bytes())
    assert [".keystore"] == names(store)


def test_a_check_that_fails_leaves_everything_as_it_was(store: Path) -> None:
    """The check sees the octets that were read back."""

    def check(octets: bytes) -> None:
        assert NEW == octets
        raise CorruptError("not what it should be")

    with pytest.raises(CorruptError, match="not what it should be"):
        files.save(store, NEW, now=NOW, check=check)
    assert ([".keystore"], OLD) == (names(store), store.read_bytes())


def test_a_disk_that_gives_back_other_octets_is_noticed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is read again before it takes the place of the store."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, octets: real(descriptor, b"?" * len(octets)))
    with pytest.raises(CorruptError, match="other octets"):
        files.save(store, NEW, now=NOW)
    assert ([".keystore"], OLD) == (names(store), store.read_bytes())


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A sparse file of terabytes costs nothing."""
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LimitError):
        files.load(huge)


def test_a_source_without_end_is_cut_at_the_limit() -> None:
    """Its size is not known before."""
    with pytest.raises(LimitError):
        files.load(Path("/dev/zero"), limits=Limits(file_bytes=100_000))


@contextlib.contextmanager
def largest_file(octets: int) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond, in the middle of a write: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, len(NEW) - 1])
def test_a_full_disk_leaves_the_old_store(store: Path, room: int) -> None:
    """One sentence, and no half-written file of any name."""
    with pytest.raises(FileError) as caught, largest_file(room):
        files.save(store, NEW, now=NOW)
    assert ErrorCode.DISK_FULL is caught.value.code
    assert ([".keystore"], OLD) == (names(store), store.read_bytes())


def test_a_full_disk_does_not_keep_anybody_from_the_lock(store: Path) -> None:
    """Room is made by removing things, which needs the lock too."""
    with largest_file(0), files.locked(store):
        pass
    assert [".keystore"] == names(store)


CALLS = ("open", "write", "fsync", "link", "close", "fchmod", "rename", "unlink")


def killed_at(store: Path, step: int) -> bool:
    """Save in a child that is killed before its `step`th system call; False when it lived to the end."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = step

    def counting(real):
        def call(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    try:
        for name in CALLS:
            setattr(os, name, counting(getattr(os, name)))
        with files.locked(store):
            files.save(store, NEW, now=NOW)
    finally:
        os._exit(0)


@pytest.mark.filterwarnings("ignore:This process")  # fork beside threads of other tests: the child only saves
def test_a_kill_at_any_point_leaves_the_old_or_the_new_store(store: Path) -> None:
    """And nothing that hinders the next writer, who also clears away what the killed one left."""
    seen = []
    for step in range(200):
        for path in store.parent.iterdir():
            path.unlink()
        store.write_bytes(OLD)
        if not killed_at(store, step):
            break
        seen.append(store.read_bytes())
        with files.locked(store):
            files.save(store, NEWER, now=NOW)
        assert NEWER == store.read_bytes()
        assert [] == [name for name in names(store) if name.endswith((".tmp", ".lock"))]
        assert {path.read_bytes() for path in store.parent.glob("*.bak")} <= {OLD, NEW}
    assert 10 < len(seen) < 200
    assert {OLD, NEW} == set(seen)


def test_writers_wait_for_one_another(store: Path) -> None:
    """No change is lost among many writers."""
    store.write_bytes(b"0")

    def add() -> None:
        for _ in range(5):
            with files.locked(store):
                before = files.load(store)
                files.save(store, str(int(before) + 1).encode(), now=NOW, backup=False, expected=before)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"30" == store.read_bytes()
    assert [".keystore"] == names(store)


def test_a_writer_that_waited_in_vain_says_for_whom(store: Path) -> None:
    """The other process is named; nothing was written."""
    script = (
        "import sys; from pathlib import Path; from keystoretools import files\n"
        "with files.locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        assert b"held\n" == other.stdout.readline()
        with pytest.raises(FileError) as caught, files.locked(store, patience_s=0):
            pass
        other.communicate()
    assert (ErrorCode.FILE_BUSY, True) == (caught.value.code, f"Process {other.pid} " in caught.value.sentence)
    with files.locked(store, patience_s=0):
        pass


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_lock(store: Path) -> None:
    """It passes through, and the lock is given back."""
    with pytest.raises(ZeroDivisionError), files.locked(store):
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError), files.locked(store):
        raise FileNotFoundError
    assert [".keystore"] == names(store)


def test_paths_may_be_text(store: Path) -> None:
    """A stranger writes `files.load("conf/.keystore")`."""
    with files.locked(str(store)):
        files.save(str(store), NEW, now=NOW, expected=files.load(str(store)))
    assert NEW == store.read_bytes()
    with pytest.raises(FileError) as caught:
        files.load(str(store) + "x")
    assert ErrorCode.NO_SUCH_FILE == caught.value.code
