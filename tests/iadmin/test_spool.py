"""`iadmin spool`: check, stats, compact, salvage."""

from __future__ import annotations

from typing import Any

from agent.errors import ExitStatus
from tests.iadmin.fakes import PID, World

STATS = {
    "format": 6,
    "files": {"spool.db": 4096, "reserve": 33554432},
    "unused_bytes": 8192,
    "free_bytes": 10**9,
    "quarantines": ["quarantine-20250730T120000Z"],
    "services": {"applications|sample-plan": {"received": 7, "dead": 2}},
    "destinations": {},
}


class FakeUpkeep:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {"sound": True, "faults": [], "events": 5, "requests": 3}
        self.sources: list[object] = []

    def check(self) -> dict[str, Any]:
        return self.found

    def stats(self) -> dict[str, Any]:
        return STATS

    def compact(self) -> dict[str, Any]:
        return {"before_bytes": 3 * 1024**2, "after_bytes": 1024**2}

    def salvage(self, source: object) -> dict[str, Any]:
        self.sources.append(source)
        return {"taken": 4, "open": 3, "known": 2, "requests": 1}


def test_a_sound_spool_is_status_0(world: World) -> None:
    """Beside the running agent, without the lock."""
    world.upkeep = FakeUpkeep()
    answer = world.run("spool", "check")

    assert (ExitStatus.OK, []) == (answer.status, world.locks)
    assert "The spool is sound: 5 events, 3 requests." in answer.out


def test_a_damaged_spool_says_what_is_wrong_and_what_to_do(world: World) -> None:
    """With a status that scripts can tell."""
    world.upkeep = FakeUpkeep()
    world.upkeep.found = {"sound": False, "faults": ["row 7 missing from index event_open"]}
    answer = world.run("spool", "check")

    assert ExitStatus.IO_ERROR == answer.status
    assert "row 7 missing from index event_open" in answer.out
    assert "start the agent anew" in answer.err


def test_stats_show_files_quarantines_and_counts(world: World) -> None:
    """Everything that takes space, and who has what."""
    world.upkeep = FakeUpkeep()
    answer = world.run("spool", "stats")

    assert ExitStatus.OK == answer.status
    for text in ("spool.db", "reserve", "quarantine-20250730T120000Z", "applications|sample-plan", "7", "DEAD"):
        assert text in answer.out


def test_nothing_is_changed_beside_a_running_agent(world: World) -> None:
    """The sentence names its pid and how to stop it."""
    world.upkeep = FakeUpkeep()
    for command in (("compact",), ("salvage", "x")):
        answer = world.run("spool", *command)
        assert ExitStatus.UNAVAILABLE == answer.status
        assert f"pid {PID}" in answer.err
        assert "stop it before" in answer.err
    assert ([], []) == (world.locks, world.upkeep.sources)


def test_compact_says_what_it_gained(world: World) -> None:
    """Under the lock of the home."""
    world.upkeep, world.running = FakeUpkeep(), False
    answer = world.run("spool", "compact")

    assert (ExitStatus.OK, 1) == (answer.status, len(world.locks))
    assert "took 3" in answer.out


def test_a_quarantine_is_named_by_its_name_or_its_path(world: World) -> None:
    """A name in var/spool wins; anything else is a path from here."""
    world.upkeep, world.running = FakeUpkeep(), False
    inside = world.cwd / "home" / "var" / "spool" / "quarantine-1"
    inside.mkdir(parents=True)
    answer = world.run("spool", "salvage", "quarantine-1")
    world.run("spool", "salvage", "elsewhere")

    assert "4 events were taken in, 3 of them still to be done; 2 that could be read were here already." in answer.out
    assert [inside, world.cwd / "elsewhere"] == world.upkeep.sources
