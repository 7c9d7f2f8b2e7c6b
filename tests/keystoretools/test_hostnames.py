"""hostnames: only alternative names count, a star is one label."""

from __future__ import annotations

import pytest

from keystoretools.hostnames import covers, names_of, why_not
from tests.keystoretools.authority import make

CERTIFICATE = make(
    "cn.example.com", names=("ia.example.com", "*.svc.example.com", "10.0.0.5", "fe80::1", "xn--bcher-kva.example")
).certificate


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("ia.example.com", True),
        ("IA.Example.COM.", True),
        ("cn.example.com", False),
        ("a.svc.example.com", True),
        ("a.b.svc.example.com", False),
        ("svc.example.com", False),
        ("ia", False),
        ("10.0.0.5", True),
        ("10.0.0.6", False),
        ("[FE80:0::1]", True),
        ("bücher.example", True),
        ("", False),
        ("a" * 300, False),
        ("ü" * 80, False),
    ],
)
def test_covers(host: str, expected: bool) -> None:
    """Names in any case, addresses by value, one label for a star."""
    assert covers(CERTIFICATE, host) == expected


def test_why_not() -> None:
    """The reason names what is covered, or that only the CN has the name."""
    assert why_not(CERTIFICATE, "x").startswith("it covers ia.example.com, *.svc.example.com, 10.0.0.5")
    bare = make("old.example.com").certificate
    assert names_of(bare) == ()
    assert "only in its CN" in why_not(bare, "old.example.com")
    assert "no alternative names" in why_not(bare, "x")
