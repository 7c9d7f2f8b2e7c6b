"""`iadmin reload`, `iadmin tls on` and SIGHUP: the running agent takes over what has changed in its configuration.

1. The files are read and checked as at a start. Faults end it here, and all of them are told.
2. The gateways take over their sections, wholly or not at all (`agent.gateway.gateways`).
3. Whatever else has changed is named: it counts after a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
from twisted.logger import Logger

from agent.config import AgentConfig
from agent.config.changes import changed_sections
from agent.config.model import GatewayConfig
from agent.errors import AgentError

log = Logger(namespace="agent")


class Reloadable(Protocol):
    """The gateways; `reload` raises `AgentError` when nothing was changed because something is not possible."""

    def reload(self, configs: Sequence[GatewayConfig]) -> Awaitable[tuple[str, ...]]: ...


class Reload:
    """Knows the configuration that is in force. `load` reads the files; it blocks and runs in a thread."""

    def __init__(
        self,
        *,
        config: AgentConfig,
        load: Callable[[], tuple[AgentConfig, Sequence[object]]],
        gateways: Reloadable,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._config = config
        self._load = load
        self._gateways = gateways
        self._in_thread = in_thread

    async def __call__(self) -> Mapping[str, object]:
        """Reload; return what has changed, what needs a restart, and the warnings of the configuration, as sentences.

        Raises `AgentError`, `ConfigFaults` with all problems among them, and then nothing has changed.
        """
        try:
            config, warnings = await self._in_thread(self._load)
            changes = await self._gateways.reload(config.gateways)
        except AgentError as error:
            for line in error.lines:
                log.error("not reloaded: {line}", line=line)
            raise
        self._config = attrs.evolve(self._config, gateways=config.gateways)
        needs_restart = changed_sections(self._config, config)
        log.info("reloaded: {changes}", changes="; ".join(changes) or "nothing has changed")
        if needs_restart:
            log.warn("changed, and in force after a restart only: {sections}", sections=", ".join(needs_restart))
        for warning in warnings:
            log.warn("{warning}", warning=str(warning))
        return {
            "changes": list(changes),
            "restart_needed": list(needs_restart),
            "warnings": [str(warning) for warning in warnings],
        }
