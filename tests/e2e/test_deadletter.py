"""What an operator does about events that a service rejects, with the real agent and without it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.support.live import LiveHome, until

pytestmark = pytest.mark.e2e

REJECTS_BAD = """
from agent.sdk import RejectEvent, context

def on_event(event):
    if b"bad" in event.body:
        raise RejectEvent("this one is never going to work")
    context.send(json={"said": event.body.decode()})
"""
CRASHES = """
import os, sys

print("the licence has expired", file=sys.stderr, flush=True)
os._exit(3)
"""


@pytest.fixture
def picky(home: LiveHome) -> LiveHome:
    """A home with a service that rejects what is bad, and one that never comes up."""
    home.add_service("picky", REJECTS_BAD)
    home.add_service("crasher", CRASHES)
    return home


def dead(home: LiveHome, number: int) -> list[str]:
    """The ids of the dead letters, once there are so many; the last to die first."""

    def look() -> list[str] | None:
        found = [letter["id"] for letter in home.iadmin_json("deadletter", "list")["dead_letters"]]
        return found if len(found) == number else None

    return until(f"{number} dead letters", look)


def test_a_rejected_event_is_mended_and_delivered(picky: LiveHome) -> None:
    """Warned of, shown with its reason, edited, replayed, delivered; its whole road is still there."""
    picky.start()
    event_id = picky.accept("<event>bad</event>", "applications_picky")
    assert [event_id] == dead(picky, 1)
    until("the counts to be a second old", lambda: picky.iadmin_json("status")["dead_letters"]["events"] == 1)
    warnings = "\n".join(picky.iadmin_json("status")["warnings"])
    assert "1 dead letter (1 event)" in warnings
    assert "applications|crasher does not stay up" in warnings
    assert "the licence has expired" in warnings
    assert "never going to work" in picky.iadmin("deadletter", "show").stdout.decode()

    refused = picky.iadmin("deadletter", "edit", event_id, "--file", "-", stdin=b"<event>good</evnt>")
    assert (65, b"Line 1, column") == (refused.returncode, refused.stderr[refused.stderr.find(b"Line 1") :][:14])
    mended = picky.iadmin("deadletter", "edit", event_id, "--file", "-", "--replay", stdin=b"<event>good</event>")
    assert 0 == mended.returncode, mended.stderr
    event = picky.settled(event_id)
    assert "done" == event["state"]
    steps = [step["step"] for step in event["steps"]]
    assert ["given up", "edited", "replayed"] == [step for step in steps if step in ("given up", "edited", "replayed")]
    assert [{"said": "<event>good</event>"}] == [line["body"] for line in picky.outbox]


def test_an_operator_works_without_the_agent(picky: LiveHome, tmp_path: Path) -> None:
    """Export, edit, purge and replay on the files; the next start delivers what was mended."""
    picky.start()
    for number in (1, 2, 3):
        picky.accept(f"<event>bad {number}</event>", "applications_picky")
    ids = dead(picky, 3)
    assert 0 == picky.stop()

    folder = tmp_path / "letters"
    assert 0 == picky.iadmin("deadletter", "export", "--all", "--to", folder).returncode
    bodies = {path.read_bytes() for path in folder.glob("*.xml")}
    assert {b"<event>bad 1</event>", b"<event>bad 2</event>", b"<event>bad 3</event>"} == bodies
    assert {"asked": 1, "purged": 1, "left_alone": 0, "not_reached": 0} == picky.iadmin_json(
        "deadletter", "purge", "--match", "BAD 3", "--yes"
    )
    assert 0 == picky.iadmin("deadletter", "edit", ids[2], "--file", "-", stdin=b"<event>good</event>").returncode
    assert 2 == picky.iadmin_json("deadletter", "replay", "--all", "--yes")["replayed"]
    with (picky.folder / "var" / "run" / "agent.pid").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    picky.start()
    assert [ids[1]] == dead(picky, 1)
    assert "done" == picky.settled(ids[2])["state"]
    assert 1 == picky.iadmin("event", "show", ids[0]).returncode
