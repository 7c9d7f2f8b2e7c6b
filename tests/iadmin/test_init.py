"""A new agent home."""

from __future__ import annotations

from pathlib import Path

from agent.errors import ExitStatus
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


def test_it_says_what_to_do_next(world: World) -> None:
    """The next command can be copied as it stands."""
    out = world.run("init", "new").out
    assert f"integration-agent --home {world.cwd / 'new'}" in out


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
