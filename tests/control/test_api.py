"""The resource tree, without any transport."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from agent.control.api import MAX_EVENTS, ApiAnswer, ApiRequest, ControlApi
from tests.control.view import EVENT, FakeView


@pytest.fixture
def view() -> FakeView:
    return FakeView()


def ask(view: FakeView, method: str, path: str, *, query: str = "", body: bytes = b"") -> ApiAnswer:
    """The answer, which all fakes give at once."""
    answers: list[ApiAnswer] = []
    request = ApiRequest(method=method, path=path, query=query, body=body)
    Deferred.fromCoroutine(ControlApi(view).answer(request)).addCallback(answers.append)
    return answers[0]


def document(answer: ApiAnswer) -> Any:
    return json.loads(answer.encoded())


def test_status_is_the_view_itself(view: FakeView) -> None:
    """What the agent says of itself is passed on whole."""
    answer = ask(view, "GET", "/v1/status")
    assert (200, {"state": "running", "version": "0.1.0"}) == (answer.status, document(answer))


def test_lists_stand_in_an_object(view: FakeView) -> None:
    """A list has a name, so that fields can be added beside it."""
    assert {"services": [{"service": "applications|sample-plan", "state": "active"}]} == document(
        ask(view, "GET", "/v1/services")
    )
    assert {"events": [EVENT]} == document(ask(view, "GET", "/v1/events"))


def test_event_filters_reach_the_view(view: FakeView) -> None:
    """Filters are decoded; the limit is always there."""
    ask(view, "GET", "/v1/events", query="service=applications%7Csample-plan&state=dead&limit=7")
    ask(view, "GET", "/v1/events")
    assert [
        {"service": "applications|sample-plan", "state": "dead", "limit": "7"},
        {"limit": "50"},
    ] == view.asked


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=0", "limit is '0'"),
        (f"limit={MAX_EVENTS + 1}", "1 to 1000"),
        ("limit=x", "limit is 'x'"),
        ("limit=%D9%A1", "1 to 1000"),
        ("state=lost", "no state 'lost'"),
        ("limit=1&limit=2", "once"),
        ("colour=red", "no parameter 'colour'"),
        ("before=yesterday", "before is 'yesterday'"),
        ("service", "not a query"),
        ("&".join(f"a{n}=1" for n in range(11)), "not a query"),
    ],
)
def test_wrong_filters_are_named(view: FakeView, query: str, found: str) -> None:
    """A wrong filter is a problem document, never a list of something else."""
    answer = ask(view, "GET", "/v1/events", query=query)
    assert (400, "application/problem+json") == (answer.status, answer.content_type)
    assert found in document(answer)["detail"]
    assert [] == view.asked


def test_an_event_is_found_by_the_beginning_of_its_id(view: FakeView) -> None:
    """Upper case is forgiven: ids are copied from many places."""
    assert EVENT == document(ask(view, "GET", f"/v1/events/{EVENT['id']}"))
    assert EVENT == document(ask(view, "GET", "/v1/events/019DD2B4"))


@pytest.mark.parametrize("event_id", ["ffff", "%27%20or%201", "..%2Fstatus", "0" * 37])
def test_an_unknown_event_is_404(view: FakeView, event_id: str) -> None:
    """Also when the id could not be one."""
    answer = ask(view, "GET", f"/v1/events/{event_id}")
    assert (404, "no-such-event") == (answer.status, document(answer)["code"])


@pytest.mark.parametrize("path", ["/", "/v2/status", "/v1", "/v1/events/a/b", "/v1/statu\x1b[31m"])
def test_unknown_resources_are_answered_with_the_known_ones(view: FakeView, path: str) -> None:
    """Also another version of the API; control characters come back escaped."""
    answer = ask(view, "GET", path)
    assert 404 == answer.status
    assert "/v1/status" in document(answer)["detail"]
    assert "\x1b" not in document(answer)["detail"]


def test_a_wrong_method_is_told_the_right_one(view: FakeView) -> None:
    """405 carries Allow, and nothing is stopped by a GET."""
    answer = ask(view, "GET", "/v1/stop")
    assert (405, (("Allow", "POST"),)) == (answer.status, answer.headers)
    assert [] == view.stops


@pytest.mark.parametrize(
    ("body", "now"), [(b"", False), (b'{"now": false}', False), (b"{}", False), (b'{"now": true}', True)]
)
def test_stop_is_passed_on(view: FakeView, body: bytes, now: bool) -> None:
    """The answer says what was understood."""
    answer = ask(view, "POST", "/v1/stop", body=body)
    assert (202, {"stopping": True, "now": now}) == (answer.status, document(answer))
    assert [now] == view.stops


@pytest.mark.parametrize("body", [b"now", b'{"now": 1}', b'{"soon": true}', b"[]", b"[" * 60000, b"\xff"])
def test_a_body_that_is_not_understood_stops_nothing(view: FakeView, body: bytes) -> None:
    """Whoever misspells `now` must not get an orderly stop instead."""
    assert 400 == ask(view, "POST", "/v1/stop", body=body).status
    assert [] == view.stops


def test_answers_are_ascii(view: FakeView) -> None:
    """Whatever an event holds, a terminal may show the raw answer."""
    assert b'"\\u009b1m\\u202e"' in ApiAnswer(status=200, document={"x": "\x9b1m\u202e"}).encoded()
