"""`iadmin service check`."""

from __future__ import annotations

import pytest

from agent.errors import ExitStatus
from tests.iadmin.fakes import World

DESCRIPTOR = (
    '<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema"><domain>a</domain><name>b</name>'
    '<initial-state>active</initial-state><script lang="%s"><file>b.%s</file></script><classpath/>'
    "</integration-service>"
)


def write(world: World, name: str, content: str) -> None:
    path = world.cwd / "site" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)


def test_what_needs_a_counterpart_is_listed_and_ends_with_1(world: World) -> None:
    """Each word of the original with what takes its place."""
    write(world, "b.xml", DESCRIPTOR % ("js", "js"))
    write(world, "b.js", "function apia_input(apxml) {\n  XMIO.post(1);\n}\n")
    answer = world.run("service", "check", "site")
    assert (ExitStatus.FAILED, "") == (answer.status, answer.err)
    assert "b.xml (descriptor, a|b): needs a counterpart" in answer.out
    assert "hook apia_input (line 1): on_input(apxml)" in answer.out
    assert answer.out.endswith("works: 0, needs a counterpart: 2, wrong: 0.\n")
    document = world.run("--json", "service", "check", "site").document
    assert {"works": 0, "needs a counterpart": 2, "wrong": 0} == document["summary"]
    assert {"kind": "library", "name": "XMIO.post", "line": 2, "ours": "xmio.post(...)"} in document["files"][0][
        "needs"
    ]


def test_what_is_wrong_ends_with_78_and_what_works_with_0(world: World) -> None:
    """For scripts that check a site before an upgrade."""
    write(world, "b.xml", DESCRIPTOR % ("python", "py"))
    answer = world.run("service", "check", "site/b.xml")
    assert (ExitStatus.CONFIG, True) == (answer.status, "the script b.py does not exist" in answer.out)
    write(world, "b.py", "def on_event(event):\n    pass\n")
    assert ExitStatus.OK == world.run("service", "check", "site/b.xml").status


def test_nothing_is_run_where_that_is_asked(world: World) -> None:
    """A missing module shows no earlier than when the script is loaded."""
    write(world, "b.xml", DESCRIPTOR % ("python", "py"))
    write(world, "b.py", "import nowhere_at_all\n\n\ndef on_event(event):\n    pass\n")
    assert ExitStatus.OK == world.run("service", "check", "--no-load", "site").status
    answer = world.run("service", "check", "site")
    assert (ExitStatus.CONFIG, True) == (answer.status, "b.py:1: ModuleNotFoundError" in answer.out)


def test_nothing_to_check_is_said(world: World) -> None:
    """An empty folder is a mistake."""
    (world.cwd / "site").mkdir()
    answer = world.run("service", "check", "site")
    assert (ExitStatus.NO_INPUT, True) == (answer.status, "There is no descriptor" in answer.out)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nowhere_at_all\ndef on_event(event): pass", "x.py:1: ModuleNotFoundError"),
        ("def on_event(event): pass\ndef on_startup(what): pass", "x.py:2: on_startup(what) cannot be called"),
        ("on_event = 3", "on_event is a int, expected a function"),
    ],
)
def test_a_script_is_loaded_in_a_worker(world: World, code: str, words: str) -> None:
    """What only shows then is wrong, with file and line; a good one tells its hooks, and none of them was called."""
    folder = world.cwd / "x"
    folder.mkdir()
    (folder / "x.xml").write_text(
        '<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema"><domain>a</domain><name>x</name>'
        "<initial-state>active</initial-state><script lang='python'><file>x.py</file></script></integration-service>"
    )
    (folder / "x.py").write_text(code)
    answer = world.run("service", "check", "x")
    assert ExitStatus.CONFIG == answer.status
    assert words in answer.out
    (folder / "x.py").write_text("import os\ndef on_event(e): pass\ndef on_startup(): os._exit(1)\n")
    answer = world.run("service", "check", "x")
    assert ExitStatus.OK == answer.status
    assert "loaded in a worker; hooks: on_event, on_startup" in answer.out
    assert [("loading services", 1)] == [(what, total) for what, total, _ in world.bars[-1:]]
