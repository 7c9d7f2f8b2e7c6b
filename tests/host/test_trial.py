"""Loading a script in a process of its own: what is wrong with it, and nothing of it touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.host.messages import Load
from agent.host.trial import try_service


def order(script: Path) -> Load:
    threads = {"normal": 1, "high": 1, "http": 1}
    return Load(script=str(script), service="a|x", agent_id="i", constants={}, destination="outbox", threads=threads)


def test_a_good_script_tells_its_hooks_and_none_is_called(tmp_path: Path) -> None:
    """What it prints does not disturb; it knows its context, as in a worker."""
    script = tmp_path / "x.py"
    script.write_text(
        "import os\nfrom agent.sdk import context\nprint('hello', context.service)\n"
        "def on_event(event): pass\ndef on_startup(): os._exit(9)\ndef on_shutdown(): os._exit(9)\n"
    )
    found = try_service(order(script), home=tmp_path)
    assert (("on_event", "on_startup", "on_shutdown"), "") == (found.hooks, found.sentence)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def on_event(:\n", "x.py:1: SyntaxError"),
        ("\nimport nowhere_at_all\n", "x.py:2: ModuleNotFoundError"),
        ("x = 1\n", "defines none of"),
        ("import os\nos._exit(3)\n", "ended its process while it was loaded (status 3)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "(signal 9)"),
        ("raise SystemExit(2)\n", "sys.exit(2)"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, code: str, words: str) -> None:
    """With file and line where there are any."""
    script = tmp_path / "x.py"
    script.write_text(code)
    found = try_service(order(script), home=tmp_path)
    assert words in found.sentence
    assert "\n" not in found.sentence


def test_a_script_that_hangs_ends_with_all_it_has_started(tmp_path: Path) -> None:
    """After the patience."""
    script = tmp_path / "x.py"
    script.write_text(
        "import subprocess, time\nchild = subprocess.Popen(['sleep', '1000'])\n"
        "open('pid', 'w').write(str(child.pid))\ntime.sleep(1000)\n"
    )
    assert "not loaded within 1.5 s" in try_service(order(script), home=tmp_path, patience_s=1.5).sentence
    pid = int((tmp_path / "pid").read_text())
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
            return
    raise AssertionError("what it started still runs")
