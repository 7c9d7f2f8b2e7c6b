"""agent.host.anteroom: between gateways that listen and a host that is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from agent.boundaries import HttpRequest, HttpResponse
from agent.config.model import InitialState
from agent.event import Event
from agent.host.anteroom import Anteroom
from tests.host.fakes import event, http_request, service_config
from tests.support.twisted_results import failure_of, is_waiting, result_of

ANSWERING = "applications|answering"
HEARING = "applications|hearing"
ASLEEP = "applications|asleep"


class FakeHost:
    """Answers for all services, and hears the platform for none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answers_http(self, service: str) -> bool:
        return True

    def hears_platform(self, service: str) -> bool:
        return False

    def ask(self, event: Event, request: HttpRequest) -> Deferred[HttpResponse | None]:
        self.asked.append(event.id)
        return succeed(HttpResponse(status=201))


@pytest.fixture
def anteroom(tmp_path: Path) -> Anteroom:
    scripts = {
        "answering": "def on_http(request):\n    pass\n",
        "hearing": "from mine import on_response\n",
        "asleep": "def on_http(request):\n    pass\n",
    }
    services = []
    for name, code in scripts.items():
        script = tmp_path / f"{name}.py"
        script.write_text(code, encoding="utf-8")
        state = InitialState.INACTIVE if name == "asleep" else InitialState.ACTIVE
        services.append(service_config(name, script=script, initial_state=state))
    return Anteroom(services)


def test_scripts_say_which_services_answer(anteroom: Anteroom) -> None:
    """Without a host it is known who answers senders and who hears the platform; inactive and unknown ones do not."""
    names = [ANSWERING, HEARING, ASLEEP, "applications|nobody"]
    assert [True, False, False, False] == [anteroom.answers_http(name) for name in names]
    assert [False, True, False, False] == [anteroom.hears_platform(name) for name in names]


def test_who_asks_waits_for_the_host(anteroom: Anteroom) -> None:
    """All that have asked are answered when the host is there, and later ones at once."""
    host = FakeHost()
    asked = [Deferred.fromCoroutine(_ask(anteroom, event(name, service=ANSWERING))) for name in ("a", "b")]
    assert all(is_waiting(one) for one in asked)
    anteroom.open(host)
    assert [201, 201] == [result_of(one) for one in asked]
    assert 201 == result_of(Deferred.fromCoroutine(_ask(anteroom, event("c", service=ANSWERING))))
    assert ["a", "b", "c"] == host.asked
    assert (True, False) == (anteroom.answers_http(HEARING), anteroom.hears_platform(HEARING))


def test_who_has_gone_is_not_asked_for(anteroom: Anteroom) -> None:
    """A sender whose patience has ended leaves nothing behind."""
    host = FakeHost()
    asked = Deferred.fromCoroutine(_ask(anteroom, event("a", service=ANSWERING)))
    asked.cancel()
    assert isinstance(failure_of(asked), CancelledError)
    anteroom.open(host)
    assert [] == host.asked


async def _ask(anteroom: Anteroom, asked: Event) -> int:
    response = await anteroom.ask(asked, http_request())
    assert response is not None
    return response.status
