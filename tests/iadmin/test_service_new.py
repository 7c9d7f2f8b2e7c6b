"""A service to begin with: it works as it is, and nothing that exists is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.files import load_config
from agent.errors import ExitStatus
from agent.names import ServiceName
from agent.templates import template
from iadmin.commands.service_template import module_name, new_service
from tests.iadmin.fakes import World

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def home(world: World) -> Path:
    """The shipped configuration, with its sample service."""
    for folder in ("conf", "services/sample-plan"):
        (world.home / folder).mkdir(parents=True, exist_ok=True)
    (world.home / "conf" / "iaconfig.xml").write_bytes(template("conf").joinpath("iaconfig.xml").read_bytes())
    for file in template("services").joinpath("sample-plan").iterdir():
        if file.is_file():
            (world.home / "services" / "sample-plan" / file.name).write_bytes(file.read_bytes())
    return world.home


def test_what_is_made_can_be_used_as_it_is(world: World, home: Path) -> None:
    """With --add the configuration has it, and reads without a fault."""
    before = (home / "conf" / "iaconfig.xml").read_text()
    answer = world.run("service", "new", "plant|pump-alarms", "--add")
    assert ExitStatus.OK == answer.status, answer.err
    settings, warnings = load_config(home)
    assert () == warnings
    assert ServiceName(domain="plant", name="pump-alarms") in [one.name for one in settings.services]
    after = (home / "conf" / "iaconfig.xml").read_text()
    assert before == after.replace("    <path>pump-alarms/pump-alarms.xml</path>\n", "")
    assert "iadmin reload" in answer.out
    assert {0o600} == {path.stat().st_mode & 0o777 for path in (home / "services" / "pump-alarms").iterdir()}


@pytest.mark.parametrize("name", ["pump-alarms", "7up", "json", "import", "test_me", "Überdruck", "agent"])
def test_its_own_test_passes_and_can_fail(tmp_path: Path, name: str) -> None:
    """Whatever the service is called; and the test is one: without the script's work it fails."""
    for file, content in new_service(ServiceName(domain="applications", name=name)).files.items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "unittest", "discover", "-s", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    assert "Ran 2 tests" in done.stderr
    script = tmp_path / f"{module_name(name)}.py"
    script.write_text(
        script.read_text(encoding="utf-8").replace("context.send", "context.log.info if 0 else (lambda json: 0)")
    )
    assert 0 != subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode


def test_a_person_is_asked_before_the_configuration_is_touched(world: World, home: Path) -> None:
    """Yes adds it, no does not, and where nobody is there it is not added; what is to be done then is said."""
    before = (home / "conf" / "iaconfig.xml").read_bytes()
    world.answers = [False, True]
    said_no = world.run("service", "new", "one")
    assert "<path>one/one.xml</path>" in said_no.out
    assert before == (home / "conf" / "iaconfig.xml").read_bytes()
    assert "<path>" not in world.run("service", "new", "two").out
    assert b"<path>two/two.xml</path>" in (home / "conf" / "iaconfig.xml").read_bytes()
    assert "<path>three/three.xml</path>" in world.run("service", "new", "three").out
    assert 3 == len(world.asked)
    world.run("service", "new", "four", "--no-add")
    assert 3 == len(world.asked)


def test_the_folder_of_services_is_the_configurations(world: World, home: Path) -> None:
    """`dir` of `service-configs`, from the configuration's folder on."""
    config = home / "conf" / "iaconfig.xml"
    config.write_text(config.read_text().replace('dir="../services"', 'dir="../integrationservices"'))
    answer = world.run("--json", "service", "new", "x", "--no-add")
    assert str(home / "integrationservices" / "x") == json.loads(answer.out)["folder"]
    assert (home / "integrationservices" / "x" / "x.xml").is_file()


def test_what_exists_is_refused(world: World, home: Path) -> None:
    """A folder, and a service of that name or of that URL elsewhere; 73, and nothing was made."""
    (home / "services" / "mine").mkdir()
    for name in ("mine", "applications|sample-plan", "sample-plan"):
        answer = world.run("service", "new", name, "--add")
        assert ExitStatus.CANNOT_CREATE == answer.status
        assert "exists" in answer.err or "has the service" in answer.err
    assert [] == list((home / "services" / "mine").iterdir())


@pytest.mark.parametrize("name", ["", "a\xa0b", "a/b", "|x", "x|", "a|b|c", ".."])
def test_what_is_no_name_is_refused(world: World, home: Path, name: str) -> None:
    """64, with what a name may be."""
    answer = world.run("service", "new", name)
    assert ExitStatus.USAGE == answer.status
    assert ["sample-plan"] == [path.name for path in (home / "services").iterdir()]


def test_a_configuration_that_cannot_be_edited_stays(world: World, home: Path) -> None:
    """The service is there then, and the sentence says what is not."""
    config = home / "conf" / "iaconfig.xml"
    config.write_text("<iaconfig><service-gateway/></iaconfig>")
    answer = world.run("service", "new", "x", "--add")
    assert ExitStatus.CONFIG == answer.status
    assert "there is no <service-configs>" in answer.err
    assert "the service is in" in answer.err
    assert "<iaconfig><service-gateway/></iaconfig>" == config.read_text()
