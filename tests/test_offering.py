"""What the gateways know of the services."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest

from agent.config.model import InitialState, KeySource, ServiceConfig
from agent.errors import MachineError, SenderError
from agent.names import ServiceName
from agent.offering import Offering


class Book:
    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)
        self.fault: Exception | None = None

    def write(self, names: frozenset[str]) -> None:
        if self.fault:
            raise self.fault
        self.names = names


def service(name: str, **more: Any) -> ServiceConfig:
    path = PurePath(f"/h/{name}")
    return ServiceConfig(name=ServiceName(domain="a", name=name), descriptor=path, script=path, **more)


def is_open(offering: Offering, name: str) -> bool:
    return offering.routes.find(f"/http/a_{name}".encode()).is_active


def test_a_refusal_closes_the_door_and_opens_it_again() -> None:
    """For one service; the book keeps it over restarts."""
    book = Book("a|y")
    offering = Offering([service("x"), service("y")], book=book)
    assert (True, False) == (is_open(offering, "x"), is_open(offering, "y"))
    offering.refuse("a|x", is_refusing=True)
    offering.refuse("a|y", is_refusing=False)
    assert (False, True) == (is_open(offering, "x"), is_open(offering, "y"))
    assert frozenset({"a|x"}) == book.names
    assert offering.is_refusing("a|x")


def test_a_refusal_that_cannot_be_kept_is_none() -> None:
    """The disk refuses; the door stays as it was."""
    book = Book()
    offering = Offering([service("x")], book=book)
    book.fault = MachineError("disk", "full")
    with pytest.raises(MachineError):
        offering.refuse("a|x", is_refusing=True)
    assert is_open(offering, "x")


def test_other_services_are_known_in_the_objects_that_the_gateways_hold() -> None:
    """Not in new ones: nobody has to be told."""
    offering = Offering([service("x")], book=Book())
    held = (offering.routes, offering.key_sources, offering.rules)
    source = KeySource(header="X-Id")
    offering.change([service("z", idempotency=source), service("x", initial_state=InitialState.INACTIVE)])
    assert held == (offering.routes, offering.key_sources, offering.rules)
    assert source == held[1][ServiceName(domain="a", name="z")]
    assert (True, False) == (is_open(offering, "z"), is_open(offering, "x"))
    assert ["z"] == [rules.service.name for rules in offering.active_rules]
    assert ["x"] == [rules.service.name for rules in offering.inactive_rules]
    offering.change([])
    with pytest.raises(SenderError):
        offering.routes.find(b"/http/a_x")
