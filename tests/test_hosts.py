"""How a host is written."""

from __future__ import annotations

import pytest

from agent.hosts import ON_THIS_MACHINE, at_port, in_url


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::1", "[::1]"), ("[::1]", "[::1]"), ("192.0.2.1", "192.0.2.1"), ("plant7", "plant7"), ("", "")],
)
def test_only_ipv6_addresses_get_brackets(host: str, expected: str) -> None:
    """Once."""
    assert (expected, f"{expected}:8081") == (in_url(host), at_port(host, 8081))


def test_a_gateway_on_all_addresses_is_reached_by_the_loopback() -> None:
    """Of its own family."""
    assert ("127.0.0.1", "127.0.0.1", "::1") == tuple(ON_THIS_MACHINE[one] for one in ("", "0.0.0.0", "::"))
