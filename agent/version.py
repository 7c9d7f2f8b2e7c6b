"""Which version this is: what pip has noted at the installation."""

from __future__ import annotations

from functools import cache


@cache
def installed_version() -> str:
    """Looked up when it is asked for: that takes longer than opening the store, and a start need not wait for it."""
    from importlib.metadata import version

    return version("integration-agent")
