"""Bounds on what is open, of a service and in all, in events, bytes, age and free space."""

import attrs
import pytest

from agent.config.model import SpoolLimits
from agent.spool.room import BYTES_BESIDE_BODY, COPIES, Room

NONE = SpoolLimits(max_events=0, max_bytes=0, max_service_events=0, max_service_bytes=0, min_free_bytes=0)


def code(room, service="a", size_bytes=10):
    """The refusal of one more event, which is not counted."""
    why = room.take_in(service, size_bytes)
    if why is None:
        room.change(service, -1, -size_bytes)
    return "" if why is None else why.code


def filled(limits, *services):
    room = Room(limits)
    for service in services:
        room.take_in(service, 10)
    return room


def test_without_bounds_there_is_always_room():
    """0 is no bound."""
    assert code(filled(NONE, *"aaabbb"), size_bytes=10**12) == ""


@pytest.mark.parametrize(
    ("limits", "expected", "other"),
    [
        ({"max_events": 3}, "backlog-events", "backlog-events"),
        ({"max_bytes": 39}, "backlog-bytes", "backlog-bytes"),
        ({"max_service_events": 2}, "service-backlog-events", ""),
        ({"max_service_bytes": 29}, "service-backlog-bytes", ""),
        ({"max_service_events": 9, "own_max_events": (("a", 2),)}, "service-backlog-events", ""),
        ({"max_service_events": 2, "own_max_events": (("a", 3),)}, "", ""),
    ],
)
def test_a_bound_is_reached(limits, expected, other):
    """Of one service, or of all; a service's own bound takes the place of the general one."""
    room = filled(attrs.evolve(NONE, **limits), "a", "a", "b")

    assert (code(room), code(room, "b")) == (expected, other)


def test_what_ends_makes_room():
    """And what is replayed takes it."""
    room = filled(SpoolLimits(max_service_events=2), "a", "a")
    assert code(room) == "service-backlog-events"
    room.change("a", -1, -10)
    assert code(room) == ""
    room.change("a", 1, 10)

    assert code(room) == "service-backlog-events"


def test_what_was_open_at_the_start_counts():
    """A restart does not empty the backlog."""
    room = Room(SpoolLimits(max_service_events=7))
    room.load([("a", 7, 700), ("b", 1, 5)])

    assert (code(room), code(room, "b")) == ("service-backlog-events", "")
    assert (room.all.events, room.all.size_bytes) == (8, 705)


def test_little_free_space_refuses_everybody():
    """Below the bound and at it; above it there is room again."""
    room = Room(SpoolLimits(min_free_bytes=1000))
    assert code(room) == ""
    room.seen_free(1000)
    assert (code(room), room.is_disk_low) == ("disk-low", True)
    room.seen_free(1001)

    assert (room.is_disk_low, code(room)) == (False, "")


def test_a_flood_between_two_looks_is_noticed():
    """What was taken in since the last look is subtracted."""
    room = Room(SpoolLimits(min_free_bytes=1000))
    room.seen_free(1000 + COPIES * (500 + BYTES_BESIDE_BODY))
    room.take_in("a", 500)

    assert code(room) == "disk-low"


def test_a_service_whose_oldest_has_waited_too_long_is_refused():
    """Only that service, and only while it has."""
    room = filled(NONE, "a", "b")
    room.seen_old(["a"])
    assert (code(room), code(room, "b")) == ("service-backlog-age", "")
    room.seen_old([])

    assert code(room) == ""
