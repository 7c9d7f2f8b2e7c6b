"""Services that hang, leak, fork, exit or flood, and events that take their worker down: the others go on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.live import LiveHome, until
from tests.support.load import children, is_alive

RETRY = (
    "<retry><first-delay-s>0.05</first-delay-s><max-delay-s>0.1</max-delay-s><max-attempts>2</max-attempts></retry>"
    "<hook-timeout>1.5</hook-timeout>"
)
LEAKY = RETRY.replace("1.5", "20") + "<worker-limits><max-memory-mib>300</max-memory-mib></worker-limits>"
"""Its memory must come to an end before its time does, on a busy machine, too."""
GOOD = """
from agent.sdk import context

def on_event(event):
    context.send(json={"text": event.xml.text})
"""
HANGS = """
def on_event(event):
    while True:
        pass
"""
LEAKS = """
KEPT = []

def on_event(event):
    while True:
        KEPT.append(b"x" * 10_000_000)
"""
FORKS = """
import os, signal, time

def on_event(event):
    pids = []
    for _ in range(40):
        pid = os.fork()
        if not pid:
            # A child that ignores every signal that can be ignored, and holds the worker's pipes open.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            time.sleep(1000)
        pids.append(pid)
    with open("forked", "w") as file:
        file.write(" ".join(map(str, pids)))
    time.sleep(1000)
"""
EXITS = """
import os

def on_event(event):
    os._exit(7)
"""
FLOODS = """
def on_event(event):
    while True:
        print("flood " * 300)
"""
CLOSES = """
import os

def on_event(event):
    os.closerange(0, 64)
"""
POISON = """
import os
from agent.sdk import context

def on_event(event):
    if b"poison" in event.body:
        os.abort()
    context.send(json={"text": event.xml.text})
"""
BAD = {
    "hangs": (HANGS, "1.5 s"),
    "leaks": (LEAKS, "MemoryError"),
    "forks": (FORKS, "1.5 s"),
    "exits": (EXITS, "exit status 7"),
    "floods": (FLOODS, "1.5 s"),
    "closes": (CLOSES, ""),
}
"""Name, code, and what the dead letter must say."""

PATIENCE_S = 5.0
"""For an event of the good service beside all the bad ones: generous, for a machine with other things to do."""


def pids(path: Path) -> list[int] | None:
    found = [int(word) for word in path.read_text().split()] if path.exists() else []
    return found or None


def test_bad_services_harm_themselves_only(home: LiveHome) -> None:
    """Their events become dead letters that say why; what they started is gone; the good one is served meanwhile."""
    home.add_service("good", GOOD)
    for name, (code, _) in BAD.items():
        home.add_service(name, code, extra=LEAKY if name == "leaks" else RETRY)
    home.start()
    bad = {name: home.accept("<event/>", f"applications_{name}") for name in BAD}
    forked = until("the forks", lambda: pids(home.folder / "forked"))
    slowest_s = 0.0
    for number in range(30):
        begun_s = time.monotonic()
        home.accept(f"<event>{number}</event>", "applications_good")
        until("the good event", lambda number=number: len(home.outbox) > number, PATIENCE_S)
        slowest_s = max(slowest_s, time.monotonic() - begun_s)
    for name, (_, words) in BAD.items():
        event = home.settled(bad[name])
        assert ("dead", 2) == (event["state"], event["attempt"]), event
        assert words in event["reason"], (name, event["reason"])
    until("the forks to be gone", lambda: not any(map(is_alive, forked)), 10)
    assert home.process is not None
    assert len(children(home.process.pid)) <= len(BAD) + 2
    log = home.folder / "var" / "log" / "agent.log"
    assert log.stat().st_size < 5_000_000, "the flood went into the log"
    assert len(BAD) == home.iadmin_json("status")["dead_letters"]["events"]
    assert 0 == home.stop()
    assert "Traceback (most recent call last)" not in home.console.read_text(encoding="utf-8").split("applications|")[0]


@pytest.mark.parametrize("later_pass", [False, True])
def test_a_poison_message_does_not_stop_its_service(home: LiveHome, later_pass: bool) -> None:
    """It takes its worker down each time, then it is a dead letter; others run, those of its group in their order."""
    home.add_service("poisoned", POISON, extra=f"{RETRY}<later-pass>{str(later_pass).lower()}</later-pass>")
    home.start()
    service, group = "applications_poisoned", ("-H", "Apia-Process-Group: tank")
    first = home.accept("<event>before</event>", service)
    home.settled(first)
    poison = home.post("<event>poison</event>", service, *group)
    assert 202 == poison[0]
    for number in range(5):
        assert 202 == home.post(f"<event>same {number}</event>", service, *group)[0]
        home.accept(f"<event>other {number}</event>", service)
    until("the others", lambda: len(home.outbox) == 11)
    texts = [line["body"]["text"] for line in home.outbox]
    assert [f"same {number}" for number in range(5)] == [text for text in texts if text.startswith("same")]
    assert [f"other {number}" for number in range(5)] == [text for text in texts if text.startswith("other")]
    [letter] = home.iadmin_json("deadletter", "list")["dead_letters"]
    event = home.event(letter["id"])
    assert ("<event>poison</event>", "dead", 2) == (event["body"], event["state"], event["attempt"])
    assert "SIGABRT" in event["reason"]


def test_a_service_of_the_original_waits_for_its_counterpart(home: LiveHome) -> None:
    """The agent starts with the others; a reload with the counterpart has what waited on disk worked off."""
    home.add_service("good", GOOD)
    home.add_service("old", GOOD)
    descriptor = home.folder / "services" / "old" / "old.xml"
    counterpart = descriptor.read_text()
    descriptor.write_text(counterpart.replace('lang="python"', 'lang="js"'))
    assert 78 == home.iadmin("config", "check").returncode
    home.start()
    waiting = home.accept("<event>one</event>", "applications_old")
    home.settled(home.accept("<event>two</event>", "applications_good"))
    states = {one["service"]: one for one in home.iadmin_json("service", "list")["services"]}
    assert "failing" == states["applications|old"]["state"]
    assert "old.xml is a JavaScript service" in states["applications|old"]["last_error"]
    assert any("applications|old cannot run" in told for told in home.iadmin_json("status")["warnings"])
    assert 0 == home.iadmin("reload").returncode

    descriptor.write_text(counterpart)
    assert 0 == home.iadmin("reload").returncode
    assert "done" == home.settled(waiting)["state"]
