"""What is seen of a running agent while it runs: the status that is redrawn on a real terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.live import LiveHome, command, until
from tests.support.screens import CTRL_C, Terminal

EVENT = "<event><properties><building>A</building></properties></event>"
ALT_SCREEN_ON = b"\x1b[?1049h"
ALT_SCREEN_OFF = b"\x1b[?1049l"
CURSOR_ON = b"\x1b[?25h"
ERASE_ALL = b"\x1b[2J"
INTERRUPTED = 130
BROKEN_PIPE = 141

Open = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[Open]:
    """Runs iadmin on a terminal."""
    opened: list[Terminal] = []

    def run(*argv: object, columns: int = 80, rows: int = 24, **environ: str) -> Terminal:
        words = [str(command("iadmin")), *map(str, argv)]
        opened.append(Terminal(words, columns=columns, rows=rows, environ=environ))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_a_status_tells_the_rates_of_the_last_minute(agent: LiveHome) -> None:
    """From the senders' event to the outbox: came, done, time; the worker's memory and the disk."""
    for _ in range(5):
        agent.accept(EVENT)

    def done() -> bool:
        status = agent.iadmin_json("status")
        return bool(status["destinations"][0]["last_minute"]["done_per_s"])

    until("what was sent to be counted", done)
    status = agent.iadmin_json("status")
    (service,) = status["services"]
    assert service["last_minute"]["came_per_s"] > 0 < service["last_minute"]["done_per_s"]
    assert service["last_minute"]["mean_ms"] > 0 == service["last_minute"]["failed"]
    assert service["memory_bytes"] > 5_000_000 < status["disk"]["free_bytes"]
    assert status["disk"]["spool_bytes"] > 0


def test_a_status_is_redrawn_in_place(agent: LiveHome, terminal: Open) -> None:
    """Without erasing the screen; a resized terminal is followed, and Ctrl-C gives the terminal back as it was."""
    screen = terminal("--home", agent.folder, "status", "--watch", "0.3")
    screen.until("a page", lambda: "every 0.3 s" in screen.text)
    screen.until("another page", lambda: screen.text.count("every 0.3 s") > 2)
    assert screen.raw.startswith(ALT_SCREEN_ON)
    assert ERASE_ALL not in screen.raw[len(ALT_SCREEN_ON) + 20 :]
    screen.resize(60, 8)
    screen.until("the page to be cut", lambda: "a higher terminal shows them" in screen.text)
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()
    assert ALT_SCREEN_OFF in screen.raw and CURSOR_ON in screen.raw
    assert "Traceback" not in screen.text


def test_an_agent_that_dies_is_watched_until_it_is_back(agent: LiveHome, terminal: Open) -> None:
    """The power is cut in the middle; the page says so, and goes on with the next agent."""
    screen = terminal("--home", agent.folder, "status", "--watch", "0.3")
    screen.until("a page", lambda: "running, up" in screen.text)
    agent.kill()
    screen.until("the end to be seen", lambda: "stopped" in screen.text)
    screen.raw = b""
    agent.start()
    screen.until("the new agent", lambda: "running, up" in screen.text)
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()


def test_a_terminal_without_abilities_gets_pages(agent: LiveHome, terminal: Open) -> None:
    """One below the other, without a single escape."""
    screen = terminal("--home", agent.folder, "status", "--watch", "0.2", TERM="dumb")
    screen.until("two pages", lambda: screen.text.count("Destinations") > 1)
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()
    assert b"\x1b" not in screen.raw


def test_a_terminated_watch_leaves_the_terminal_in_order(agent: LiveHome, terminal: Open) -> None:
    """Whoever kills it from elsewhere finds his cursor again."""
    screen = terminal("--home", agent.folder, "status", "--watch")
    screen.until("a page", lambda: "Ctrl-C ends it" in screen.text)
    screen.process.terminate()
    assert 128 + 15 == screen.end()
    assert ALT_SCREEN_OFF in screen.raw and CURSOR_ON in screen.raw


def test_a_tail_shows_an_event_on_its_road(agent: LiveHome, terminal: Open) -> None:
    """From its acceptance to the outbox, by its id; over a restart the start is shown, too."""
    screen = terminal("--home", agent.folder, "tail", "--since", "5m", columns=200)
    agent.accept(EVENT)
    delivered = re.compile(r"EVENT applications\|sample-plan \S+/1 -> outbox done")
    screen.until("the delivery", lambda: delivered.search(screen.text))
    for state in ("received", "claimed", "done"):
        assert re.search(rf"EVENT applications\|sample-plan [0-9a-f-]{{36}} {state}", screen.text), state
    assert "accepted" in screen.text
    agent.stop()
    screen.until("the note", lambda: "waiting for it" in screen.text)
    agent.start()
    screen.until("the next start", lambda: "answers again" in screen.text and "is up: pid" in screen.text)
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()


def test_a_tail_filters_over_the_admin_gateway(agent: LiveHome, tmp_path: Path) -> None:
    """As JSON lines, on a machine that has only the keystore; what another filter wants does not come."""
    port = agent.iadmin_json("status")["admin_gateway"]["port"]
    keystore = agent.folder / "conf" / ".keystore"
    words = [command("iadmin"), "--connect", f"127.0.0.1:{port}", "--keystore", keystore, "--json", "tail"]
    words += ["--since", "1h", "--state", "done", "--match", "outbox"]
    event_id = agent.accept(EVENT)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert INTERRUPTED == process.wait(20)
    assert ("event", f"{event_id}/1", "outbox") == (told["kind"], told["event_id"], told["destination"])


def test_a_tail_without_an_agent_reads_its_log(agent: LiveHome, terminal: Open) -> None:
    """With a note that says so."""
    agent.stop()
    screen = terminal("--home", agent.folder, "tail", "--match", "stopped", columns=200)
    screen.until("the last line", lambda: "agent stopped" in " ".join(screen.text.split()))
    assert "is not running; this is read from" in screen.text
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()


def test_the_busiest_comes_first(agent: LiveHome, terminal: Open) -> None:
    """On a terminal again and again, on a pipe once."""
    agent.accept(EVENT)
    screen = terminal("--home", agent.folder, "top", "--every", "0.3", columns=120)
    screen.until("two pages", lambda: screen.text.count("SENT/S") > 1)
    screen.press(CTRL_C)
    assert INTERRUPTED == screen.end()
    found = agent.iadmin_json("top", "--once", "--sort", "time")
    assert ["applications|sample-plan"] == [one["service"] for one in found["services"]]
    assert b"SENT/S" in agent.iadmin("top", "--once").stdout


def test_a_reader_that_goes_away_ends_it(agent: LiveHome) -> None:
    """As with any other command, and without a word."""
    words = [command("iadmin"), "--home", agent.folder, "--json", "status", "--watch", "0.2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "running" == json.loads(process.stdout.readline())["state"]
        process.stdout.close()
        assert BROKEN_PIPE == process.wait(20)
        assert b"" == process.stderr.read()
