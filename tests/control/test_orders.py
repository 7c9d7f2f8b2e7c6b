"""Orders to single services, to the log and to the agent as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from agent.control.api import ANSWER_PATIENCE_S, ApiAnswer, ApiRequest, ControlApi
from agent.control.orders import LONG_PATIENCE_S
from agent.errors import OperatorError
from tests.control.view import FakeView
from tests.support.twisted_results import result_of

SERVICE = "applications|sample-plan"
PATH = "/v1/services/applications%7Csample-plan/"


def ask(view: FakeView, method: str, path: str, body: bytes = b"", query: str = "") -> ApiAnswer:
    request = ApiRequest(method=method, path=path, body=body, query=query)
    answer: ApiAnswer = result_of(Deferred.fromCoroutine(ControlApi(view).answer(request)))
    return answer


def test_orders_to_a_service() -> None:
    """With the state that it has afterwards, and what its hook raised."""
    view = FakeView()
    answer = ask(view, "POST", PATH + "suspend", b'{"now": true, "refuse": true}')
    assert {"service": SERVICE, "state": "active", "trouble": "on_suspend raised ValueError"} == answer.document
    assert 200 == ask(view, "POST", PATH + "suspend").status
    assert 200 == ask(view, "POST", PATH + "resume", b"{}").status
    assert 200 == ask(view, "POST", PATH + "restart").status
    assert {"service": SERVICE, "purged": 3} == ask(view, "POST", PATH + "purge").document
    assert [
        ("suspend", (SERVICE, "True", "True")),
        ("suspend", (SERVICE, "False", "False")),
        ("resume", (SERVICE,)),
        ("restart", (SERVICE,)),
        ("purge", (SERVICE,)),
    ] == view.orders


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH + "suspend", b'{"now": 1}'),
        (PATH + "suspend", b'{"later": true}'),
        (PATH + "resume", b"x"),
        (PATH + "purge", b"[]"),
        ("/v1/reload", b'{"service": 7}'),
        ("/v1/log-level", b'{"level": "loud"}'),
        ("/v1/log-level", b""),
    ],
)
def test_a_body_that_is_not_understood_does_nothing(path: str, body: bytes) -> None:
    """400, with what it should be."""
    view = FakeView()
    answer = ask(view, "POST", path, body)
    assert (400, []) == (answer.status, view.orders)


@pytest.mark.parametrize(("code", "status"), [("service-unknown", 404), ("service-inactive", 409)])
def test_what_a_service_cannot_do_is_a_problem(code: str, status: int) -> None:
    """Of the asker, with the sentence."""
    view = FakeView()
    view.failure = OperatorError(code, "it cannot")
    for verb in ("suspend", "resume", "restart", "purge"):
        answer: Any = ask(view, "POST", PATH + verb)
        assert (status, code, "it cannot") == (answer.status, answer.document["code"], answer.document["detail"])


def test_queues_settings_and_the_log() -> None:
    """What is asked, and the one thing that is set."""
    view = FakeView()
    assert {"queues": {SERVICE: {"inbound": {"normal": 1, "high": 0}}}} == ask(view, "GET", "/v1/queues").document
    assert {"agent_id": "a"} == ask(view, "GET", "/v1/settings").document
    assert {"level": "info"} == ask(view, "GET", "/v1/log-level").document
    assert {"level": "debug"} == ask(view, "POST", "/v1/log-level", b'{"level": "debug"}').document
    assert "debug" == view.level


def test_one_service_or_all_are_reloaded() -> None:
    """By the name in the body."""
    view = FakeView()
    ask(view, "POST", "/v1/reload")
    ask(view, "POST", "/v1/reload", b'{"service": "a|x"}')
    assert [("reload", ("",)), ("reload", ("a|x",))] == view.orders


def test_orders_that_wait_for_workers_may_take_longer() -> None:
    """Longer than a question that only reads."""
    api = ControlApi(FakeView())
    for path in ("/v1/reload", PATH + "suspend"):
        assert LONG_PATIENCE_S == api.patience_s(ApiRequest(method="POST", path=path))
    for path in ("/v1/stop", "/v1/status", "/v1/dead-letters/purge"):
        assert ANSWER_PATIENCE_S == api.patience_s(ApiRequest(method="POST", path=path))


def test_an_event_is_put_in() -> None:
    """With what it is, and a body that is no JSON."""
    view = FakeView()
    answer = ask(view, "PUT", PATH + "event", b"<a/>", query="content_type=text%2Fxml")
    assert {"service": SERVICE, "id": "new"} == answer.document
    assert [("put in", (SERVICE, "<a/>", "text/xml"))] == view.orders
    assert 400 == ask(view, "PUT", PATH + "event", b"<a/>", query="content_type=a%0Ab").status
    assert 400 == ask(view, "PUT", PATH + "event", b"<a/>", query="limit=5").status


def test_what_was_done_is_put_in_again() -> None:
    """It says which one it was, and which one it is."""
    view = FakeView()
    assert {"of": "old", "id": "new"} == ask(view, "POST", "/v1/events/old/repeat").document
    assert 400 == ask(view, "POST", "/v1/events/old/repeat", b'{"a": 1}').status
