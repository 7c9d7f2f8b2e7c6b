"""What stands before the backrooms, and is handed to them when they are furnished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from agent.config import AgentConfig
from agent.gateway import Gateways, StrangerDesk
from agent.host.anteroom import Anteroom
from agent.observe.counters import CounterStore
from agent.observe.log import RunningLog
from agent.offering import Offering
from agent.sharing import Sharing
from agent.spool import SqliteSpool
from agent.storepassword import StorePassword


@attrs.frozen(kw_only=True)
class Front:
    """`ask_to_stop` is for `iadmin stop`; `password` is the environment's, for keystores."""

    config: AgentConfig
    reactor: Any
    running_log: RunningLog
    ask_to_stop: Callable[[bool], None]
    now_us: Callable[[], int]
    in_thread: Any
    """Runs a function outside the reactor thread and gives a Deferred of what it returns."""
    new_id: Callable[[], str]
    counters: CounterStore
    spool: SqliteSpool
    offering: Offering
    anteroom: Anteroom
    desk: StrangerDesk
    gateways: Gateways
    password: StorePassword | None
    sharing: Sharing
