"""`iadmin install-unit`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.errors import ExitStatus
from tests.iadmin.fakes import World


def unit_of(world: World, name: str = "integration-agent") -> Path:
    return world.cwd / f"{name}.service"


def test_print_writes_nothing(world: World) -> None:
    """What is shown is the unit alone, so that it can be redirected into a file."""
    answer = world.run("install-unit", "--print")
    assert 0 == answer.status
    assert answer.out.startswith("# Written by")
    assert f"--home {world.home}" in answer.out
    assert not unit_of(world).exists()


def test_the_unit_is_written_for_everybody_to_read(world: World) -> None:
    """And the next commands are told."""
    answer = world.run("install-unit", "--folder", ".", "--user", "ia")
    assert 0 == answer.status
    assert 0o644 == unit_of(world).stat().st_mode & 0o777
    assert "systemctl enable --now integration-agent" in answer.out
    assert [] == [path.name for path in world.cwd.glob(".*.new")]


def test_the_same_again_is_no_fault(world: World) -> None:
    """It says so; nothing is written."""
    world.run("install-unit", "--folder", ".")
    answer = world.run("--json", "install-unit", "--folder", ".")
    assert (0, False) == (answer.status, answer.document["written"])


def test_another_unit_of_this_name_stays(world: World) -> None:
    """Until the operator says --force."""
    unit_of(world).write_text("[Unit]\n")
    answer = world.run("install-unit", "--folder", ".")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert "--force" in answer.err
    assert "[Unit]\n" == unit_of(world).read_text()
    assert 0 == world.run("install-unit", "--folder", ".", "--force").status
    assert "Type=notify" in unit_of(world).read_text()


def test_a_folder_that_is_not_there(world: World) -> None:
    """One sentence with what to do."""
    answer = world.run("install-unit", "--folder", "nowhere")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert "No such file or directory" in answer.err
    assert "--print" in answer.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--name", "a/b"),
        ("--name", "-1"),
        ("--name", "x.service"),
        ("--credential", "keystore-password"),
        ("--credential", "a:b"),
    ],
)
def test_what_systemd_would_refuse_is_refused(world: World, option: str, value: str) -> None:
    """With the value found and what is expected."""
    answer = world.run("install-unit", "--print", option, value)
    assert (ExitStatus.USAGE, True) == (answer.status, repr(value) in answer.err)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_it(world: World) -> None:
    """Without a warning."""
    world.run("install-unit", "--folder", ".", "--user", "root", "--credential", "keystore-password:/etc/hostname")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit_of(world))], capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stdout + done.stderr)
