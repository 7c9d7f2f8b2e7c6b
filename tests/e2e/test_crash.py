"""The real agent, killed at random moments under the load of real senders: what was acknowledged arrives, in order.

    make crash                                  ten minutes
    CRASH_SECONDS=60 CRASH_SEED=7 pytest -s tests/e2e/test_crash.py

The seed decides what is killed and after how much; where in the agent's work that falls is the machine's doing, so a
seed repeats the pattern of a run and not the run. SIGKILL shows what the program does and not what the disk does: that
the spool syncs before it answers is shown by tests/spool, on a disk that forgets what was not synced.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time

import attrs
import pytest

from tests.support.live import LiveHome, until
from tests.support.load import Load, children, is_alive, kill

SECONDS = float(os.environ.get("CRASH_SECONDS", "8"))
"""How long there is killing. Starting and draining come on top, some seconds each."""

SEED = int(os.environ.get("CRASH_SEED", random.randrange(1_000_000)))


def say(line: str) -> None:
    """For who waits for the long form (`pytest -s`), and for the report of a failure."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def kill_the_agent(load: Load) -> None:
    load.kill_agent("agent")
    load.start()


def kill_it_while_it_starts(load: Load) -> None:
    """Between the first instruction and the first answers; then once more, in another place."""
    load.kill_agent("agent, before a start")
    for _ in range(2):
        load.home.start(wait=False)
        end_s = time.monotonic() + load.random.uniform(0, 2.5)
        load.wait("a moment of the start", lambda end_s=end_s: time.monotonic() >= end_s)
        load.kill_agent("agent, while it started")
    load.start()


def kill_it_while_it_stops(load: Load) -> None:
    process = load.home.process
    assert process is not None
    process.terminate()
    end_s = time.monotonic() + load.random.uniform(0, 0.5)
    load.wait("a moment of the stop", lambda: time.monotonic() >= end_s or process.poll() is not None)
    load.kill_agent("agent, while it stopped")
    load.start()


def kill_a_worker(load: Load) -> None:
    process = load.home.process
    assert process is not None
    workers = children(process.pid)
    if workers:
        worker = load.random.choice(workers)
        load.kills["worker"] += 1
        kill(worker)
        until("the worker to be gone", lambda: not is_alive(worker), 10)


def kill_both(load: Load) -> None:
    process = load.home.process
    assert process is not None
    for worker in children(process.pid):
        load.kills["worker"] += 1
        kill(worker)
    load.kill_agent("agent, after its workers")
    load.start()


KINDS = (kill_the_agent, kill_the_agent, kill_a_worker, kill_a_worker, kill_both, kill_it_while_it_stops)
RARE = (*KINDS, *KINDS, kill_it_while_it_starts)


@pytest.mark.timeout(SECONDS + 240)
def test_what_was_acknowledged_arrives_whatever_is_killed(home: LiveHome) -> None:
    """Every 2xx is delivered, groups keep their order, doubles have one id and a kill between them."""
    say(f"\nCRASH_SEED={SEED} CRASH_SECONDS={SECONDS:g}")
    load = Load(home, seed=SEED)
    load.begin()
    end_s = time.monotonic() + SECONDS
    said_s = time.monotonic()
    while time.monotonic() < end_s:
        load.wait_for_moment()
        load.random.choice(RARE)(load)
        if time.monotonic() > said_s + 30:
            said_s = time.monotonic()
            say(f"  {load.kills.total()} kills, {load.acknowledged} events acknowledged")
    figures = load.finish()
    starts_s = sorted(load.starts_s)
    say(f"  kills: {load.kills.total()} {dict(load.kills)}")
    say("  events: " + ", ".join(f"{name} {number}" for name, number in attrs.asdict(figures).items()) + ", lost 0")
    say(f"  torn lines in the outbox: {load.outbox.torn}")
    say(f"  from launch to listening: {statistics.median(starts_s):.2f} s (median), {starts_s[-1]:.2f} s (longest)")
    assert load.kills.total() > 0
    assert figures.acknowledged > 20, "that was no load"


def test_orderly_stops_under_load_neither_lose_nor_reorder_nor_double(home: LiveHome) -> None:
    """SIGTERM while everybody sends; at the last one a second SIGTERM hurries. Nothing was killed, so no double."""
    load = Load(home, seed=SEED)
    load.begin()
    for hurry in (False, False, True):
        goal = load.acknowledged + 300
        load.wait("events to be acknowledged", lambda goal=goal: load.acknowledged >= goal)
        process = home.process
        assert process is not None
        stops = home.log.count("stopping:")
        process.terminate()
        if hurry:
            until("the stop to begin", lambda stops=stops: home.log.count("stopping:") > stops)
            process.terminate()
        assert 0 == process.wait(30)
        load.start()
    figures = load.finish()
    assert 900 <= figures.acknowledged
    assert 0 == figures.doubled
