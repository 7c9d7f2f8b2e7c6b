"""The resource tree, without any transport."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from agent.control.api import ApiAnswer, ApiRequest, ControlApi
from agent.control.asking import MAX_IDS, MAX_LISTED
from agent.errors import DestinationError, MachineError, OperatorError, SenderError
from agent.recent import Wanted
from tests.control.view import EVENT, FakeView

LETTER = EVENT["id"]


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
        (f"limit={MAX_LISTED + 1}", "1 to 1000"),
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


def test_filters_of_dead_letters_reach_the_view(view: FakeView) -> None:
    """Times have a zone, so that agent and asker mean the same moment."""
    ask(view, "GET", "/v1/dead-letters", query="destination=out&since=2025-07-30T10%3A00%3A00%2B02%3A00&match=x%20y")
    ask(view, "GET", "/v1/dead-letters", query=f"after=17.3.{LETTER}&bodies=true")
    assert [
        {"destination": "out", "since": "2025-07-30T10:00:00+02:00", "match": "x y", "limit": "50"},
        {"after": f"17.3.{LETTER}", "bodies": "true", "limit": "50"},
    ] == view.asked
    assert {"dead_letters": [{"id": LETTER}, {"id": f"{LETTER}/1"}]} == document(ask(view, "GET", "/v1/dead-letters"))


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "after=1.2.x",
        "bodies=false",
        "before=2025-07-30T10:00:00",
        f"match={'x' * 1001}",
        "state=dead",
        "limit=1001",
        f"since={LETTER}",
    ],
)
def test_wrong_filters_of_dead_letters_are_refused(view: FakeView, query: str) -> None:
    """A filter that were passed over would purge more than was asked for."""
    answer = ask(view, "GET", "/v1/dead-letters", query=query)
    assert (400, []) == (answer.status, view.asked)


@pytest.mark.parametrize(("order", "said"), [("replay", "replayed"), ("purge", "purged")])
def test_an_order_names_whole_ids_and_is_answered_with_a_number(view: FakeView, order: str, said: str) -> None:
    """What was not dead any more was asked for, and is not counted as done."""
    ids = [LETTER, f"{LETTER}/1", f"{LETTER}/2"]
    answer = ask(view, "POST", f"/v1/dead-letters/{order}", body=json.dumps({"ids": ids}).encode())
    assert (200, {"asked": 3, said: 2}) == (answer.status, document(answer))
    assert [(order, tuple(ids))] == view.orders


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"ids": []}',
        b'{"ids": "all"}',
        b'{"ids": ["019dd2b4"]}',
        b'{"ids": [7]}',
        json.dumps({"ids": [EVENT["id"]], "all": True}).encode(),
        json.dumps({"ids": [EVENT["id"]] * (MAX_IDS + 1)}).encode(),
    ],
)
def test_an_order_that_is_not_understood_does_nothing(view: FakeView, body: bytes) -> None:
    """Beginnings of ids, other words, too many at once: nothing is deleted by mistake."""
    answer = ask(view, "POST", "/v1/dead-letters/purge", body=body)
    assert (400, "bad-body", []) == (answer.status, document(answer)["code"], view.orders)


def test_the_body_of_a_dead_letter_is_given_out_as_it_is(view: FakeView) -> None:
    """Of an event and of a request, byte by byte."""
    for letter_id, body in view.letters.items():
        answer = ask(view, "GET", f"/v1/dead-letters/{letter_id}/body")
        assert ("application/octet-stream", body) == (answer.content_type, answer.encoded())


def test_an_edit_replaces_the_body(view: FakeView) -> None:
    """The answer says what is there now."""
    answer = ask(view, "PUT", f"/v1/dead-letters/{LETTER.upper()}/1/body", body=b"new")
    assert (200, {"id": f"{LETTER}/1", "size_bytes": 3}) == (answer.status, document(answer))
    assert b"new" == view.letters[f"{LETTER}/1"]


@pytest.mark.parametrize("letter_id", ["0" * 36, "019dd2b4", LETTER + "/2", LETTER + "/x", "%2E%2E/1"])
def test_letters_that_are_not_there_are_404(view: FakeView, letter_id: str) -> None:
    """Whole ids only; what cannot be one is not looked for."""
    for method in ("GET", "PUT"):
        answer = ask(view, method, f"/v1/dead-letters/{letter_id}/body")
        assert (404, "no-such-letter") == (answer.status, document(answer)["code"])


def test_a_body_that_the_event_cannot_have_is_refused_with_the_reason(view: FakeView) -> None:
    """The sentence of the check reaches the one who edits."""
    view.failure = SenderError("bad-letter", "the new body is json, the event is xml", status=422, title="Bad body")
    answer = ask(view, "PUT", f"/v1/dead-letters/{LETTER}/body", body=b"{}")
    assert (422, "the new body is json, the event is xml") == (answer.status, document(answer)["detail"])


def test_a_spool_that_fails_says_why(view: FakeView) -> None:
    """503 with the sentence that the operator needs, not "look into the log"."""
    view.failure = MachineError("store-full", "the disk is full")
    answer = ask(view, "GET", "/v1/dead-letters")
    assert (503, "store-full", "the disk is full") == (
        answer.status,
        document(answer)["code"],
        document(answer)["detail"],
    )


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


def test_a_tail_reads_its_filters(view: FakeView) -> None:
    """All of them may be left out; the answer is one line, which costs a busy agent least."""
    answer = ask(view, "GET", "/v1/tail")
    assert (200, 1, "\u00fc") == (answer.status, answer.encoded().count(b"\n"), document(answer)["entries"][0]["text"])
    ask(
        view,
        "GET",
        "/v1/tail",
        query="after=e.1&wait=10&kind=log&service=a%7Cx&state=dead&level=warn&match=Pump"
        "&since=2026-11-20T10:00:00%2B01:00",
    )
    since = datetime.fromisoformat("2026-11-20T10:00:00+01:00")
    wanted = Wanted(kinds=frozenset({"log"}), service="a|x", state="dead", level="warn", match="Pump", since=since)
    assert [("", Wanted(), 0.0), ("e.1", wanted, 10.0)] == view.tails


@pytest.mark.parametrize(
    "query",
    [
        *("kind=x", "state=x", "level=trace", "after=e", "after=-1.2", "wait=11", "wait=-1", "wait=x"),
        *("since=yesterday", "since=2026-11-20", "limit=5", "kind=log&kind=log", "match=" + "x" * 1001),
    ],
)
def test_a_tail_refuses_what_it_does_not_understand(view: FakeView, query: str) -> None:
    """400 with what it would understand."""
    answer = ask(view, "GET", "/v1/tail", query=query)
    assert (400, "bad-query", []) == (answer.status, document(answer)["code"], view.tails)


def test_strangers_certificates_and_reload_are_passed_on(view: FakeView) -> None:
    """As the view gives them."""
    assert "10.2.3.4" == document(ask(view, "GET", "/v1/strangers"))["strangers"][0]["peer"]
    assert {"certificates": [{"subject": "CN=h", "days_left": 3}]} == document(ask(view, "GET", "/v1/certificates"))
    assert ["x"] == document(ask(view, "POST", "/v1/reload"))["changes"]
    assert 400 == ask(view, "POST", "/v1/reload", body=b'{"now": true}').status
    assert 400 == ask(view, "GET", "/v1/strangers", query="cause=left").status


def test_a_reload_that_is_not_possible_says_why_and_that_nothing_has_changed(view: FakeView) -> None:
    """What the operator can mend is 422, what the machine refuses 503; both with the sentence."""
    for failure, status in ((OperatorError("tls-x", "no key"), 422), (MachineError("port-in-use", "taken"), 503)):
        view.failure = failure
        answer = ask(view, "POST", "/v1/reload")
        assert (status, failure.code, failure.sentence) == (
            answer.status,
            document(answer)["code"],
            document(answer)["detail"],
        )


def test_destinations_are_listed_paused_and_resumed(view: FakeView) -> None:
    """By name; one that the agent does not have is 404."""
    assert {"destinations": [{"destination": "tickets", "paused": False}]} == document(
        ask(view, "GET", "/v1/destinations")
    )
    paused = ask(view, "POST", "/v1/destinations/tickets/pause")
    assert {"destination": "tickets", "paused": True} == document(paused)
    ask(view, "POST", "/v1/destinations/tickets/resume")
    missing = ask(view, "POST", "/v1/destinations/a%2Fb/pause")
    assert (404, "no-such-destination") == (missing.status, document(missing)["code"])
    assert [("tickets", True), ("tickets", False), ("a/b", True)] == view.paused


def test_a_question_of_the_operator_is_answered_whatever_the_status(view: FakeView) -> None:
    """404 of the far end is 200 here, with what it said; no answer is 502 with the sentence."""
    body = b'{"body": "{}", "content_type": "application/json", "path": "/x", "headers": {"A": "b"}}'
    answer = ask(view, "POST", "/v1/destinations/tickets/ask", body=body)
    assert (200, 404, "no such \ufffd") == (answer.status, document(answer)["status"], document(answer)["body"])
    [asked] = view.questions
    assert ("tickets", b"{}", "/x", (("A", "b"),)) == (asked.destination, asked.body, asked.path, asked.headers)
    view.failure = DestinationError("refused", "nobody listens")
    failed = ask(view, "POST", "/v1/destinations/tickets/ask", body=b"{}")
    assert (502, "nobody listens") == (failed.status, document(failed)["detail"])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"body": 1}', b'{"headers": []}', b'{"path": "x"}', b'{"to": ""}'])
def test_a_question_that_is_not_understood_sends_nothing(view: FakeView, body: bytes) -> None:
    """400, before anybody is asked."""
    answer = ask(view, "POST", "/v1/destinations/tickets/ask", body=body)
    assert (400, "bad-body", []) == (answer.status, document(answer)["code"], view.questions)
