"""The real worker program in a real process, fed by a real reactor: what no fake can prove."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 30.0


class TinyAgent:
    """`tiny_agent.py` at work; what it tells is waited for, with an end."""

    def __init__(
        self, folder: Path, script: str, *event_ids: str, hook_timeout_s: float = 10.0, more: Any = None
    ) -> None:
        self.script = folder / "pump_alarms.py"
        self.script.write_text(script)
        (folder / "more.json").write_text(json.dumps(more or {}))
        self.told: list[dict[str, Any]] = []
        self._rest = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.host.tiny_agent", folder, self.script, str(hook_timeout_s), *event_ids],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "API_TOKEN": "secret", "LANG": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_for(self, **wanted: Any) -> dict[str, Any]:
        """The first line that has these facts, from the beginning on; a value may be a test of the value."""
        seen = 0
        end = time.monotonic() + PATIENCE_S
        while True:
            for facts in self.told[seen:]:
                if all(key in facts and _fits(facts[key], value) for key, value in wanted.items()):
                    return facts
            seen = len(self.told)
            self._read(end, wanted)

    def order(self, word: str) -> dict[str, Any]:
        """Say it on stdin; gives what the agent tells of it, for anything but "stop"."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()
        return {} if word == "stop" else self.wait_for(ordered=word)

    def stop(self) -> None:
        self.order("stop")
        self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _read(self, end: float, wanted: object) -> None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
        data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
        if not data:
            raise AssertionError(f"waited in vain for {wanted}; told: {self.told}")
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.told.extend(map(json.loads, lines))


def _fits(found: Any, wanted: Any) -> bool:
    return bool(wanted(found)) if callable(wanted) else bool(found == wanted)


def contains(text: str) -> Callable[[str], bool]:
    return lambda found: text in found


def wait_until_gone(pid: int) -> None:
    """Wait, with an end, until no process has this number. Works for processes that are not our children."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        gone, _, _ = select.select([descriptor], [], [], PATIENCE_S)
        assert gone, f"process {pid} is still there"
    finally:
        os.close(descriptor)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., TinyAgent]]:
    agents: list[TinyAgent] = []

    def _start(script: str, *event_ids: str, **more: Any) -> TinyAgent:
        agents.append(TinyAgent(tmp_path, script, *event_ids, **more))
        return agents[-1]

    yield _start
    for agent in agents:
        agent.close()


def test_whole_life(start: Callable[..., TinyAgent]) -> None:
    """Hooks run in order of a service's life, plain and async alike; what is sent and logged arrives."""
    agent = start(
        """
import asyncio, logging
from agent.sdk import HttpResponse, context

async def on_startup():
    global loop
    loop = asyncio.get_running_loop()
    context.log.info("up as %s on %s", context.service, context.agent_id)

async def on_event(event):
    assert asyncio.get_running_loop() is loop
    await asyncio.sleep(0)
    context.send(body=event.id)
    logging.getLogger("library").warning("from a library")

def on_http(request):
    return HttpResponse(body=request.body.upper())

def on_shutdown():
    print("bye")
""",
        "a",
    )

    hooks = agent.wait_for(started=lambda told: told["state"] == "active")["started"]["hooks"]
    answer = agent.wait_for(answered=lambda told: True)["answered"]
    settled = agent.wait_for(settled="a")
    agent.wait_for(log="applications|pump-alarms", text="up as applications|pump-alarms on plant7")
    agent.wait_for(log="applications|pump-alarms", text="library: from a library")
    agent.stop()
    agent.wait_for(log="applications|pump-alarms", text="bye")

    assert ["on_event", "on_http", "on_startup", "on_shutdown"] == hooks
    assert "QUESTION" == answer
    assert ("succeed", ["a"]) == (settled["outcome"], settled["bodies"])
    assert 0 == agent.process.returncode


def test_worker_lives_apart(start: Callable[..., TinyAgent]) -> None:
    """A worker has none of the agent's secrets, descriptors or signals, an empty stdin, and the home as its folder."""
    agent = start(
        """
import json, os, signal, sys
from agent.sdk import context

def on_event(event):
    context.send(json={
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "names": sorted(os.environ),
        "leads": os.getpgid(0) == os.getpid(),
        "folder": os.getcwd(),
        "stdin": sys.stdin.read(),
        "path_end": sys.path[-1],
        "twisted": "twisted" in sys.modules,
    })
""",
        "a",
    )

    found = json.loads(agent.wait_for(settled="a")["bodies"][0])

    assert [0, 1, 2, 3, 4] == found["descriptors"]
    assert "API_TOKEN" not in found["names"]
    assert "PYTHONPATH" not in found["names"]
    assert "IA_HOME" in found["names"]
    assert found["leads"]
    assert str(agent.script.parent) == found["folder"] == found["path_end"]
    assert "" == found["stdin"]
    assert not found["twisted"]


def test_agent_killed_worker_gone(start: Callable[..., TinyAgent]) -> None:
    """When the agent is killed with -9, a worker that hangs in its hook is gone as well."""
    agent = start("import time\ndef on_event(event):\n    print('here')\n    time.sleep(1000)\n", "a")
    pid = agent.wait_for(started=lambda told: told["pid"])["started"]["pid"]
    agent.wait_for(text="here")

    agent.process.kill()

    wait_until_gone(pid)


def test_hung_hook_is_killed(start: Callable[..., TinyAgent]) -> None:
    """A hook that blocks everything is killed after its time, with all it started; the reason says where it hung."""
    agent = start(
        """
import signal, subprocess

def on_event(event):
    if event.id == "good":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = subprocess.Popen(["sleep", "1000"])
    print("child", child.pid)
    child.wait()
""",
        "hung",
        "good",
        hook_timeout_s=1.0,
    )

    child = int(agent.wait_for(text=contains("child "))["text"].split()[1])
    settled = agent.wait_for(settled="hung")

    assert "postpone" == settled["outcome"]
    assert settled["reason"].startswith("on_event took longer than 1 s, in on_event (")
    assert settled["reason"].endswith("/pump_alarms.py:10)")
    assert 'pump_alarms.py", line 10 in on_event' in settled["detail"]
    assert "succeed" == agent.wait_for(settled="good")["outcome"]
    wait_until_gone(child)


def test_exit_in_a_hook(start: Callable[..., TinyAgent]) -> None:
    """`os._exit` costs the event its attempts and the service a restart; the events after it are done."""
    agent = start(
        "import os\ndef on_event(event):\n    if event.id == 'poison':\n        os._exit(3)\n", "poison", "a", "b"
    )

    dead = agent.wait_for(settled="poison", outcome="give up")

    assert dead["reason"].startswith("the worker process ended with exit status 3; gave up after 2 attempts")
    assert "succeed" == agent.wait_for(settled="a")["outcome"]
    assert "succeed" == agent.wait_for(settled="b")["outcome"]


def test_child_left_behind_holds_up_nobody(start: Callable[..., TinyAgent]) -> None:
    """A program in a session of its own, which survives the worker and keeps its stdout open, delays no restart."""
    agent = start(
        """
import os, subprocess

def on_event(event):
    if event.id == "poison" and event.attempt == 1:
        print("child", subprocess.Popen(["sleep", "1000"], start_new_session=True).pid, flush=True)
        os._exit(3)
""",
        "poison",
    )

    child = int(agent.wait_for(text=contains("child "))["text"].split()[1])
    try:
        assert "succeed" == agent.wait_for(settled="poison", outcome="succeed")["outcome"]
    finally:
        os.kill(child, signal.SIGKILL)


def test_output_goes_to_the_log(start: Callable[..., TinyAgent]) -> None:
    """What a service prints is logged line by line, cut, escaped, at a bounded rate, and disturbs no frames."""
    agent = start(
        """
import os, sys

def on_event(event):
    print("esc \\x1b[31m red")
    print("x" * 5000)
    print("half", end="", file=sys.stderr, flush=True)
    print(" and half", file=sys.stderr)
    for number in range(100000):
        print("flood", number)
""",
        "a",
    )

    settled = agent.wait_for(settled="a")
    texts = [facts["text"] for facts in agent.told if facts.get("log") == "applications|pump-alarms"]

    assert "succeed" == settled["outcome"]
    assert "esc \\x1b[31m red" == texts[0]
    assert "a" == next(facts["event_id"] for facts in agent.told if facts.get("text") == texts[0])
    assert "x" * 2048 + " [cut short]" == texts[1]
    agent.wait_for(text="half and half")
    assert 200 >= sum(text.startswith("flood") for text in texts)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("def on_event(event)\n    pass\n", "pump_alarms.py:1: SyntaxError: expected ':'"),
        ("import os\n\nimport no_such_module\n", "pump_alarms.py:3: ModuleNotFoundError: No module named 'no_such"),
        ("def on_event():\n    pass\n", "pump_alarms.py:1: on_event() cannot be called as on_event(event)"),
        ("x = 1\n", "defines none of on_event, on_input"),
        ("import sys\nsys.exit(4)\n", "called sys.exit(4) while it was loaded"),
        (
            "def on_event(event): pass\ndef on_startup():\n    raise OSError('no database')\n",
            "pump_alarms.py:3: on_startup raised OSError: no database",
        ),
    ],
)
def test_script_that_cannot_be_used(start: Callable[..., TinyAgent], script: str, sentence: str) -> None:
    """The agent comes up, the service is failing, and the sentence names file and line."""
    agent = start(script)

    told = agent.wait_for(started=lambda told: True)["started"]

    assert "failing" == told["state"]
    assert sentence in told["last_error"]


def test_mended_script_is_picked_up(start: Callable[..., TinyAgent]) -> None:
    """A script that is mended, within the same second and at the same length, is loaded at the next start."""
    agent = start("def on_event(event):: pass\n", "a")
    agent.wait_for(started=lambda told: told["state"] == "failing")

    agent.script.write_text("def on_event(event): pass \n")

    assert "succeed" == agent.wait_for(settled="a")["outcome"]
    assert not (agent.script.parent / "__pycache__").exists()


def test_nonsense_on_the_pipe(start: Callable[..., TinyAgent]) -> None:
    """A service that writes to the agent's pipe itself is ended; it fails by its own hand only."""
    agent = start("import os\ndef on_event(event):\n    os.write(4, b'hello agent, this is not a frame')\n", "a")

    settled = agent.wait_for(settled="a")

    assert settled["reason"].startswith("sent what is no message: a frame's head of")


def test_fault_in_a_hook_has_its_traceback(start: Callable[..., TinyAgent]) -> None:
    """The reason names exception and line, the traceback begins in the service's own code."""
    agent = start("def on_event(event):\n    helper()\ndef helper():\n    raise KeyError('pump')\n", "a")

    settled = agent.wait_for(settled="a")

    assert f"on_event raised KeyError: 'pump' ({agent.script}:4)" == settled["reason"]
    assert settled["detail"].splitlines()[1] == f'  File "{agent.script}", line 2, in on_event'


def test_worker_ignores_ctrl_c(start: Callable[..., TinyAgent]) -> None:
    """Ctrl-C at the agent's terminal does not reach the hooks: the worker is in a session of its own."""
    agent = start("def on_event(event): pass\n")
    pid = agent.wait_for(started=lambda told: told["pid"])["started"]["pid"]

    assert os.getsid(pid) == pid


PUMPS = {"name": "pumps", "predicates": ["pump"], "suppression_period_s": 300, "window_size": 10}


def test_leaking_hook_meets_its_limit(start: Callable[..., TinyAgent]) -> None:
    """Memory beyond the limit is a MemoryError in the hook, and the service goes on."""
    agent = start(
        "def on_event(event):\n    if event.id == 'leak':\n        kept = [bytearray(2**20) for _ in range(2000)]\n",
        "leak",
        "good",
        more={"limits": {"max_memory_bytes": 256 * 2**20}},
    )

    assert agent.wait_for(settled="leak")["reason"].startswith("on_event raised MemoryError")
    assert "succeed" == agent.wait_for(settled="good")["outcome"]


def test_descriptors_have_a_limit(start: Callable[..., TinyAgent]) -> None:
    """A service that forgets to close what it opens sees the system's own error, in its line."""
    agent = start(
        "kept = []\ndef on_event(event):\n    while True:\n        kept.append(open('/dev/null'))\n",
        "a",
        more={"limits": {"max_open_files": 64}},
    )

    assert "Too many open files" in agent.wait_for(settled="a")["reason"]


def test_forking_service_is_ended_with_all_it_started(start: Callable[..., TinyAgent]) -> None:
    """Children that multiply in the worker's session are gone when the hook has overrun its time."""
    agent = start(
        """
import os, time

def on_event(event):
    if event.attempt == 1:
        for _ in range(20):
            if not (pid := os.fork()):
                time.sleep(1000)
            print("child", pid)
        time.sleep(1000)
""",
        "a",
        hook_timeout_s=1.0,
    )
    agent.wait_for(settled="a", outcome="succeed")
    children = [int(facts["text"].split()[1]) for facts in agent.told if str(facts.get("text")).startswith("child ")]

    assert 20 == len(children)
    for child in children:
        wait_until_gone(child)


def test_declared_filter_suppresses_duplicates(start: Callable[..., TinyAgent]) -> None:
    """Of equal events in different groups one reaches the hook; the others end with the original's text."""
    agent = start(
        "import time\ndef on_event(event):\n    time.sleep(0.05)\n    assert event.attempt == 2\n",
        "a",
        "b",
        "c",
        more={"filters": [PUMPS | {"predicates": ["PUMP"]}], "dedup_filter": "pumps"},
    )

    one = agent.wait_for(outcome="succeed")
    others = [agent.wait_for(settled=name, outcome="suppress") for name in "abc" if name != one["settled"]]

    assert ["pumps"] == one["remembered"]
    text = (
        "An event with properties {PUMP=P-101} has been injected into the applications|pump-alarms service more "
        "frequently than allowed by the deduplication filter pumps. It has been suppressed."
    )
    assert [text, text] == [other["reason"] for other in others]


def test_service_deduplicates_by_itself(start: Callable[..., TinyAgent]) -> None:
    """What a failed attempt counted is not remembered; what a successful one counted is."""
    agent = start(
        """
from agent.sdk import context

FILTER = context.dedup("pumps")

def on_event(event):
    if FILTER.is_duplicate({"Pump": "P-1"}):
        context.send(body="again")
        return
    FILTER.increment_count({"Pump": "P-1"})
    if event.attempt == 1:
        raise ValueError("not yet")
    context.send(body="first")
""",
        "a",
        more={"filters": [PUMPS], "normal_threads": 1},
    )

    done = agent.wait_for(settled="a", outcome="succeed")

    assert (["first"], ["pumps"]) == (done["bodies"], done["remembered"])


def test_filter_that_does_not_exist_keeps_the_service_from_starting(start: Callable[..., TinyAgent]) -> None:
    """Asked for at the top of the script, a misspelt name is found at the start and not in a flood of duplicates."""
    agent = start(
        "from agent.sdk import context\nF = context.dedup('pumsp')\ndef on_event(event): pass\n",
        more={"filters": [PUMPS]},
    )

    told = agent.wait_for(started=lambda told: True)["started"]

    assert "failing" == told["state"]
    assert "deduplicator-filter.xml has no filter 'pumsp'; it has pumps" in told["last_error"]


def test_hooks_ask_and_get_answers(start: Callable[..., TinyAgent]) -> None:
    """Plain and async hooks alike; where nobody answers, the event is tried again."""
    agent = start(
        """
import asyncio
from agent.sdk import HttpResponse, RequestFailed, context

async def on_event(event):
    one, two = await asyncio.gather(context.request("t", body="1"), context.request("t", path="/x"))
    context.send(body=f"{one.text} {two.text}{two.content_type} {one.where}")
    try:
        context.request("t").wait()
    except RuntimeError as error:
        context.log.info("%s", error)
    if event.attempt == 1:
        await context.request("t", path="/nobody")

def on_http(request):
    return HttpResponse(body=context.request("t", body=request.body).wait().body)
""",
        "a",
    )
    agent.wait_for(answered="echo question")
    agent.wait_for(text=contains("write `await context.request(...)`"), event_id="a")
    agent.wait_for(settled="a", reason=contains("nobody listens"))
    agent.wait_for(settled="a", bodies=["echo 1 echo GET a"])


LIFE = """
import threading
from agent.sdk import context

told = threading.Event()

def on_event(event):
    context.log.info("begun")
    told.wait(20)
    context.log.info("ended")

async def on_suspend():
    context.log.info("suspended")

def on_resume():
    context.log.info("resumed")
    return False

def on_interrupt():
    context.log.info("interrupted")
    told.set()
"""


def test_hooks_of_a_suspension(start: Callable[..., TinyAgent]) -> None:
    """`on_interrupt` runs beside the hook that it ends; the others are called in turn, and False is an error."""
    agent = start(LIFE, "a", hook_timeout_s=30.0)
    agent.wait_for(text="begun")

    interrupted = agent.order("suspend-now")
    settled = agent.wait_for(settled="a")
    resumed = agent.order("resume")
    suspended = agent.order("suspend")
    agent.wait_for(text="interrupted")
    agent.wait_for(text="ended")
    agent.wait_for(text="suspended")

    assert ("", "suspended", "succeed") == (interrupted["trouble"], interrupted["now"]["state"], settled["outcome"])
    assert "on_resume returned False, which says that it failed" in resumed["trouble"]
    assert ("active", "suspended", "") == (
        resumed["now"]["state"],
        suspended["now"]["state"],
        suspended["trouble"],
    )
    assert interrupted["now"]["pid"] == suspended["now"]["pid"]


def test_hook_that_does_not_end_is_interrupted_and_begun_again(start: Callable[..., TinyAgent]) -> None:
    """Without `on_interrupt`, the worker goes; the event is begun again in the next one, and has not failed."""
    script = """
import os, time
from agent.sdk import context

def on_event(event):
    context.log.info("attempt %d", event.attempt)
    if event.attempt == 1:
        time.sleep(30)
    context.send(body=str(event.attempt))
"""
    agent = start(script, "a", hook_timeout_s=60.0)
    agent.wait_for(text="attempt 1")

    suspended = agent.order("suspend-now")
    resumed = agent.order("resume")
    settled = agent.wait_for(settled="a")

    assert (None, "suspended") == (suspended["now"]["pid"], suspended["now"]["state"])
    assert "" == resumed["trouble"]
    assert ("succeed", ["2"]) == (settled["outcome"], settled["bodies"])


def test_restart_takes_the_script_as_it_is_now(start: Callable[..., TinyAgent]) -> None:
    """`on_shutdown` of the old one, then `on_startup` of the new one; a script that is broken now is told."""
    agent = start("def on_event(event): pass\ndef on_shutdown(): print('old ends')\n")
    agent.wait_for(started=lambda told: True)
    agent.script.write_text("def on_event(event): pass\ndef on_startup(): print('new begins')\n")

    mended = agent.order("restart")
    agent.wait_for(text="old ends")
    agent.wait_for(text="new begins")
    agent.script.write_text("def on_event(event) pass\n")
    agent.told.clear()
    broken = agent.order("restart")

    assert ("", "active") == (mended["trouble"], mended["now"]["state"])
    assert "pump_alarms.py:1: SyntaxError" in broken["trouble"]


def test_startup_that_returns_false_is_failing(start: Callable[..., TinyAgent]) -> None:
    """The original's hooks return true; one that says false has not started."""
    agent = start("def on_event(event): pass\ndef on_startup(): return False\n")

    told = agent.wait_for(started=lambda told: True)["started"]

    assert "failing" == told["state"]
    assert "on_startup returned False, which says that it failed" in told["last_error"]


def test_news_of_the_platform_are_never_duplicates(start: Callable[..., TinyAgent]) -> None:
    """A declared filter holds events apart, and not what the platform says about them."""
    script = """
def on_callback(message):
    print("news", message.get("pump"))

def on_event(form):
    return None
"""
    filters = [{"name": "pumps", "predicates": ["pump"], "suppression_period_s": 60, "window_size": 9}]
    more = {"filters": filters, "dedup_filter": "pumps", "event_path": "/response"}
    agent = start(script, "a", "b", more=more)

    outcomes = [agent.wait_for(settled=name)["outcome"] for name in ("a", "b")]
    agent.wait_for(text="news P-101")

    assert ["succeed", "succeed"] == outcomes


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            "WEB_SERVICE_URL = 'https://acme.example/x'",
            "WEB_SERVICE_URL: no destination leads to https://acme.example/x",
        ),
        ("WEB_SERVICE_URL = 7", "WEB_SERVICE_URL is 7, expected a text"),
        ("CALLBACKS = 'status'", "CALLBACKS is 'status', expected a list"),
    ],
)
def test_settings_that_cannot_be_used(start: Callable[..., TinyAgent], setting: str, sentence: str) -> None:
    """The service is failing from its start, and not with its first alarm."""
    agent = start(f"{setting}\ndef on_event(form): return form\n")

    told = agent.wait_for(started=lambda told: True)["started"]

    assert "failing" == told["state"]
    assert sentence in told["last_error"]


def test_overrun_of_one_of_several_hooks(start: Callable[..., TinyAgent]) -> None:
    """Which one it was stands behind, with the line."""
    script = "import time\ndef on_event(event): time.sleep(30)\ndef on_callback(message): pass\n"
    agent = start(script, "a", hook_timeout_s=0.5)

    assert "a hook took longer than 0.5 s, in on_event (" in agent.wait_for(settled="a")["reason"]
