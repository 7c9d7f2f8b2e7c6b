"""The agent that `iadmin doctor` looks at: what several checks need, gathered once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from agent.config.model import AgentConfig, GatewayConfig
from agent.config.problem import ConfigFaults, Problem
from agent.errors import AgentError
from iadmin.commands.edges import KeyMaterial
from iadmin.commands.records import spool_ages, spool_counts
from iadmin.commands.tls_gateways import material_of
from iadmin.commands.tools import Tools


@attrs.define(slots=False)
class Patient:
    """An agent that is looked at. What several checks need is gathered once."""

    tools: Tools
    home: Path
    is_deep: bool = False

    @cached_property
    def read(self) -> tuple[AgentConfig | None, Sequence[Problem]]:
        """The configuration, None where it has faults, and all that is to be said of it."""
        try:
            return self.tools.load_config(self.home)
        except ConfigFaults as error:
            return None, error.problems

    @property
    def config(self) -> AgentConfig | None:
        return self.read[0]

    @cached_property
    def pid(self) -> int | None:
        return self.tools.agent_pid()

    @cached_property
    def status(self) -> Mapping[str, Any] | None:
        """What the running agent says; None where there is none, or it does not answer."""
        if self.pid is None:
            return None
        with contextlib.suppress(AgentError):
            found: Mapping[str, Any] = self.tools.link().status()
            return found
        return None

    @cached_property
    def counts(self) -> Mapping[str, Any]:
        """From the agent where it runs, else from the files; empty where neither can be read."""
        if self.status is not None and self.status.get("spool"):
            return dict(self.status["spool"])
        with contextlib.suppress(AgentError):
            return spool_counts(self.tools)
        return {}

    @cached_property
    def ages(self) -> Mapping[str, Any]:
        """Since when open work waits, by service and destination."""
        with contextlib.suppress(AgentError):
            return dict(spool_ages(self.tools).get("open", {}))
        return {}

    @cached_property
    def materials(self) -> Mapping[int, KeyMaterial | AgentError]:
        """Port -> what this gateway would serve over TLS, or why it would not. Nothing is made by looking."""
        found: dict[int, KeyMaterial | AgentError] = {}
        for gateway in self.gateways:
            if gateway.ssl and not _is_to_be_made(gateway):
                try:
                    found[gateway.port] = material_of(self.tools, gateway)
                except AgentError as error:
                    found[gateway.port] = error
        return found

    @property
    def gateways(self) -> Sequence[GatewayConfig]:
        return () if self.config is None else self.config.gateways


def _is_to_be_made(gateway: GatewayConfig) -> bool:
    tls = gateway.tls
    is_named = tls.certificate is not None or bool(gateway.alias) or tls.is_keystore_named
    return not is_named and not Path(tls.keystore).exists()
