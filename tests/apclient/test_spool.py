"""Events kept in a home."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from apclient import parcel, spool
from apclient.spool import Full, Spool
from apclient.submission import Submission


def submission(number: int, service: str = "a_b") -> Submission:
    return Submission(service=service, content_type="application/json", body=b"%d" % number, key=str(number))


def kept(home: Path) -> list[bytes]:
    folder = home / "var/apclient"
    return [parcel.read(path.read_bytes()).body for path in sorted(folder.glob("[0-9]*"))]


def test_events_are_kept_in_order_also_when_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the owner only, and nothing half-written beside them."""
    times = iter((5_000, 9_000, 1_000, 2_000))
    monkeypatch.setattr("apclient.spool.time.time_ns", lambda: next(times))
    for number in range(4):
        Spool(str(tmp_path)).keep(submission(number))
    assert [b"0", b"1", b"2", b"3"] == kept(tmp_path)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "var/apclient").glob("*.parcel")}
    assert {0o600} == modes
    assert [] == list((tmp_path / "var/apclient").glob(".*.tmp"))


def test_what_waits_is_counted_by_service(tmp_path: Path) -> None:
    """Another service's events are in nobody's way."""
    kept_in = Spool(str(tmp_path))
    assert 0 == kept_in.waiting("a_b")
    kept_in.keep(submission(1))
    kept_in.keep(submission(2, "c_d"))
    assert (1, 1, 0) == (kept_in.waiting("a_b"), kept_in.waiting("c_d"), kept_in.waiting("e_f"))


def test_the_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by size; what is there stays."""
    monkeypatch.setattr(spool, "MAX_PARCELS", 2)
    kept_in = Spool(str(tmp_path))
    kept_in.keep(submission(1))
    kept_in.keep(submission(2))
    with pytest.raises(Full, match="2 events with"):
        kept_in.keep(submission(3))
    monkeypatch.setattr(spool, "MAX_PARCELS", 9)
    monkeypatch.setattr(spool, "MAX_BYTES", 200)
    with pytest.raises(Full):
        kept_in.keep(submission(3))
    assert [b"1", b"2"] == kept(tmp_path)


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is kept whole or not at all."""

    def no_sync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("apclient.spool.os.fsync", no_sync)
    with pytest.raises(OSError, match="No space"):
        Spool(str(tmp_path)).keep(submission(1))
    assert [".lock"] == [path.name for path in (tmp_path / "var/apclient").iterdir()]


def test_a_second_writer_waits_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs must not stop all others for ever."""
    monkeypatch.setattr(spool, "LOCK_PATIENCE_S", 0.0)
    kept_in = Spool(str(tmp_path))
    kept_in.keep(submission(1))
    with spool._Lock(kept_in.folder), pytest.raises(TimeoutError, match="another apclient"):
        kept_in.keep(submission(2))


def test_accounts_that_share_the_folder_can_use_each_others_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask of a management system is."""
    monkeypatch.setattr("apclient.spool.os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    before = os.umask(0o077)
    try:
        Spool(str(tmp_path)).keep(submission(1))
    finally:
        os.umask(before)
    assert {0o640} == {path.stat().st_mode & 0o777 for path in (tmp_path / "var/apclient").iterdir()}


def test_what_root_keeps_belongs_to_the_agents_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator tries a command line while the agent is away; the agent must be able to read what waits."""
    owner = tmp_path.stat()
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr("apclient.spool.os.geteuid", lambda: 0)
    monkeypatch.setattr("apclient.spool.os.fchown", lambda handle, uid, gid: given.append((_name_of(handle), uid, gid)))
    monkeypatch.setattr("apclient.spool.os.lchown", lambda path, uid, gid: given.append((Path(path).name, uid, gid)))
    Spool(str(tmp_path)).keep(submission(1))
    assert {"var", "apclient", ".lock", ".tmp"} == {name for name, _, _ in given}
    assert {(owner.st_uid, owner.st_gid)} == {(uid, gid) for _, uid, gid in given}
    assert [0o600] == [path.stat().st_mode & 0o777 for path in (tmp_path / "var/apclient").glob("*.parcel")]


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_lock_that_is_a_link_is_not_touched(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    """Whoever may write into the folder could have root change the owner of any file."""
    target = tmp_path / "target"
    target.write_text("x")
    target.chmod(0o600)
    (tmp_path / "var/apclient").mkdir(parents=True)
    make(tmp_path / "var/apclient/.lock", target)
    with pytest.raises(OSError):
        Spool(str(tmp_path)).keep(submission(1))
    assert 0o600 == target.stat().st_mode & 0o777


def _name_of(handle: int) -> str:
    name = Path(f"/proc/self/fd/{handle}").readlink().name
    return ".tmp" if name.endswith(".tmp") else name


def test_the_agents_note(tmp_path: Path) -> None:
    """Where it listens, and its certificate; nothing where there is none, or something else."""
    kept_in = Spool(str(tmp_path))
    assert ("", "") == kept_in.note()
    (tmp_path / "var/apclient").mkdir(parents=True)
    (tmp_path / "var/apclient/gateway").write_text("https://127.0.0.1:1\n-----BEGIN\n")
    assert ("https://127.0.0.1:1", "-----BEGIN") == kept_in.note()
    (tmp_path / "var/apclient/gateway").write_bytes(b"\xff")
    assert ("", "") == kept_in.note()
