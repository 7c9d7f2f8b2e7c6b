"""Completion scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.parse import DEFAULT_SERVICES_FOLDER
from agent.config.sending import DEFAULT_DESTINATION
from agent.errors import ExitStatus
from iadmin.commands import completing
from tests.iadmin.fakes import World

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(world: World, shell: str) -> None:
    """It calls iadmin back in the way click understands."""
    answer = world.run("completion", shell)
    assert 0 == answer.status
    assert f"_IADMIN_COMPLETE={shell}_complete" in answer.out
    assert answer.out.rstrip() == world.run("completion", shell, "--json").document["script"].rstrip()


def test_another_shell_is_refused(world: World) -> None:
    """With the ones that are known."""
    answer = world.run("completion", "tcsh")
    assert ExitStatus.USAGE == answer.status
    assert "'bash', 'zsh', 'fish'" in answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [("iadmin ev", "plain,event"), ("iadmin event se", "plain,send"), ("iadmin status --js", "plain,--json")],
)
def test_what_the_script_asks_is_answered(words: str, expected: str) -> None:
    """Without an agent home, and without building any tools."""
    done = subprocess.run(
        [sys.executable, "-c", "from iadmin.main import main; main([])"],
        cwd=ROOT,
        env={"_IADMIN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout.splitlines(), done.stderr


CONFIGURATION = """<iaconfig xmlns="http://www.alarmpoint.com/schema">
<service-configs dir="../mine"><path>/a.xml</path><path>sub\\b.xml</path><path>c.xml</path><path>none.xml</path>
<path>bad.xml</path></service-configs>
<destinations><destination name="tickets" url="http://a/"/></destinations><destination name="stray"/></iaconfig>"""
DESCRIPTORS = {
    "a.xml": "<service><domain>applications</domain><name>pumps</name><x><name>no</name></x></service>",
    "sub/b.xml": "<s:service xmlns:s='u'><s:domain>other</s:domain><s:name>pumps</s:name></s:service>",
    "c.xml": "<service><domain>applications</domain><name>Tank &amp; gates</name></service>",
    "bad.xml": "<!DOCTYPE x [<!ENTITY e 'evil'>]><x><domain>d</domain><name>&e;</name></x>",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A home with three services, two of one name, and files that no agent would take."""
    for name, text in {"conf/IAConfig.xml": CONFIGURATION, **{f"mine/{n}": t for n, t in DESCRIPTORS.items()}}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def completed(words: str, shell: str, home: Path, *, before: str = "") -> list[str]:
    """What a shell gets; `words` end where the cursor stands."""
    environment = {"_IADMIN_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "IA_HOME": str(home)}
    environment["COMP_CWORD"] = words.rpartition(" ")[2] if shell == "fish" else str(words.count(" "))
    done = subprocess.run(
        [sys.executable, "-c", f"{before}from iadmin.main import main; main([])"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "" == done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    "words",
    [
        *("suspend ", "resume ", "purge ", "restart ", "tail --service ", "event list --service ", "event send "),
        *("service logs ", "doctor --probe ", "deadletter list --service "),
    ],
)
def test_services_are_completed(words: str, site: Path) -> None:
    """Without an agent; by the bare name where that tells them apart, in a spelling that needs no quotes in bash."""
    found = completed(f"iadmin {words}", "bash", site)
    assert ["plain,applications_pumps", "plain,other_pumps", r"plain,Tank\ \&\ gates"] == found
    assert ["plain,other_pumps"] == completed(f"iadmin {words}oth", "bash", site)
    assert [r"plain,applications_Tank\ \&\ gates"] == completed(f"iadmin {words}applications_T", "bash", site)


def test_shells_that_quote_get_the_names_as_they_are(site: Path) -> None:
    """With the whole name beside them."""
    assert ["plain,Tank & gates\tapplications|Tank & gates"] == completed("iadmin suspend Tan", "fish", site)


@pytest.mark.parametrize("words", ["check ", "pause ", "resume ", "send "])
def test_destinations_are_completed(words: str, site: Path) -> None:
    """The outbox among them, which is always there."""
    assert ["plain,tickets", "plain,outbox"] == completed(f"iadmin destination {words}", "bash", site)


def test_what_a_reload_takes(site: Path) -> None:
    """All, or one service."""
    assert ["plain,all", "plain,applications_pumps"] == completed("iadmin reload a", "bash", site)[:2]


@pytest.mark.parametrize("content", [b"", b"<iaconfig", b"<!DOCTYPE x><x/>", b"\xff\xfe\x00", b"<x/>"])
def test_a_home_without_names_has_none(site: Path, content: bytes) -> None:
    """Nothing is said in the middle of a command line; nor where another machine's agent is meant."""
    (site / "conf" / "IAConfig.xml").write_bytes(content)
    assert [""] == completed("iadmin suspend ", "bash", site)
    assert [""] == completed("iadmin suspend ", "bash", site / "nowhere")


def test_another_machine_is_not_asked(site: Path) -> None:
    """That would take a password, and a network."""
    assert [""] == completed("iadmin --connect plant7:8082 suspend ", "bash", site)
    assert ["plain,other_pumps"] == completed(f"iadmin --home {site} suspend oth", "bash", site / "nowhere")


def test_a_completion_loads_no_heavy_libraries(site: Path) -> None:
    """A person waits for it."""
    before = "import atexit, sys; atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules})); "
    loaded = set(completed("iadmin suspend oth", "bash", site, before=before)[-1].split())
    assert "click" in loaded
    assert not loaded & {"lxml", "twisted", "OpenSSL", "cryptography", "apsw", "rich", "httptools", "asn1crypto"}


def test_the_defaults_are_the_configuration_s() -> None:
    """They stand here again because reading them there would load its parser."""
    assert (DEFAULT_SERVICES_FOLDER, DEFAULT_DESTINATION) == (completing.FOLDER, completing.DESTINATION)
