"""What facts about the machine mean."""

from __future__ import annotations

import pytest

from iadmin.diagnosis.machine import (
    Clock,
    Disk,
    look_at_account,
    look_at_clock,
    look_at_descriptors,
    look_at_disk,
    look_at_name,
)

GOOD = {"folder": "/srv/agent", "file_system": "ext4", "free_bytes": 10**11, "min_free_bytes": 10**8, "sync_s": 0.002}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, []),
        ({"file_system": "nfs4"}, ["network-disk"]),
        ({"file_system": "tmpfs", "sync_s": 0.000_001}, ["memory-disk"]),
        ({"sync_s": 0.000_001}, ["sync-not-real"]),
        ({"sync_s": 0.3}, ["sync-slow"]),
        ({"sync_s": None, "sync_fault": "Read-only file system"}, ["home-not-writable"]),
        ({"free_bytes": 10**8 - 1}, ["disk-full"]),
        ({"free_bytes": 3 * 10**8}, ["disk-low"]),
        ({"free_bytes": None}, []),
        ({"free_inodes": 12}, ["inodes-low"]),
        ({"is_reserve_there": False}, ["no-reserve"]),
    ],
)
def test_a_disk(facts: dict[str, object], expected: list[str]) -> None:
    """Each fault of it is found, alone."""
    assert expected == [one.code for one in look_at_disk(Disk(**(GOOD | facts)))]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (Clock(), []),
        (Clock(ahead_s=-5.0, is_synchronised=True), []),
        (Clock(ahead_s=59.0), []),
        (Clock(ahead_s=61.0), ["clock-behind"]),
        (Clock(is_synchronised=False), ["clock-not-synchronised"]),
    ],
)
def test_a_clock(clock: Clock, expected: list[str]) -> None:
    """A minute is forgiven; what is not known is no fault."""
    assert expected == [one.code for one in look_at_clock(clock)]


def test_a_name_without_an_address() -> None:
    """Is told with the name."""
    assert [] == list(look_at_name("plant7", resolves=True))
    assert ["own-name-unknown"] == [one.code for one in look_at_name("plant7", resolves=False)]


def test_somebody_elses_home() -> None:
    """Root may look at all of them."""
    assert [] == list(look_at_account(account="root", owner="ia", is_root=True))
    assert [] == list(look_at_account(account="ia", owner="ia", is_root=False))
    found = list(look_at_account(account="bob", owner="ia", is_root=False))
    assert ["other-account"] == [one.code for one in found]


@pytest.mark.parametrize(("limit", "expected"), [(None, []), (65536, []), (1024, ["few-descriptors"])])
def test_descriptors(limit: int | None, expected: list[str]) -> None:
    """Fewer than connections is too few."""
    assert expected == [one.code for one in look_at_descriptors(limit, connections=4096)]
