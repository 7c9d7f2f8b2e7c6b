"""Services that answer their senders themselves."""

import json

import pytest
from twisted.internet.defer import Deferred

from agent.boundaries import HttpResponse
from agent.config.model import Constant, MappedInput, MappedParameter
from agent.errors import ServiceError
from agent.event import BodyKind, Priority
from agent.event.apxmltext import read_apxml
from agent.gateway.reception import THREAD_FROM_BYTES
from agent.mapping import InputRules
from tests.support.gateway import PLAN, SEED, SOAP, Client, Stage, post

TARGET = "/http/applications_soap/deep?x=1"


def asking(answer: object, request: bytes = b"") -> tuple[Stage, Client]:
    stage = Stage()
    stage.host.answers["applications|soap"] = answer
    client = stage.client()
    client.send(request or post(SEED, target=TARGET))
    return stage, client


def test_the_service_sees_the_request_and_answers_it() -> None:
    """Method, path, query, headers and body reach the service; its answer goes out as it is."""
    response = HttpResponse(status=201, headers=(("Content-Type", "text/plain"),), body=b"done")
    stage, client = asking(response, post(b"no xml", "SOAPAction: x", target=TARGET, method="PUT"))
    (answer,) = client.answers
    assert (201, b"done", "text/plain") == (answer.status, answer.body, answer.headers["content-type"])
    ((event, request),) = stage.host.asked
    assert ("PUT", "/deep", "x=1", b"no xml") == (request.method, request.path, request.query, request.body)
    assert ("soapaction", "x") in request.headers
    assert (BodyKind.OTHER, "applications|soap") == (event.kind, event.service)
    assert [] == stage.sink.events


def test_a_service_may_decline() -> None:
    """None makes the request an ordinary event, with the id it already had; only POST can be one."""
    stage, client = asking(None)
    assert [202] == client.statuses
    assert stage.host.asked[0][0].id == stage.sink.events[0].id
    _, client = asking(None, post(b"", target=TARGET, method="GET"))
    assert [405] == client.statuses
    _, client = asking(None, post(b"junk", target=TARGET))
    assert [415] == client.statuses


@pytest.mark.parametrize(
    "failure",
    [
        ServiceError("hook-raised", "KeyError: 'secret'", traceback="Traceback ... secret"),
        HttpResponse(headers=(("X", "a\r\nSet-Cookie: b"),)),
        HttpResponse(status=99),
    ],
)
def test_a_failing_service_is_a_500_without_details(failure: object) -> None:
    """The sender gets the id under which the log has the details, and nothing of the details."""
    _, client = asking(failure)
    (answer,) = client.answers
    problem = json.loads(answer.body)
    assert (500, "id-0001") == (answer.status, problem["requestId"])
    assert "id-0001" in problem["detail"] and "secret" not in problem["detail"]


def test_a_slow_service_is_a_504() -> None:
    """After `answer_timeout_s` the sender is told; what the service says later is nobody's answer."""
    waiting: Deferred[HttpResponse] = Deferred()
    stage, client = asking(waiting)
    stage.pass_time(31)
    assert [504] == client.statuses
    client.send(post())
    assert [504, 202] == client.statuses


@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [
        ("service-timeout", 504, None),
        ("service-busy", 503, "3"),
        ("service-stopping", 503, "3"),
        ("service-crashed", 500, None),
    ],
)
def test_the_kind_of_failure_decides_the_status(code: str, status: int, retry_after: str | None) -> None:
    """Too slow is 504 with no promise, not asked at all is 503 with a time to come back; the rest is 500."""
    after_s = 2.5 if retry_after else None
    _, client = asking(ServiceError(code, "a secret", after_s=after_s))
    (answer,) = client.answers
    assert (status, retry_after) == (answer.status, answer.headers.get("retry-after"))
    assert b"secret" not in answer.body


def test_a_large_body_that_a_service_declined_is_checked_in_a_thread() -> None:
    """As if it had never been asked: nobody else waits for the parser."""
    large = b"<a>" + b" " * THREAD_FROM_BYTES + b"</a>"
    stage, client = asking(None, post(large, target=TARGET))
    assert ([], 1) == (client.statuses, len(stage.threads))
    stage.run_threads()
    assert [202] == client.statuses


def test_a_sender_that_leaves_does_not_stop_the_service() -> None:
    """The answer then finds nobody, which is no fault."""
    waiting: Deferred[HttpResponse] = Deferred()
    _, client = asking(waiting)
    client.transport.abortConnection()
    waiting.callback(HttpResponse(body=b"x"))
    assert [] == client.statuses


def test_answers_of_services_keep_the_order() -> None:
    """A slow service holds back the answers behind it on its connection."""
    waiting: Deferred[HttpResponse] = Deferred()
    _, client = asking(waiting, post(SEED, target=TARGET) + post())
    assert [] == client.statuses
    waiting.callback(HttpResponse(status=299))
    assert [299, 202] == client.statuses


def test_inactive_and_unknown_services_are_told_apart() -> None:
    """503 with Retry-After for one that is switched off, 404 for one that does not exist; both are counted."""
    stage = Stage()
    client = stage.client()
    client.send(post(target="/http/applications_asleep") + post(target="/http/nobody"))
    inactive, unknown = client.answers
    assert (503, "300", 404) == (inactive.status, inactive.headers["retry-after"], unknown.status)
    assert 1 == stage.counters.counts["gateway.refused", "service-inactive"]
    assert 1 == stage.counters.counts["gateway.refused", "unknown-service"]


APXML = b"<transaction><header><method>add</method></header><data><pump>%b</pump></data></transaction>"
RULES = {
    name: InputRules(
        service=name,
        mapped=MappedInput(method="add", parameters=(MappedParameter(name="pump"),)),
        constants=(Constant(name="apia_priority", value="high"),),
    )
    for name in (PLAN, SOAP)
}


def submitting(target: str, body: bytes) -> tuple[Stage, Client]:
    stage = Stage(rules=RULES)
    stage.host.answers[SOAP.client_id] = HttpResponse(body=b"answered")
    client = stage.client()
    client.send(post(body, "Idempotency-Key: k", "Apia-Process-Group: g", target=target))
    stage.run_threads()
    return stage, client


@pytest.mark.parametrize("prefix", ["/http/", "/apxml/"])
@pytest.mark.parametrize("pump", [b"P-101", b"P" * THREAD_FROM_BYTES])
def test_an_apxml_message_is_stored_as_one(prefix: str, pump: bytes) -> None:
    """With the constants of its service; what it says of its order counts, and else the headers."""
    stage, client = submitting(prefix + PLAN.url_name, APXML % pump)
    assert [202] == client.statuses
    (event,) = stage.sink.events
    assert (BodyKind.APXML, Priority.HIGH, "g", "k") == (event.kind, event.priority, event.group, event.idempotency_key)
    message = read_apxml(event.body)
    assert (pump.decode(), PLAN.client_id) == (message.value("pump"), message.value("agent_client_id"))


def test_values_of_a_command_line_are_mapped() -> None:
    """The descriptor says what they mean."""
    stage, client = submitting(f"/apxml/{PLAN.url_name}", b'{"map-data": ["applications|sample-plan", "P-7"]}')
    assert [202] == client.statuses
    assert "P-7" == read_apxml(stage.sink.events[0].body).value("pump")


def test_a_submission_is_never_answered_by_the_service() -> None:
    """Whoever submits wants it stored; whoever posts to /http/ wants an answer."""
    stage, client = submitting(f"/apxml/{SOAP.url_name}", APXML % b"P-1")
    assert ([202], 1) == (client.statuses, len(stage.sink.events))
    stage, client = submitting(f"/http/{SOAP.url_name}", APXML % b"P-1")
    assert ([200], 0) == (client.statuses, len(stage.sink.events))


def test_what_is_no_submission_is_refused_where_only_those_are_taken() -> None:
    """An event that is no message, and values for somebody else."""
    _, client = submitting(f"/apxml/{PLAN.url_name}", SEED)
    assert [400] == client.statuses
    _, client = submitting(f"/apxml/{PLAN.url_name}", b'{"map-data": ["applications|soap"]}')
    assert [400] == client.statuses
    _, client = submitting("/apxml/no_such", APXML % b"P-1")
    assert [404] == client.statuses


def test_what_the_platform_posts_is_stored_as_it_is() -> None:
    """At the service's own URL: without the constants of submissions, under its own path, never asking `on_http`."""
    stage = Stage(rules=RULES)
    stage.host.answers[SOAP.client_id] = HttpResponse(body=b"answered")
    stage.host.listeners = {SOAP.client_id}
    client = stage.client()
    client.send(post(APXML % b"P-1", target=f"/{SOAP.url_name}") + post(b'{"a": 1}', target=f"/{SOAP.url_name}"))
    message, webhook = stage.sink.events

    assert [202, 202] == client.statuses
    assert (BodyKind.APXML, "/response", Priority.NORMAL) == (message.kind, message.path, message.priority)
    assert "apia_priority" not in read_apxml(message.body)
    assert (BodyKind.JSON, "/response") == (webhook.kind, webhook.path)


def test_the_platforms_url_is_unknown_where_nobody_hears_it() -> None:
    """A sender that forgot /http/ is told how the URL reads."""
    _, client = submitting(f"/{PLAN.url_name}", SEED)

    assert [404] == client.statuses
    assert b"Did you mean /http/applications_sample-plan?" in client.answers[0].body
