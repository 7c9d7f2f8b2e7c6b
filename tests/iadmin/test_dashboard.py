"""The page of a running agent: what is on it, and that it fits a terminal of 80 columns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from iadmin.commands.dashboard import page
from iadmin.text import number, per_second, took
from tests.iadmin.fakes import NOW, STATUS


def drawn(found: dict[str, Any], width: int = 80) -> list[str]:
    """The page as on a terminal of this width."""
    console = Console(width=width, markup=False, emoji=False, highlight=False, color_system=None)
    with console.capture() as captured:
        for block in page(found, NOW):
            console.print(block.rich(width))
    return captured.get().splitlines()


def minute(**changes: Any) -> dict[str, Any]:
    return {"came_per_s": 2.0, "done_per_s": 1.5, "failed": 0, "mean_ms": 12.3, "slowest_ms": 80.0} | changes


def service(name: str = "applications|pump-alarms", **changes: Any) -> dict[str, Any]:
    base = {"service": name, "state": "active", "pid": 4711, "memory_bytes": 28 << 20, "last_minute": minute()}
    return base | changes


def found(**changes: Any) -> dict[str, Any]:
    return STATUS | changes


def rows(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def test_a_service_has_rate_backlog_age_errors_and_its_worker() -> None:
    """All of it within 80 columns, with the bare name where nobody else has it."""
    since = (NOW - timedelta(minutes=17)).isoformat()
    shown = drawn(
        found(
            services=[service(last_minute=minute(failed=3))],
            spool={"services": {"applications|pump-alarms": {"received": 20, "waiting": 8, "dead": 4, "done": 9}}},
            oldest={"services": {"applications|pump-alarms": since}},
        )
    )
    row = ["pump-alarms", "active", "1.5", "28", "17", "min", "3", "4", "4711", "28", "MiB"]
    assert row in rows(shown)
    assert all(len(line.rstrip()) <= 80 for line in shown)


def test_two_services_of_one_name_keep_their_domains() -> None:
    """A bare name would say nothing."""
    shown = "\n".join(drawn(found(services=[service("a|pump"), service("b|pump"), service("b|doors")]), 70))
    assert "a|pump" in shown and "b|pump" in shown and "b|doors" not in shown and "doors" in shown


def test_what_only_the_spool_knows_is_shown() -> None:
    """Events of a service that was taken out of the configuration are still somebody's work."""
    counts = {"services": {"old|gone": {"received": 2}, "old|finished": {"done": 7}}, "destinations": {}}
    shown = rows(drawn(found(spool=counts)))
    assert ["gone", "unknown", "2", "0", "0"] in shown
    assert not any("finished" in "".join(row) for row in shown)


def test_a_gateway_tells_its_misuse_of_today() -> None:
    """The most frequent cause first; those turned away at the admin gateway, too."""
    gateway = {"host": "::1", "port": 8443, "ssl": True, "connections": 7}
    gateway |= {"tls": {"certificates": [{"alias": "web", "days_left": 1}]}}
    gateway |= {"misuses_today": {"old-tls": 2, "plaintext": 120_000}}
    admin = {"host": "127.0.0.1", "port": 8082, "connections": 1, "refused": {"no-key": 2, "plaintext": 1}}
    shown = rows(drawn(found(gateways=[gateway], admin_gateway=admin), 120))
    assert ["https://[::1]:8443", "web", "1", "day", "left", "7", "120k", "plaintext,", "2", "old-tls"] in shown
    assert "admin https://127.0.0.1:8082 mutual 1 3 refused since the start" in [" ".join(row) for row in shown]


def test_a_destination_shows_its_error_in_the_row_and_whole_below() -> None:
    """Cut where there is no room, because it stands below."""
    error = "connection refused: nothing listens on port 443 of tickets.example.com; start it"
    one = {"destination": "tickets", "backlog": 3, "circuit": "open", "last_error": error, "last_minute": minute()}
    shown = drawn(found(destinations=[one], spool={"destinations": {"tickets": {"received": 5}}}))
    assert any(line.startswith("tickets") and "circuit open" in line and "…" in line for line in shown)
    assert error in " ".join(" ".join(shown).split())


def test_the_disk_has_its_line() -> None:
    """Free, whole, and the spool's own part."""
    disk = {"folder": "/srv", "free_bytes": 3 << 30, "total_bytes": 40 << 30, "spool_bytes": 5 << 20}
    assert "disk   3.0 GiB free of 40 GiB; the spool takes 5.0 MiB" in [
        line.rstrip() for line in drawn(found(disk=disk))
    ]


def test_backlog_is_told_without_the_disk() -> None:
    """A disk that gives no answer leaves what is in memory."""
    shown = rows(drawn(found(spool={}, oldest={}, disk=None, services=[service(waiting=7, in_hand=2)]), 120))
    assert ["applications|pump-alarms", "active", "1.5", "9"] in [row[:4] for row in shown]


@pytest.mark.parametrize("width", [80, 132, 200])
def test_no_name_and_no_number_breaks_the_page(width: int) -> None:
    """Fifty services with names of hostile length and letters, and numbers beyond reason."""
    names = [f"applications|{'very-long-name-' * 8}{i}\x1b[2J\n" for i in range(50)]
    big = dict.fromkeys(("received", "waiting", "dead"), 10**15)
    shown = drawn(
        found(
            services=[
                service(name, state="crash-loop", pid=4_194_304, memory_bytes=10**13, last_minute=minute(failed=10**9))
                for name in names
            ],
            spool={"services": dict.fromkeys(names, big), "destinations": {}},
            oldest={"services": dict.fromkeys(names, "1970-01-01T00:00:00.000+00:00")},
        ),
        width,
    )
    assert "\x1b" not in "".join(shown)
    assert [] == [line for line in shown if len(line.rstrip()) > width]


def test_numbers_stay_short() -> None:
    """Whatever has been counted."""
    assert ["0", "99999", "100k", "9999k", "10M", "1000T"] == [
        number(n) for n in (0, 99_999, 100_000, 9_999_999, 10_000_000, 10**15)
    ]
    assert ["", "0", "0.01", "0.25", "9.8", "123", "123k"] == [
        per_second(rate) for rate in (None, 0, 0.001, 0.25, 9.8, 123.4, 123_456)
    ]
    assert ["", "0.4 ms", "12 ms", "4.2 s", "17 s", "119 s", "2 min"] == [
        took(ms) for ms in (None, 0.4, 12.3, 4200, 17_000, 119_000, 120_000)
    ]
