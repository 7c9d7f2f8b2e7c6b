"""What a port notes of misused connections."""

from __future__ import annotations

from agent.gateway.misuses import Misuses
from agent.observe.counters import CounterStore
from agent.wire.misuse import Cause, Misuse

NOON_US = 1_790_000_000_000_000


def misuses(desk, counters=None):
    return Misuses(desk=desk, counters=counters or CounterStore(), clock=lambda: 12.0, now_us=lambda: NOON_US)


def note(noted, cause, **facts):
    noted.note(peer="192.0.2.1", port=8081, expects_tls=True, cause=cause, since=10.0, **facts)


def test_each_is_counted_and_told():
    """By cause, for the status and the counters; the desk gets what is known of it."""
    told: list[Misuse] = []
    counters = CounterStore()
    noted = misuses(told.append, counters)
    note(noted, Cause.PLAINTEXT, first_line="POST /")
    note(noted, Cause.PLAINTEXT)
    note(noted, Cause.SILENT)
    counts = {"plaintext": 2, "silent": 1}
    assert {"misuses": counts, "misuses_today": counts} == noted.describe()
    assert counts == counters.snapshot()["gateway.misused"]
    assert (2.0, "POST /", 8081) == (told[0].duration_s, told[0].first_line, told[0].port)


def test_a_fault_of_the_desk_ends_no_connection():
    """It is logged, and what was counted stays."""

    def desk(misuse):
        raise ValueError("x")

    noted = misuses(desk)
    note(noted, Cause.SILENT)
    assert {"silent": 1} == noted.describe()["misuses"]
