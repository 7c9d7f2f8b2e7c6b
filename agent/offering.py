"""What the gateways know of the services: which take events, who may send to them, how keys and values are found.

One object for all gateways, changed in place in one turn of the reactor. A service that the operator has told to refuse
stands there as inactive: its senders get 503 and when to come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from agent.access import Access
from agent.config.model import KeySource, ServiceConfig
from agent.mapping import InputRules
from agent.names import ServiceName
from agent.wire.route import Routes

Value = TypeVar("Value")


class Book(Protocol):
    """Names that are kept over restarts; `write` raises `MachineError`, and then nothing has changed."""

    @property
    def names(self) -> frozenset[str]: ...

    def write(self, names: frozenset[str]) -> None: ...


class Offering:
    """`book` keeps which services refuse events by the operator's order."""

    def __init__(self, services: Sequence[ServiceConfig], *, book: Book) -> None:
        self.routes: Final = Routes(active=[])
        self.key_sources: Final[dict[ServiceName, KeySource]] = {}
        self.access_of: Final[dict[ServiceName, Access]] = {}
        self.rules: Final[dict[ServiceName, InputRules]] = {}
        self._book = book
        self._services: tuple[ServiceConfig, ...] = ()
        self.change(services)

    def change(self, services: Sequence[ServiceConfig]) -> None:
        """Other services, or the same with other settings."""
        self._services = tuple(services)
        _exchange(self.key_sources, {one.name: one.idempotency for one in services})
        _exchange(self.access_of, {one.name: one.access for one in services if one.access is not None})
        _exchange(self.rules, {one.name: InputRules.of(one) for one in services})
        self._open()

    @property
    def active_rules(self) -> list[InputRules]:
        """What becomes of the input of services that the configuration switches on."""
        return [self.rules[one.name] for one in self._services if one.is_active]

    @property
    def inactive_rules(self) -> list[InputRules]:
        """The others'."""
        return [self.rules[one.name] for one in self._services if not one.is_active]

    def refuse(self, service: str, *, is_refusing: bool) -> None:
        """Take no more events for a service (agent client id), or take them again. Raises `MachineError`."""
        others = self._book.names - {service}
        self._book.write(others | {service} if is_refusing else others)
        self._open()

    def is_refusing(self, service: str) -> bool:
        """Whether the operator has told it to refuse."""
        return service in self._book.names

    def _open(self) -> None:
        held = self._book.names
        takes = {one.name: one.is_active and one.name.client_id not in held for one in self._services}
        self.routes.change(
            active=[name for name, is_open in takes.items() if is_open],
            inactive=[name for name, is_open in takes.items() if not is_open],
        )


def _exchange(old: dict[ServiceName, Value], new: dict[ServiceName, Value]) -> None:
    old.clear()
    old.update(new)
