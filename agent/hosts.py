"""How a host is written, and where a gateway that listens everywhere is reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ON_THIS_MACHINE: Final[Mapping[str, str]] = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Address of a gateway on all addresses -> where this machine reaches it."""


def in_url(host: str) -> str:
    """A host as it stands before a port: IPv6 addresses in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def at_port(host: str, port: int) -> str:
    """`192.0.2.1:8081`, `[::1]:8081`."""
    return f"{in_url(host)}:{port}"
