"""All gateways of one agent, as one part: started and stopped together, and reloaded wholly or not at all.

A reload goes in these steps; until the last one nothing that is served has changed, and a failure undoes what was done:

1. Each new configuration finds the gateway that has its host and port already, if there is one.
2. Those are prepared: keys, certificates and truststores are read and checked, contexts are made.
3. Gateways on new ports are started: they listen.
4. All prepared ones are adopted, in one turn of the reactor; connections that are open keep what they began with.
5. Gateways that are not configured any more accept nothing new, and end when their connections have been answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from agent.config.model import GatewayConfig
from agent.errors import OperatorError
from agent.gateway.expiry import describe_certificate
from agent.gateway.listening import ensure_free
from agent.gateway.port import Prepared, ServiceGateway
from agent.hosts import at_port

log = Logger(namespace="gateway")

RETIRE_S: Final = 30.0
"""For the connections of a gateway that is taken away: as long as an orderly stop of the agent gives them."""

_WILD: Final = frozenset({"", "0.0.0.0", "::"})


@attrs.define
class _Open:
    """A gateway with the configuration that it serves."""

    config: GatewayConfig
    gateway: ServiceGateway


class Doors:
    """A Part that goes before all others: sees that the ports can be had, before a service runs or a request leaves."""

    name: Final = "doors"

    def __init__(self, *, configs: Sequence[GatewayConfig], reactor: Any) -> None:
        self._configs = configs
        self._reactor = reactor

    async def start(self) -> None:
        """Raises `MachineError` for the first port that cannot be had."""
        for config in self._configs:
            await ensure_free(self._reactor, host=config.host, port=config.port)

    async def stop(self, patience_s: float) -> None:
        """There is nothing to stop."""


class Gateways:
    """A Part. `make` makes a gateway that has not started yet."""

    name: Final = "gateways"

    def __init__(self, *, configs: Sequence[GatewayConfig], make: Callable[[GatewayConfig], ServiceGateway]) -> None:
        self._make = make
        self._open = [_Open(config, make(config)) for config in configs]
        self._retiring: list[Deferred[None]] = []
        self._is_reloading = False
        self._is_stopping = False

    def __iter__(self) -> Iterator[ServiceGateway]:
        return (one.gateway for one in self._open)

    async def start(self) -> None:
        """Start all of them, or none."""
        started: list[ServiceGateway] = []
        try:
            for one in self._open:
                await one.gateway.start()
                started.append(one.gateway)
        except BaseException:
            await _stop_all(started, 0.0)
            raise

    async def stop(self, patience_s: float) -> None:
        """Stop all of them at the same time."""
        self._is_stopping = True
        await _stop_all([one.gateway for one in self._open], patience_s)
        await DeferredList(self._retiring)

    async def reload(
        self, configs: Sequence[GatewayConfig], *, change_services: Callable[[], bool] = lambda: False
    ) -> tuple[str, ...]:
        """Serve by other configurations; return what has changed, as sentences.

        `change_services` is called once nothing can fail any more, and tells whether what services demand of senders
        is different now.
        Raises `OperatorError` or `MachineError` when something of it is not possible, and then nothing has changed.
        """
        if self._is_reloading or self._is_stopping:
            raise OperatorError("busy", "the agent is reloading already, or stops; try again in a moment")
        self._is_reloading = True
        try:
            return await self._reload(configs, change_services)
        finally:
            self._is_reloading = False

    def warnings(self) -> list[str]:
        """What is doubtful about the key material that is served, with its port."""
        return [
            f"gateway on port {gateway.address[1]}: {warning}"
            for gateway in self
            if gateway.served is not None
            for warning in gateway.served.material.warnings
        ]

    def certificates(self, now: datetime) -> list[dict[str, Any]]:
        """What is presented and trusted at this moment, for `/v1/certificates`."""
        found = []
        for gateway in self:
            served = gateway.served
            if served is None:
                continue
            where = {"host": gateway.address[0], "port": gateway.address[1]}
            for identity in served.material.identities:
                for number, certificate in enumerate(identity.chain):
                    use = "presented" if number == 0 else "issuer"
                    found.append(
                        {**where, "use": use, "alias": identity.alias, **describe_certificate(certificate, now)}
                    )
            found += [{**where, "use": "client", "alias": "", **one} for one in gateway.acquaintances.describe(now)]
            for certificate in served.material.anchors:
                found.append(
                    {**where, "use": "trusted for clients", "alias": "", **describe_certificate(certificate, now)}
                )
        return found

    async def _reload(self, configs: Sequence[GatewayConfig], change_services: Callable[[], bool]) -> tuple[str, ...]:
        left = list(self._open)
        kept: list[tuple[_Open, Prepared]] = []
        new: list[_Open] = []
        order: list[_Open] = []
        for config in configs:
            one = next((each for each in left if _place(each.config) == _place(config)), None)
            if one is None:
                one = _Open(config, self._make(config))
                new.append(one)
            else:
                left.remove(one)
                kept.append((one, await one.gateway.prepare(config)))
            order.append(one)
        _require_free([one.config for one in new], left)
        await self._start_all(new)
        said = [_change(one.config, prepared.config, one.gateway) for one, prepared in kept]
        is_other = change_services()
        for one, prepared in kept:
            one.gateway.adopt(prepared)
            one.config = prepared.config
        if is_other:
            for one in order:
                one.gateway.renew_services()
        self._open = order
        said += [f"{_url(one.config, one.gateway)} is new" for one in new]
        said += [f"{_url(one.config, one.gateway)} accepts nothing more, and is gone" for one in left]
        for one in left:
            self._retire(one.gateway)
        return tuple(sentence for sentence in said if sentence)

    async def _start_all(self, new: Sequence[_Open]) -> None:
        started: list[ServiceGateway] = []
        try:
            for one in new:
                await one.gateway.start()
                started.append(one.gateway)
            if self._is_stopping:
                raise OperatorError("busy", "the agent stops")
        except BaseException:
            await _stop_all(started, 0.0)
            raise

    def _retire(self, gateway: ServiceGateway) -> None:
        retiring = Deferred.fromCoroutine(gateway.stop(RETIRE_S))
        retiring.addErrback(lambda failure: log.failure("a gateway that was taken away did not end", failure))
        self._retiring.append(retiring)
        retiring.addBoth(lambda _: self._retiring.remove(retiring))


def _place(config: GatewayConfig) -> tuple[str, int]:
    return config.host, config.port


def _require_free(new: Sequence[GatewayConfig], leaving: Sequence[_Open]) -> None:
    """A port that changes only its host is still held by the old gateway while the new one is to be tried."""
    for config in new:
        for one in leaving:
            hosts = {config.host, one.config.host}
            if config.port and config.port == one.config.port and hosts & _WILD:
                raise OperatorError(
                    "needs-restart",
                    f"port {config.port} moves from host {one.config.host or '(all)'!r} to {config.host or '(all)'!r}, "
                    "which is only possible with a restart of the agent; nothing was changed",
                )


def _change(old: GatewayConfig, new: GatewayConfig, gateway: ServiceGateway) -> str:
    before, after = _url(old, gateway), _url(new, gateway)
    if old.ssl != new.ssl:
        return f"{before} is now {after} for new connections"
    if old != new:
        return f"{after} has new settings for new connections"
    return f"{after} has read its keys and certificates again" if new.ssl else ""


def _url(config: GatewayConfig, gateway: ServiceGateway) -> str:
    return f"{'https' if config.ssl else 'http'}://{at_port(*gateway.address)}"


async def _stop_all(gateways: Sequence[ServiceGateway], patience_s: float) -> None:
    ends = [Deferred.fromCoroutine(gateway.stop(patience_s)) for gateway in gateways]
    for end in ends:
        end.addErrback(lambda failure: log.failure("a gateway did not stop in order", failure))
    await DeferredList(ends)
