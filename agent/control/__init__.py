"""The control link: how `iadmin` looks into the running agent and stops it.

`api` is the versioned resource tree (`/v1/...`), plain values in and out. Two carry it as HTTP/1.1: `gateway` over the
Unix socket `var/run/control.sock`, `admin` over TCP with TLS. `lock` makes sure that one home has one agent, and tells
others its pid.

Who may open the socket may administer the agent: that is its owner and root, by the rights of the socket and of the
folder it stands in, and by a look at the credentials of each peer. Over TCP that is who holds the key `apia`.

Both are imported on first use only: `iadmin` asks this package for the lock and must not pay for Twisted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.control.lock import HomeLock, running_pid

if TYPE_CHECKING:
    from agent.control.admin import AdminGateway, AdminKeys
    from agent.control.gateway import ControlGateway

__all__ = ["AdminGateway", "AdminKeys", "ControlGateway", "HomeLock", "running_pid"]


def __getattr__(name: str) -> object:
    """Import a gateway, and Twisted with it, when somebody asks for it (PEP 562)."""
    if name == "ControlGateway":
        from agent.control.gateway import ControlGateway

        return ControlGateway
    if name in ("AdminGateway", "AdminKeys"):
        from agent.control import admin

        return getattr(admin, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
