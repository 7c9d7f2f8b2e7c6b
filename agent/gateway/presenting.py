"""What a port presents over time: the first certificate, the next one when its files change, fresh ticket keys.

A new state is made in a thread and checked before it takes the place of the old one; when it cannot be served, the old
one stays, and the reason goes to the log, a counter and the status until something better comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import Counters
from agent.config.model import GatewayConfig
from agent.errors import AgentError, OperatorError
from agent.gateway.reception import InThread
from agent.gateway.supply import KeySupply
from agent.gateway.tlsside import TICKET_LIFE_S
from agent.gateway.watch import LOOK_S, Stamps, Watch

if TYPE_CHECKING:
    from agent.gateway.keeper import Keeper
    from agent.gateway.served import Served

log = Logger(namespace="gateway")


@attrs.frozen(kw_only=True)
class Presentation:
    """Contexts that were made, with the keeper that made them and the state of the files they were made from."""

    served: Served
    keeper: Keeper
    stamps: Stamps


class Presenting:
    """One port's presentation. `clock` counts seconds; `served` is None while the port speaks plain HTTP."""

    def __init__(
        self,
        *,
        supply: KeySupply | None,
        clock: Callable[[], float],
        in_thread: InThread[Any],
        counters: Counters,
        where: str,
    ) -> None:
        self.served: Served | None = None
        self.trouble = ""
        """Why key material that came later is not served; empty when all is well."""
        self._doubts: tuple[str, ...] = ()
        """About what is presented besides the certificate; told when they come up."""
        self._supply = supply
        self._clock = clock
        self._in_thread = in_thread
        self._counters = counters
        self._where = where
        self._presentation: Presentation | None = None
        self._watch: Watch | None = None
        self._made_at = 0.0
        self._looked_at = 0.0
        self._is_looking = False
        self._reloads = 0

    async def load(self, config: GatewayConfig) -> Presentation:
        """Make what `config` asks for, without presenting it; raise `OperatorError` or `MachineError`.

        What is presented now is not given up for something that senders refuse; where nothing is, better late than
        never.
        """
        if self._supply is None:
            raise OperatorError("tls-no-keys", "this gateway has no access to key material and cannot speak TLS")
        supply = self._supply

        def load() -> Presentation:
            # OpenSSL and all that reads keystores are loaded here, for those who present a certificate: for the others
            # that would be a third of what they start with. `TlsTransport` comes with them, before the first handshake.
            from agent.gateway.keeper import Keeper

            keeper = Keeper(config=config, supply=supply)
            # The stamps first: what changes while we read is seen as a change.
            stamps = keeper.stamps()
            served = keeper.load(None if self.served is None else self.served.material)
            # Our own certificate may just have been made.
            return Presentation(served=served, keeper=keeper, stamps=stamps if stamps[-1] else keeper.stamps())

        presentation: Presentation = await self._in_thread(load)
        return presentation

    def adopt(self, presentation: Presentation | None) -> None:
        """Present it to new connections; None: plain HTTP."""
        self._presentation = presentation
        self._watch = None if presentation is None else Watch(presentation.stamps)
        self._show(None if presentation is None else presentation.served)
        self.trouble = ""

    def tick(self) -> None:
        """Called now and then: look at the files each second, change ticket keys when they are old."""
        served, now = self.served, self._clock()
        if served is None:
            return
        if now - self._made_at >= TICKET_LIFE_S:
            self._made_at = now
            self.served = served.renewed()
        if not self._is_looking and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._is_looking = True
            Deferred.fromCoroutine(self._look()).addErrback(self._failed).addBoth(self._has_looked)

    def describe(self) -> dict[str, object]:
        """For the status."""
        if self._presentation is None or self.served is None:
            return {}
        return {
            **self.served.describe(self._presentation.keeper.now()),
            "reloads": self._reloads,
            "trouble": self.trouble,
            "doubts": list(self._doubts),
        }

    async def _look(self) -> None:
        presentation, watch = self._presentation, self._watch
        if presentation is None or watch is None:
            return
        self._tell_doubts(presentation.served)
        stamps = await self._in_thread(presentation.keeper.stamps)
        if not watch.is_due(stamps, self._clock()) or presentation is not self._presentation:
            return
        try:
            served = await self._in_thread(lambda: presentation.keeper.load(presentation.served.material))
        except AgentError as error:
            self._keep_old(error.sentence)
            return
        if presentation is not self._presentation:
            return  # switched meanwhile
        self._presentation = attrs.evolve(presentation, served=served)
        self._show(served)
        self.trouble = ""
        self._reloads += 1
        self._counters.count("gateway.tls_reloaded")
        log.info(
            "{where}: the key material has changed; new connections get {alias} for {names}",
            where=self._where,
            alias=served.material.identities[0].alias,
            names=", ".join(served.names[:5]),
        )

    def _show(self, served: Served | None) -> None:
        self.served = served
        self._made_at = self._clock()
        self._doubts = () if served is None else served.staple_doubts()  # the warnings tell these
        for warning in served.material.warnings if served is not None else ():
            log.warn("{where}: {warning}", where=self._where, warning=warning)

    def _tell_doubts(self, served: Served) -> None:
        known, self._doubts = self._doubts, served.staple_doubts()
        for doubt in self._doubts:
            if doubt not in known:
                self._counters.count("gateway.staple_expired")
                log.warn("{where}: {doubt}", where=self._where, doubt=doubt)

    def _keep_old(self, sentence: str) -> None:
        self.trouble = f"the key material has changed, but cannot be served: {sentence}; the old certificate stays"
        self._counters.count("gateway.tls_reload_failed")
        log.error("{where}: {trouble}", where=self._where, trouble=self.trouble)

    def _failed(self, failure: Failure) -> None:
        log.failure("{where}: looking at the key material failed", failure, where=self._where)

    def _has_looked(self, _: object) -> None:
        self._is_looking = False
