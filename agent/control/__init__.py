"""The control link: how `iadmin` looks into the running agent and stops it.

`api` is the versioned resource tree (`/v1/...`), plain values in and out; `gateway` carries it as HTTP/1.1 over the
Unix socket `var/run/control.sock`. Another transport (TLS with the keystore's `apia` key on both sides) can stand
beside `gateway` and serve the same tree. `lock` makes sure that one home has one agent, and tells others its pid.

Who may open the socket may administer the agent: that is its owner and root, by the rights of the socket and of the
folder it stands in, and by a look at the credentials of each peer.

The gateway is imported on first use only: `iadmin` asks this package for the lock and must not pay for Twisted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.control.lock import HomeLock, running_pid

if TYPE_CHECKING:
    from agent.control.gateway import ControlGateway

__all__ = ["ControlGateway", "HomeLock", "running_pid"]


def __getattr__(name: str) -> object:
    """Import the gateway, and Twisted with it, when somebody asks for it (PEP 562)."""
    if name == "ControlGateway":
        from agent.control.gateway import ControlGateway

        return ControlGateway
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
