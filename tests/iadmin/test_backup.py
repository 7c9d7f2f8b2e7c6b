"""A home in one file, and back."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from pathlib import Path

import attrs
import pytest

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.archive import files_of, outside_of, pack
from iadmin.commands.unpacking import GIB, unpack
from tests.iadmin.fakes import World


class Upkeep:
    """Copies a spool of one word; `missing` is a home whose agent has never run."""

    def __init__(self, *, missing: bool = False) -> None:
        self.missing = missing

    def copy(self, target: Path) -> dict[str, int]:
        if self.missing:
            raise OperatorError("spool-missing", "there is no spool here", exit_status=ExitStatus.NO_INPUT)
        target.write_bytes(b"one moment")
        return {"bytes": 10}


@attrs.frozen
class Disk:
    """As `shutil.disk_usage` tells it."""

    free: int


@pytest.fixture
def full(world: World) -> World:
    """A home with all kinds of things in it."""
    world.upkeep = Upkeep()
    for name in ("conf/.keystore", "var/outbox/outbox.jsonl", "var/spool/spool.db", "var/log/agent.log", "var/run/x"):
        path = world.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    script = world.home / "services" / "run.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh")
    script.chmod(0o750)
    return world


def there(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}


def test_what_goes_in_comes_out(full: World) -> None:
    """Without logs and sockets, and with the spool of one moment."""
    made = full.run("--json", "backup", "b.tar.gz")
    assert 0 == made.status
    assert 0 == full.run("restore", "b.tar.gz", "again").status
    expected = {
        name: text
        for name, text in there(full.home).items()
        if not name.startswith(("var/log", "var/run", "var/spool"))
    }
    assert expected | {"var/spool/spool.db": "one moment"} == there(full.cwd / "again")
    assert {"var/log", "var/run"} <= {
        str(path.relative_to(full.cwd / "again")) for path in (full.cwd / "again").rglob("*")
    }
    assert (made.document["files"], True) == (len(expected), made.document["has_spool"])


def test_secrets_stay_secret(full: World) -> None:
    """The archive and all that comes out of it is for its owner only; a script can still be run."""
    full.run("backup", "b.tar.gz")
    full.run("restore", "b.tar.gz", "again")
    assert 0o600 == (full.cwd / "b.tar.gz").stat().st_mode & 0o777
    modes = {str(path.relative_to(full.cwd)): path.stat().st_mode & 0o777 for path in (full.cwd / "again").rglob("*")}
    assert ({0o600, 0o700}, 0o700) == (set(modes.values()), modes["again/services/run.sh"])


def test_nothing_is_written_over(full: World) -> None:
    """Neither a file by backup nor a home by restore."""
    full.run("backup", "b.tar.gz")
    before = (full.cwd / "b.tar.gz").read_bytes()
    answers = [full.run("backup", "b.tar.gz"), full.run("restore", "b.tar.gz", "home")]
    assert [ExitStatus.CANNOT_CREATE] * 2 == [answer.status for answer in answers]
    assert before == (full.cwd / "b.tar.gz").read_bytes()


def test_nothing_is_left_lying_about(full: World) -> None:
    """Whether it went well or not."""
    full.run("backup", "b.tar.gz")
    full.run("restore", "b.tar.gz", "again")
    (full.cwd / "cut.tar.gz").write_bytes((full.cwd / "b.tar.gz").read_bytes()[:200])
    full.run("restore", "cut.tar.gz", "more")
    assert {"home", "b.tar.gz", "again", "cut.tar.gz"} == {path.name for path in full.cwd.iterdir()}


def test_a_home_whose_agent_has_never_run(full: World) -> None:
    """Has no spool, and is backed up all the same."""
    full.upkeep = Upkeep(missing=True)
    answer = full.run("--json", "backup", "b.tar.gz")
    assert (0, False) == (answer.status, answer.document["has_spool"])


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, 1 if kind == tarfile.REGTYPE else 0, "/etc/passwd"
            tar.addfile(member, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../evil", tarfile.REGTYPE)], "leads out of the home"),
        ([("/evil", tarfile.REGTYPE)], "leads out of the home"),
        ([("conf/link", tarfile.SYMTYPE)], "neither a file nor a folder"),
        ([("conf/pipe", tarfile.FIFOTYPE)], "neither a file nor a folder"),
        ([("other/file", tarfile.REGTYPE)], "no conf/"),
    ],
)
def test_a_hostile_archive_makes_nothing(full: World, members: list[tuple[str, bytes]], said: str) -> None:
    """It is named, with what is wrong in it."""
    archive(full.cwd / "b.tar.gz", *members)
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, True) == (answer.status, said in answer.err)
    assert not (full.cwd / "again").exists()
    assert not (full.cwd / "evil").exists()


def bomb(path: Path, *, kind: bytes, size: int) -> None:
    """A member of many zeros, which take no room; only its beginning where it would be too long to write."""
    member = tarfile.TarInfo("conf/zeros")
    member.type, member.size = kind, size
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(member.tobuf())
        for _ in range(min(size, 64 * 1024**2) // 1024**2):
            file.write(bytes(1024**2))


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        (tarfile.REGTYPE, 17 * 1024**3, "unpacks to more than 16 GiB"),
        (tarfile.XHDTYPE, 1024**3, "it has a name of 1.0 GiB in it"),
        (tarfile.GNUTYPE_LONGNAME, 1024**3, "it has a name of 1.0 GiB in it"),
    ],
)
def test_a_small_file_does_not_unpack_to_a_large_home(full: World, kind: bytes, size: int, said: str) -> None:
    """What is claimed is enough: nothing is written, or read into memory, to find out."""
    bomb(full.cwd / "b.tar.gz", kind=kind, size=size)
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, True) == (answer.status, said in answer.err), answer.err
    assert not (full.cwd / "again").exists()
    assert not (full.cwd / ".again.partial").exists()


def test_who_knows_better_may_have_a_larger_home(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to what the disk has room for."""
    bomb(full.cwd / "b.tar.gz", kind=tarfile.REGTYPE, size=17 * 1024**3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free=17 * 1024**3))
    answer = full.run("restore", "b.tar.gz", "again", "--max-size", "20")
    assert (ExitStatus.CANNOT_CREATE, True) == (answer.status, "more than the disk has room for" in answer.err)


def test_headers_of_headers_come_to_an_end(full: World) -> None:
    """Each of them is of no size."""
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    with gzip.open(full.cwd / "b.tar.gz", "wb") as file:
        file.write(header.tobuf() * 10_000)
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, True) == (answer.status, "headers speak of headers" in answer.err)


def test_what_follows_behind_the_end_is_bounded(full: World) -> None:
    """Zeros, of which a gigabyte packs into a megabyte, would be read for as long as they last."""
    full.run("backup", "b.tar.gz")
    path = full.cwd / "b.tar.gz"
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(2 * 1024**2)))
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, True) == (answer.status, "follows behind its end" in answer.err)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_said_to_be_none(full: World, content: bytes) -> None:
    """In one sentence."""
    (full.cwd / "b.tar.gz").write_bytes(content)
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, True) == (answer.status, "is no backup" in answer.err)


def test_a_backup_that_is_not_there(full: World) -> None:
    """The file is named."""
    answer = full.run("restore", "nowhere.tar.gz", "again")
    assert (ExitStatus.NO_INPUT, True) == (answer.status, "nowhere.tar.gz" in answer.err)


def test_what_is_not_in_it_is_told(full: World) -> None:
    """Links to folders and pipes are named."""
    os.mkfifo(full.home / "conf" / "pipe")
    (full.home / "services" / "link").symlink_to(full.cwd)
    answer = full.run("--json", "backup", "b.tar.gz")
    assert {"conf/pipe", "services/link"} == set(answer.document["passed_over"])
    assert "services/link" in answer.err


def test_files_outside_of_the_home_are_found() -> None:
    """Wherever in a configuration they are named, once each."""

    @attrs.frozen
    class Part:
        path: Path
        others: tuple[object, ...] = ()

    inner = Part(Path("/etc/ssl/own.pem"))
    found = outside_of(Path("/srv/a"), Part(Path("/srv/a/conf/x"), (inner, inner, "/no/path", Path("relative"))))
    assert [Path("/etc/ssl/own.pem")] == list(found)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_damaged_backup_is_no_home(full: World, part: float) -> None:
    """Some bytes of it are others: what is stored in blocks unpacks all the same, and only its checksum tells."""
    (full.home / "conf" / "blob").write_bytes(os.urandom(100_000))
    full.run("backup", "b.tar.gz")
    path = full.cwd / "b.tar.gz"
    data = bytearray(path.read_bytes())
    place = int(len(data) * part)
    data[place : place + 8] = bytes(one ^ 0xFF for one in data[place : place + 8])
    path.write_bytes(data)
    answer = full.run("restore", "b.tar.gz", "again")
    assert (ExitStatus.DATA, False) == (answer.status, (full.cwd / "again").exists())


def test_a_folder_to_restore_into_that_cannot_be(full: World) -> None:
    """The sentence is about the folder, not about the backup."""
    full.run("backup", "b.tar.gz")
    answer = full.run("restore", "b.tar.gz", "no/such/folder")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert "make it first" in answer.err


def test_a_file_that_is_gone_meanwhile_is_no_fault(full: World) -> None:
    """An agent that runs fetches the events of apclient and replaces files."""
    kept = files_of(full.home)
    (full.home / "var" / "outbox" / "outbox.jsonl").unlink()
    pack(full.cwd / "b.tar.gz", kept, None, lambda _: None)
    assert len(kept.files) - 1 == unpack(full.cwd / "b.tar.gz", full.cwd / "again", lambda _: None, max_bytes=GIB)
