from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.config.files import DiskFiles, load_config, load_schema, this_machine
from agent.config.problem import ConfigFaults
from tests.config.memory import DESCRIPTOR, NAMESPACE, ROOT, SCHEMA

CONFIG = f"""<iaconfig xmlns="{NAMESPACE}"><service-gateway/>
<service-configs><path>p/pumps.xml</path></service-configs>
</iaconfig>"""

root_reads_everything = pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "services" / "p").mkdir(parents=True)
    (tmp_path / "conf" / "iaconfig.xml").write_text(CONFIG)
    (tmp_path / "services" / "p" / "pumps.xml").write_text(DESCRIPTOR)
    (tmp_path / "services" / "p" / "pumps.py").write_text("")
    return tmp_path


def faults(home: Path) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load_config(home)
    return [str(problem) for problem in caught.value.problems]


def test_a_home_is_loaded(home):
    """Paths in the configuration are absolute and start in the home that was named."""
    config, warnings = load_config(home, machine=lambda: "m/192.0.2.1")
    assert () == warnings
    assert ("m/192.0.2.1:8081", home / "conf" / "iaconfig.xml") == (config.agent_id, config.source)
    assert [Path(config.home / "services" / "p" / "pumps.py")] == [Path(service.script) for service in config.services]


def test_a_relative_home_becomes_absolute(home, monkeypatch):
    """The agent changes its working directory after this, so nothing may stay relative."""
    monkeypatch.chdir(home.parent)
    config, _ = load_config(Path(home.name))
    assert config.home.is_absolute()


def test_the_original_file_name_is_accepted(home):
    """A site that comes from the original keeps its file."""
    (home / "conf" / "iaconfig.xml").rename(home / "conf" / "IAConfig.xml")
    config, _ = load_config(home)
    assert "IAConfig.xml" == config.source.name


def test_both_names_are_a_problem(home):
    """Which of the two counts is not guessed."""
    shutil.copy(home / "conf" / "iaconfig.xml", home / "conf" / "IAConfig.xml")
    (problem,) = faults(home)
    assert "both iaconfig.xml and IAConfig.xml are in" in problem


def test_a_folder_without_configuration_says_how_to_make_one(tmp_path):
    """The sentence is the command."""
    (problem,) = faults(tmp_path)
    assert f"make a home with: iadmin init {tmp_path}" in problem


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder, not a file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is not a regular file"),
        (lambda path: path.write_bytes(b" " * 2_000_000), "is larger than 1048576 bytes, the limit for it"),
        (lambda path: path.rename(path.with_name("Pumps.XML")), "but Pumps.XML does: upper and lower case differ"),
        pytest.param(lambda path: path.chmod(0), "permission denied", marks=root_reads_everything),
    ],
)
def test_descriptors_that_cannot_be_read(home, spoil, sentence):
    """The line of the configuration that names it is told, and nothing blocks on a pipe."""
    spoil(home / "services" / "p" / "pumps.xml")
    (problem,) = faults(home)
    assert problem.startswith("iaconfig.xml:2: service-configs/path: the descriptor services/p/pumps.xml ")
    assert sentence in problem


def test_folders_of_another_case_are_hinted_at(home):
    """Paths that come from Windows differ in the case of a folder, too."""
    assert "but services does" in DiskFiles().folder_trouble(home / "Services")
    assert "but p does" in DiskFiles().trouble(home / "services" / "P" / "pumps.xml")


def test_files_open_to_others_are_told(home):
    """The mode of the opened file decides."""
    path = home / "services" / "p" / "pumps.py"
    seen = []
    for mode in (0o644, 0o640, 0o600):
        path.chmod(mode)
        seen.append(DiskFiles().read(path, max_bytes=10).readable_by_others)
    assert [True, False, False] == seen


def test_odd_paths_are_trouble_and_never_raise():
    """Too long a name, or a file where a folder should be, is a sentence."""
    for path in ("/" + "x" * 5000, "/etc/passwd/x", "/\0"):
        assert DiskFiles().trouble(Path(path))
        assert DiskFiles().folder_trouble(Path(path))


def test_the_grammar_is_found():
    """Installed or from the source tree, it is the same file."""
    assert SCHEMA == load_schema()


def test_the_machine_is_named_like_the_original_does():
    """Computer name, slash, address; no packet is sent for it."""
    name, _, address = this_machine().rpartition("/")
    assert name
    assert address


def test_the_source_tree_is_a_home_that_loads():
    """The shipped configuration and service are without problem or warning."""
    config, warnings = load_config(ROOT)
    assert () == warnings
    assert ["sample_plan.py"] == [service.script.name for service in config.services]
