"""What the file says about xMatters itself: its SOAP web service, the account for it and the proxy on the way.

Read, checked and shown; nothing uses it yet. It has its own module because it has its own readers: the day the agent
speaks that protocol, this is the section its edge is handed.
"""

from __future__ import annotations

import enum
from pathlib import PurePath
from typing import Final

import attrs

from agent.secret import Secret

DEFAULT_USER: Final = "ia_user"
DEFAULT_COMPANY: Final = "Default Company"
"""Both as the original ships them."""


class RequestMode(enum.StrEnum):
    """How requests from xMatters reach the agent. Only polling works from behind a firewall, so it is the default."""

    INDIRECT = "indirect"
    DIRECT = "direct"


@attrs.frozen(kw_only=True)
class ProxyConfig:
    """`<proxy-config>`, of no effect unless `enabled`. No credentials are sent where `user` is empty."""

    enabled: bool = False
    host: str = ""
    port: int = 0
    user: str = ""
    password_path: PurePath | None = None
    password: Secret | None = None
    no_proxy: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class PlatformConfig:
    """The sections that concern the platform. Password files are encrypted and read only when they are needed."""

    user: str = DEFAULT_USER
    password_path: PurePath | None = None
    password: Secret | None = None
    company: str = DEFAULT_COMPANY
    primary_urls: tuple[str, ...] = ()
    secondary_urls: tuple[str, ...] = ()
    mode: RequestMode = RequestMode.INDIRECT
    exchange_size: int = 100
    """Messages in one request: `maxNumReturned` in the samples of the web service."""
    exchange_interval_s: int = 5
    """With the size above 1,200 events a minute: more than the platform takes from one agent."""
    heartbeat_s: int = 60
    proxy: ProxyConfig = attrs.field(factory=ProxyConfig)
