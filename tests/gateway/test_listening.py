"""Whether a port can be had, asked without letting anybody in."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.defer import Deferred, fail

from agent.errors import MachineError
from agent.gateway.listening import ensure_free
from tests.support.twisted_results import failure_of, result_of


class NoReactor:
    """Listens for nobody: who asks for that fails with AttributeError."""

    def resolve(self, name: str) -> Deferred[str]:
        return fail(OSError(f"{name} is unknown"))


def ask(host: str, port: int) -> Deferred[None]:
    return Deferred.fromCoroutine(ensure_free(NoReactor(), host=host, port=port))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_free_port_is_not_listened_on(host: str) -> None:
    """Nobody who connects in that moment is let in and thrown out again."""
    assert result_of(ask(host, free_port())) is None


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_port_that_somebody_listens_on_is_told(host: str) -> None:
    """Also where the gateway would listen on all addresses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = failure_of(ask(host, taken.getsockname()[1]))
    assert isinstance(error, MachineError)
    assert "port-in-use" == error.code


def test_an_address_of_another_machine_is_told() -> None:
    """192.0.2.0/24 is for documentation: nobody has it."""
    error = failure_of(ask("192.0.2.1", free_port()))
    assert isinstance(error, MachineError)
    assert "address-unknown" == error.code


def test_a_name_without_an_address_is_told() -> None:
    """The name that was found stands in the sentence."""
    error = failure_of(ask("agent.invalid", free_port()))
    assert isinstance(error, MachineError)
    assert "'agent.invalid': this name has no address" in error.sentence
