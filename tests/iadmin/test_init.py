"""A new agent home."""

from __future__ import annotations

import os
from pathlib import Path

from agent.config.permissions import exposures
from agent.errors import ExitStatus
from keystoretools import open_keystore
from keystoretools.identity import candidates
from tests.iadmin.fakes import World

ROOT = Path(__file__).parent.parent.parent


def modes(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): oct(path.stat().st_mode & 0o777) for path in home.rglob("*") if path.is_dir()}


def test_a_new_home_has_what_the_agent_needs(world: World) -> None:
    """The shipped files to the letter, and folders that only the owner can look into."""
    answer = world.run("--json", "init", "deep/new")
    home = world.cwd / "deep" / "new"
    assert (0, str(home)) == (answer.status, answer.document["home"])
    assert (ROOT / "conf" / "iaconfig.xml").read_bytes() == (home / "conf" / "iaconfig.xml").read_bytes()
    assert "services/sample-plan/sample-plan.xml" in answer.document["files"]
    found = modes(home)
    names = ("conf", "services", "var", "var/spool", "var/log", "var/run", "var/outbox")
    assert {"0o700"} == {found[name] for name in names}
    assert {"0o600"} == {oct(path.stat().st_mode & 0o777) for path in home.rglob("*") if path.is_file()}
    assert not any("__pycache__" in name for name in found)


def test_nobody_else_can_change_a_new_home(world: World) -> None:
    """Whatever the umask; otherwise others could put a conf of their own there."""
    before = os.umask(0o002)
    try:
        assert 0 == world.run("init", "deep/new").status
    finally:
        os.umask(before)
    assert 0o755 == (world.cwd / "deep" / "new").stat().st_mode & 0o777
    assert () == exposures(world.cwd / "deep" / "new")


def test_it_says_what_to_do_next(world: World) -> None:
    """The next command can be copied as it stands."""
    out = world.run("init", "new").out
    assert f"integration-agent --home {world.cwd / 'new'}" in out


def test_the_next_command_can_be_copied_where_nothing_is_on_the_path(world: World) -> None:
    """A fresh environment that nobody has activated."""
    world.commands = {"iadmin": "/x/.venv/bin/iadmin", "integration-agent": "/x/.venv/bin/integration-agent"}
    out = world.run("init", "my agent").out
    assert f"/x/.venv/bin/integration-agent --home '{world.cwd / 'my agent'}'" in out
    assert f"/x/.venv/bin/iadmin --home '{world.cwd / 'my agent'}' event show" in out


def test_the_keystore_is_for_iadmin_alone(world: World) -> None:
    """Private, with the key `apia` in it and nothing for senders."""
    world.run("init", "new")
    file = world.cwd / "new" / "conf" / ".keystore"
    assert 0o600 == file.stat().st_mode & 0o777
    keystore = open_keystore(file.read_bytes(), "alarmpoint")
    assert ["apia"] == [entry.alias for entry in keystore]
    assert () == candidates(keystore)


def test_a_home_is_never_touched(world: World) -> None:
    """The second init refuses, and the edited configuration stays."""
    (world.home / "conf" / "iaconfig.xml").write_text("edited")
    answer = world.run("init", "home")
    assert (ExitStatus.CANNOT_CREATE, "") == (answer.status, answer.out)
    assert "is an agent home already" in answer.err
    assert "edited" == (world.home / "conf" / "iaconfig.xml").read_text()


def test_files_in_the_way_are_not_overwritten(world: World) -> None:
    """Refused before anything is written."""
    there = world.cwd / "new" / "services" / "sample-plan"
    there.mkdir(parents=True)
    (there / "sample-plan.xml").write_text("mine")
    answer = world.run("init", "new")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert "exists and is not overwritten" in answer.err
    assert not (world.cwd / "new" / "conf").exists()


def test_an_empty_folder_will_do(world: World) -> None:
    """`mkdir` before `init` is not a fault."""
    (world.cwd / "new").mkdir()
    assert 0 == world.run("init", "new").status


def test_a_file_is_no_folder(world: World) -> None:
    """Named in one sentence."""
    (world.cwd / "new").write_text("")
    answer = world.run("init", "new")
    assert (ExitStatus.CANNOT_CREATE, True) == (answer.status, "is not a folder" in answer.err)


def test_what_cannot_be_written_is_one_sentence(world: World) -> None:
    """The path that was refused is named."""
    (world.cwd / "file").write_text("")
    answer = world.run("init", "file/new")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert 1 == len(answer.err.splitlines())
    assert "choose a folder in which you may write" in answer.err


def test_the_address_can_be_given(world: World) -> None:
    """In a container nobody reaches 127.0.0.1. Nothing else of the shipped file changes."""
    assert 0 == world.run("init", "new", "--host", "0.0.0.0", "--port", "9090").status
    shipped = (ROOT / "conf" / "iaconfig.xml").read_text()
    expected = shipped.replace('host="127.0.0.1" port="8081"', 'host="0.0.0.0" port="9090"')
    assert expected != shipped
    assert expected == (world.cwd / "new" / "conf" / "iaconfig.xml").read_text()
