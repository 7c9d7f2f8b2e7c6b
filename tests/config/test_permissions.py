"""agent.config.permissions: what other accounts can get at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config.permissions import exposures


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose folders let others through, with files that do not."""
    folder = tmp_path / "home"
    for name in ("", "conf", "services", "var", "var/spool"):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
    for name in ("conf/.keystore", "conf/iaconfig.xml", "services/pumps.py", "var/spool/events.db"):
        (folder / name).write_bytes(b"")
        (folder / name).chmod(0o600)
    return folder


def told(home: Path) -> list[str]:
    return [str(problem) for problem in exposures(home)]


def test_closed_files(home: Path) -> None:
    """Nothing is said where the files are for their owner only."""
    assert [] == told(home)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_readable_keystore(home: Path, mode: int) -> None:
    """The group counts as others, unless the file belongs to root."""
    (home / "conf/.keystore").chmod(mode)
    remedy = f"chmod -R go-rwx {home}/conf"
    expected = [f"conf: warning: other accounts of this machine can read conf/.keystore; mend it with: {remedy}"]
    if os.geteuid() == 0:
        os.chown(home / "conf/.keystore", 0, 0)
    assert expected == told(home)


def test_many_files_are_one_line(home: Path) -> None:
    """The first is named, the others are counted."""
    for name in ("conf/.keystore", "conf/iaconfig.xml"):
        (home / name).chmod(0o644)
    (line,) = told(home)
    assert "can read conf/.keystore and 1 more in conf; mend" in line


def test_a_closed_folder_protects_what_is_in_it(home: Path) -> None:
    """Modes of files behind a folder that nobody else may enter do not matter; neither below a closed home."""
    (home / "conf/.keystore").chmod(0o666)
    (home / "conf").chmod(0o700)
    assert [] == told(home)
    (home / "conf").chmod(0o755)
    home.chmod(0o700)
    assert [] == told(home)


def test_code_may_be_read_but_not_changed(home: Path) -> None:
    """Who changes a service, or puts another file into its folder, is the agent."""
    (home / "services/pumps.py").chmod(0o644)
    assert [] == told(home)
    (home / "services/pumps.py").chmod(0o664)
    assert ["other accounts of this machine can change services/pumps.py;"] == [
        line.removeprefix("services: warning: ").partition(" mend")[0] for line in told(home)
    ]
    (home / "services/pumps.py").chmod(0o600)
    (home / "services").chmod(0o777)
    assert "can change services;" in told(home)[0]


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_the_home_itself(home: Path, mode: int) -> None:
    """Who can write to it can put another configuration there; reading it gives names only."""
    home.chmod(mode)
    (line,) = told(home)
    assert line.startswith("home: warning: other accounts of this machine can change the home itself")
    assert line.endswith(f"chmod go-w {home}")
    for harmless in (0o755, 0o1777):  # with the sticky bit nobody renames what is ours
        home.chmod(harmless)
        assert [] == told(home)


def test_events(home: Path) -> None:
    """The store is looked at in its depth."""
    (home / "var/spool/events.db").chmod(0o622)
    assert "can change var/spool/events.db; mend it with: chmod -R go-w" in told(home)[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_somebody_else(home: Path) -> None:
    """An owner can give himself every right."""
    os.chown(home / "conf/.keystore", 4711, 4711)
    assert "can change, because they own it, conf/.keystore; mend it with: chown -R ACCOUNT" in told(home)[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to a group")
def test_files_of_root_for_a_group(home: Path) -> None:
    """An administrator's way to let the agent read what it shall not change."""
    os.chown(home / "conf/.keystore", 0, 4711)
    (home / "conf/.keystore").chmod(0o640)
    assert [] == told(home)


def test_links(home: Path, tmp_path: Path) -> None:
    """A link counts as what it leads to; one that leads nowhere is nothing."""
    (tmp_path / "store").write_bytes(b"")
    (tmp_path / "store").chmod(0o644)
    (home / "conf/link").symlink_to(tmp_path / "store")
    (home / "conf/dead").symlink_to(tmp_path / "nothing")
    (line,) = told(home)
    assert "can read conf/link;" in line


def test_no_home() -> None:
    """Somebody else says that it is missing."""
    assert () == exposures(Path("/nonexistent"))
