"""What is sent over HTTP, and what a failure is called."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseNeverReceived
from twisted.web.http_headers import Headers

from agent.config.model import HttpDestination
from agent.config.outbound import BasicCredentials, TokenCredentials, TriesPolicy
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream import Refusal
from agent.upstream.http import HttpSender
from agent.upstream.message import headers_of, method_of, url_of
from tests.support.fake_spool import FakeSpool
from tests.support.twisted_results import failure_of, is_waiting, result_of

URL = "http://x.example/api?k=1"
ONE_TRY = TriesPolicy(maximum_retries=0, unauthorized_retries=0)


class StubResponse:
    """An answer whose body the test delivers."""

    def __init__(self, code=202, headers=None):
        self.code = code
        self.headers = Headers(headers or {})
        self.reader = None

    def deliverBody(self, reader):
        self.reader = reader

    def body(self, data):
        self.reader.dataReceived(data)

    def end(self, reason=None):
        self.reader.connectionLost(Failure(reason or ResponseDone()))


class StubAgent:
    """An IAgent: notes requests, and hands out what the test prepared."""

    def __init__(self):
        self.requests = []
        self.outcomes = []
        self.exchanges = []
        self.is_reused = False
        self.cancelled = 0

    def for_exchange(self, exchange):
        exchange.is_fresh = not self.is_reused
        self.exchanges.append(exchange)
        return self

    def request(self, method, uri, headers, producer):
        transport = StringTransport()
        if producer is not None:
            producer.startProducing(transport)
        self.requests.append((method, uri, headers, transport.value() if producer is not None else None))
        return self.outcomes.pop(0) if self.outcomes else Deferred(self._cancel)

    def _cancel(self, deferred):
        self.cancelled += 1
        deferred.errback(ResponseNeverReceived([Failure(CancelledError())]))


class Desk:
    def __init__(self, *, read=None, tries=ONE_TRY, **fields):
        self.clock = Clock()
        self.agent = StubAgent()
        self.sender = HttpSender(
            destination=HttpDestination(name="out", url=URL, tries=tries, **fields),
            reactor=self.clock,
            now_us=lambda: 1_795_195_525_000_000,
            context=lambda: succeed(None),
            read=read,
            agent=self.agent.for_exchange,
        )

    def send(self, *, number=1, **fields):
        return Deferred.fromCoroutine(self.sender.send(FakeSpool().put(**fields), number))

    def answers(self, *statuses, headers=None):
        """Prepare whole answers, in this order."""
        for status in statuses:
            response = StubResponse(status, headers)
            response.deliverBody = lambda reader: reader.connectionLost(Failure(ResponseDone()))
            self.agent.outcomes.append(succeed(response))

    def authorizations(self):
        return [headers.getRawHeaders(b"Authorization") for _, _, headers, _ in self.agent.requests]

    def answered(self, response):
        self.agent.outcomes.append(succeed(response))
        return self.send()


def lost(error):
    return fail(ResponseNeverReceived([Failure(error)]))


def test_a_request_carries_its_id_type_agent_and_body():
    """The method and URL are the destination's."""
    desk = Desk()
    desk.send(body=b'{"a": 1}')
    [(method, uri, headers, body)] = desk.agent.requests
    assert (b"POST", URL.encode(), b'{"a": 1}') == (method, uri, body)
    assert {
        b"Idempotency-Key": [b"event-1/1"],
        b"Content-Type": [b"application/json"],
        b"User-Agent": [b"integration-agent"],
    } == dict(headers.getAllRawHeaders())


def test_success_gives_the_answer():
    """Status, type, body, and who answered, without the query."""
    desk = Desk()
    response = StubResponse(202, {"Content-Type": ["text/plain"]})
    sending = desk.answered(response)
    assert is_waiting(sending)
    response.body(b"tha")
    response.body(b"nks")
    response.end()
    answer = result_of(sending)
    assert (202, b"thanks", "text/plain", "http://x.example/api") == (
        answer.status,
        answer.body,
        answer.content_type,
        answer.where,
    )
    assert [] == desk.clock.getDelayedCalls()


def test_a_refusal_carries_the_answer_and_the_patience():
    """503 with Retry-After."""
    desk = Desk()
    response = StubResponse(503, {"Retry-After": ["7"]})
    sending = desk.answered(response)
    response.body(b"busy")
    response.end()
    refusal = failure_of(sending)
    assert isinstance(refusal, Refusal)
    assert (7.0, True, b"busy") == (refusal.after_s, refusal.retryable, refusal.answer.body)


def test_a_body_is_cut_at_the_limit_and_the_connection_dropped():
    """An endless body ends."""
    desk = Desk(max_answer_bytes=4)
    aborted = []
    response = StubResponse()
    sending = desk.answered(response)
    transport = StringTransport()
    transport.abortConnection = lambda: aborted.append(True)
    desk.agent.exchanges[0].connection = type("Connection", (), {"transport": transport})
    response.body(b"abcdef")
    response.body(b"ghi")
    assert b"abcd" == result_of(sending).body
    assert aborted


@pytest.mark.parametrize("status", [202, 503])
def test_a_body_that_is_cut_off_takes_the_status_not_back(status):
    """The far end had decided: neither is a success repeated, nor a refusal forgotten."""
    desk = Desk()
    response = StubResponse(status)
    sending = desk.answered(response)
    response.body(b"half")
    response.end(ConnectionLost())
    answer = result_of(sending) if status == 202 else failure_of(sending).answer
    assert (status, b"half") == (answer.status, answer.body)


def test_the_whole_exchange_has_one_time_out():
    """Its sentence names the phase."""
    desk = Desk(timeout_s=3.0)
    sending = desk.send()
    desk.clock.advance(3)
    error = failure_of(sending)
    assert "http://x.example/api: timed out after 3 s while waiting for the answer" == error.sentence
    assert (1, True) == (desk.agent.cancelled, error.retryable)


def test_a_time_out_in_the_body_keeps_the_status():
    """What came of the body is the answer's body."""
    desk = Desk(timeout_s=3.0)
    response = StubResponse()
    sending = desk.answered(response)
    response.body(b"drip")
    desk.clock.advance(3)
    assert b"drip" == result_of(sending).body


def test_cancelling_is_no_failure_of_the_destination():
    """The agent stops: nobody is to blame."""
    desk = Desk()
    sending = desk.send()
    sending.cancel()
    assert isinstance(failure_of(sending), CancelledError)
    assert [] == desk.clock.getDelayedCalls()


def test_a_connection_that_died_while_idle_costs_no_attempt():
    """The request goes out again at once, on another connection, with the same id."""
    desk = Desk()
    desk.agent.is_reused = True
    response = StubResponse()
    desk.agent.outcomes = [lost(ConnectionDone()), succeed(response)]
    sending = desk.send()
    response.end()
    assert 202 == result_of(sending).status
    assert 2 == len(desk.agent.requests)


def test_a_new_connection_that_is_lost_is_a_failure():
    """Only a used one may have died of age."""
    desk = Desk()
    desk.agent.outcomes = [lost(ConnectionDone())]
    error = failure_of(desk.send())
    assert "http://x.example/api: the connection was cut while waiting for the answer" == error.sentence


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (fail(DNSLookupError()), "name-not-found"),
        (fail(ConnectionRefusedError()), "refused"),
        (lost(DestinationError("tls-expired", "it expired")), "tls-expired"),
    ],
)
def test_each_cause_has_its_code(cause, code):
    """Also when Twisted has wrapped it."""
    desk = Desk()
    desk.agent.outcomes = [cause]
    assert code == failure_of(desk.send()).code


def test_a_fault_of_ours_is_not_called_the_far_ends():
    """It comes out as it is, with its traceback."""
    desk = Desk()
    desk.agent.outcomes = [fail(KeyError("x"))]
    assert isinstance(failure_of(desk.send()), KeyError)


def test_the_services_headers_win_over_the_destinations():
    """Whatever the case of their names; the id is nobody's to set."""
    destination = HttpDestination(name="o", url=URL, headers=(("X-A", "1"), ("x-b", "2"), ("Idempotency-Key", "no")))
    request = FakeSpool().put(headers=(("x-a", "3"), ("Content-Type", "text/plain")))
    found = dict(headers_of(destination, request).getAllRawHeaders())
    assert [b"3"] == found[b"X-A"]
    assert [b"2"] == found[b"X-B"]
    assert [b"text/plain"] == found[b"Content-Type"]
    assert [b"event-1/1"] == found[b"Idempotency-Key"]


def test_credentials_are_sent_and_never_shown():
    """Not in a refusal of the request's own headers either."""
    credentials = BasicCredentials(user="äda", password=Secret("s3cr:t"))
    destination = HttpDestination(name="o", url=URL, credentials=credentials)
    headers = headers_of(destination, FakeSpool().put())
    assert [b"Basic w6RkYTpzM2NyOnQ="] == headers.getRawHeaders(b"Authorization")
    with pytest.raises(DestinationError) as caught:
        headers_of(destination, FakeSpool().put(headers=(("X-Token", "hunter2\r\n"),)))
    assert "hunter2" not in caught.value.sentence


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "a\nb"),
        ("X-A", "a\0b"),
        ("X-A", "\u20ac"),
        ("X-A: b\r\nX-B", "c"),
        ("", "a"),
        ("X A", "a"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Host", "other.example"),
        ("Connection", "close"),
    ],
)
def test_no_header_becomes_two_or_reframes_the_message(header):
    """And it is final: the same request would be as wrong the next time."""
    with pytest.raises(DestinationError) as caught:
        headers_of(HttpDestination(name="o", url=URL), FakeSpool().put(headers=(header,)))
    assert ("unfit-request", False) == (caught.value.code, caught.value.retryable)


@pytest.mark.parametrize("method", ["GE T", "POST\r\n", "", "GÉT"])
def test_a_method_is_a_token(method):
    """An empty one means the destination's."""
    request = FakeSpool().put(method=method).request
    destination = HttpDestination(name="o", url=URL, method="put")
    if not method:
        assert "PUT" == method_of(destination, request)
        return
    with pytest.raises(DestinationError, match="is not a method"):
        method_of(destination, request)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://h/api", "", "https://h/api"),
        ("https://h/api", "/x", "https://h/api/x"),
        ("https://h/api/", "x", "https://h/api/x"),
        ("https://h", "/x/", "https://h/x/"),
        ("https://h/api?k=1", "/x", "https://h/api/x?k=1"),
        ("https://h/api?k=1", "/x?b=2", "https://h/api/x?k=1&b=2"),
        ("https://h/api", "/a b\r\nc#d\u00e4", "https://h/api/a%20b%0D%0Ac%23d%C3%A4"),
        ("https://h/api", "/a%2Fb", "https://h/api/a%2Fb"),
        ("https://h/api", "//evil.example/x", "https://h/api/evil.example/x"),
    ],
)
def test_a_path_goes_behind_the_destinations_own(base, path, url):
    """Encoded where needed, never another host."""
    assert url == url_of(base, path)


@pytest.mark.parametrize("path", ["/../x", "/a/./b", "/%2e%2e/x", "/%252e%252e/x", "/..%2fx", "\\..\\x", "/.."])
def test_a_path_cannot_leave_the_destinations_own(path):
    """A path that was built from an event is the sender's choice."""
    with pytest.raises(DestinationError, match="dot segment"):
        url_of("https://h/api", path)


def test_an_overloaded_far_end_is_tried_again_at_once():
    """MaximumRetries times after RetryDelay, which BackoffMultiplier makes longer; then it is the queue's."""
    desk = Desk(tries=TriesPolicy(maximum_retries=2, retry_delay_s=1.0, backoff_multiplier=2.0))
    desk.answers(503, 503, 503)
    sending = desk.send()
    counts = []
    for pause_s in (0.9, 0.1, 1.9, 0.1):
        desk.clock.advance(pause_s)
        counts.append(len(desk.agent.requests))
    assert [1, 2, 2, 3] == counts
    assert 503 == failure_of(sending).answer.status


def test_a_refused_connection_is_tried_again_at_once():
    """And the request that goes through is the same one, with the same id."""
    desk = Desk(tries=TriesPolicy())
    desk.agent.outcomes.append(fail(ConnectionRefusedError()))
    desk.answers(202)
    sending = desk.send()
    desk.clock.advance(1)
    assert 202 == result_of(sending).status
    assert 1 == len({headers.getRawHeaders(b"Idempotency-Key")[0] for _, _, headers, _ in desk.agent.requests})


@pytest.mark.parametrize(("status", "headers"), [(503, {"Retry-After": ["7"]}), (500, None), (404, None), (403, None)])
def test_what_a_second_does_not_change_is_not_tried_at_once(status, headers):
    """A far end that asks for more patience gets it from the queue, which holds no connection meanwhile."""
    desk = Desk(tries=TriesPolicy())
    desk.answers(status, headers=headers)
    assert status == failure_of(desk.send()).answer.status


def test_later_attempts_are_one_try_each():
    """A far end that comes back is not met by three requests for each one that waits."""
    desk = Desk(tries=TriesPolicy())
    desk.answers(503)
    assert 503 == failure_of(desk.send(number=2)).answer.status


def test_a_401_reads_the_credentials_again():
    """What stands in the file by then is tried at once, also where no tries are left."""
    path = PurePath("/conf/pw")
    credentials = BasicCredentials(user="u", password=Secret("old"), path=path)
    asked = []

    def read(asked_path):
        asked.append(asked_path)
        return succeed(Secret("new"))

    desk = Desk(read=read, credentials=credentials)
    desk.answers(401, 200)
    assert 200 == result_of(desk.send()).status
    assert [[b"Basic dTpvbGQ="], [b"Basic dTpuZXc="]] == desk.authorizations()
    assert [path] == asked


def test_an_account_that_stays_refused_waits_for_its_mending():
    """After UnauthorizedRetries the request is the queue's; its next attempt reads the file first."""
    files = [*["old"] * 5, "new"]
    credentials = TokenCredentials(token=Secret("old"), path=PurePath("/conf/token"))
    desk = Desk(tries=TriesPolicy(), read=lambda _: succeed(Secret(files.pop(0))), credentials=credentials)
    desk.answers(401, 401, 401, 200)
    sending = desk.send()
    desk.clock.pump([1, 1])
    refusal = failure_of(sending)
    assert (True, 60.0) == (refusal.retryable, refusal.after_s)
    assert 200 == result_of(desk.send(number=2)).status
    assert [[b"Bearer old"]] * 3 + [[b"Bearer new"]] == desk.authorizations()


def test_a_file_that_changes_with_each_look_does_not_make_it_ask_for_ever():
    """Once per attempt; then the tries and the queue decide."""
    numbers = iter(range(100))
    credentials = TokenCredentials(token=Secret("old"), path=PurePath("/conf/token"))
    desk = Desk(read=lambda _: succeed(Secret(str(next(numbers)))), credentials=credentials)
    desk.answers(401, 401, 401)
    assert 60.0 == failure_of(desk.send()).after_s
    assert [[b"Bearer old"], [b"Bearer 0"]] == desk.authorizations()


@pytest.mark.parametrize("found", [OSError(13, "Permission denied"), ValueError("is not UTF-8 text")])
def test_credentials_that_cannot_be_read_again_stay(found):
    """A file that is just being written must not take the destination down."""

    def read(_):
        return fail(found)

    credentials = TokenCredentials(token=Secret("old"), header="appKey", scheme="", path=PurePath("/k"))
    desk = Desk(tries=TriesPolicy(retry_delay_s=0), read=read, credentials=credentials)
    desk.answers(401, 200)
    sending = desk.send()
    desk.clock.advance(0)
    assert 200 == result_of(sending).status
    assert [[b"old"]] * 2 == [headers.getRawHeaders(b"appKey") for _, _, headers, _ in desk.agent.requests]


def test_a_redirect_is_followed_without_the_credentials():
    """To another host neither the login nor the keys in headers go along; the body and the id do."""
    credentials = BasicCredentials(user="u", password=Secret("p"))
    desk = Desk(credentials=credentials, headers=(("X-Api-Key", "k"), ("X-Site", "7")))
    desk.answers(307, headers={"Location": ["https://y.example/new"]})
    desk.answers(202)
    answer = result_of(desk.send(body=b"event"))
    method, uri, headers, body = desk.agent.requests[1]
    assert (202, "https://y.example/new") == (answer.status, answer.where)
    assert (b"POST", b"https://y.example/new", b"event") == (method, uri, body)
    names = {name for name, _ in headers.getAllRawHeaders()}
    assert {b"Idempotency-Key", b"X-Site", b"User-Agent", b"Content-Type"} == names


def test_see_other_is_a_get():
    """Without the body and its type."""
    desk = Desk()
    desk.answers(303, headers={"Location": ["/done"]})
    desk.answers(200)
    result_of(desk.send())
    method, uri, headers, body = desk.agent.requests[1]
    assert (b"GET", b"http://x.example/done", None) == (method, uri, body)
    assert not headers.hasHeader(b"content-type")


def test_a_chain_of_redirects_ends():
    """Three are followed; the time-out is for the whole journey."""
    desk = Desk()
    desk.answers(302, 302, 302, 302, headers={"Location": ["/again"]})
    assert "redirect-refused" == failure_of(desk.send()).code
    assert 4 == len(desk.agent.requests)


def test_the_next_url_is_asked_at_once():
    """Within the same try, and it stays in use; one request in five minutes asks the first one again."""
    desk = Desk(further_urls=("http://b.example/", "http://c.example/"))
    desk.agent.outcomes.append(fail(ConnectionRefusedError()))
    desk.answers(503, 202, 202)
    result_of(desk.send())
    result_of(desk.send())
    desk.clock.advance(300)
    desk.answers(202)
    result_of(desk.send())
    hosts = [uri.split(b"/")[2][:1] for _, uri, _, _ in desk.agent.requests]
    assert [b"x", b"b", b"c", b"c", b"x"] == hosts
    assert "http://x.example/api" == desk.sender.target


def test_an_answer_that_is_one_does_not_fail_over():
    """A 404 of the first server is what the request deserves."""
    desk = Desk(further_urls=("http://b.example/",))
    desk.answers(404)
    assert 404 == failure_of(desk.send()).answer.status
    assert 1 == len(desk.agent.requests)
