"""What is sent over HTTP, and what a failure is called."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
)
from twisted.internet.task import Clock

from agent.config.model import HttpDestination
from agent.config.outbound import BasicCredentials, Proxy, TokenCredentials, TriesPolicy
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream import Refusal
from agent.upstream.http import HttpSender
from tests.support.fake_spool import FakeSpool
from tests.support.far_end import FarEnd, answer
from tests.support.twisted_results import failure_of, is_waiting, result_of

URL = "http://x.example/api?k=1"
ONE_TRY = TriesPolicy(maximum_retries=0, unauthorized_retries=0)


class Desk:
    def __init__(self, *, read=None, tries=ONE_TRY, **fields):
        self.clock = Clock()
        self.far_end = FarEnd()
        self.sender = HttpSender(
            destination=HttpDestination(name="out", url=fields.pop("url", URL), tries=tries, **fields),
            reactor=self.clock,
            now_us=lambda: 1_795_195_525_000_000,
            context=lambda: succeed(None),
            read=read,
            cnonce=lambda: "c",
            direct=self.far_end.endpoint,
        )

    def send(self, *, number=1, **fields):
        return Deferred.fromCoroutine(self.sender.send(FakeSpool().put(**fields), number))

    def answers(self, *statuses, **fields):
        """Prepare whole answers, in this order."""
        self.far_end.answers += [answer(status, **fields) for status in statuses]

    @property
    def asked(self):
        return self.far_end.asked

    @property
    def line(self):
        """The newest connection."""
        return self.far_end.lines[-1]

    def authorizations(self):
        return [asked.fields.get("authorization") for asked in self.asked]


def test_a_request_carries_its_id_type_agent_and_body():
    """The method and URL are the destination's."""
    desk = Desk()
    desk.send(body=b'{"a": 1}')
    [asked] = desk.asked
    assert ("POST", "/api?k=1", b'{"a": 1}') == (asked.method, asked.target, asked.body)
    assert {
        "host": ["x.example"],
        "idempotency-key": ["event-1/1"],
        "content-type": ["application/json"],
        "user-agent": ["integration-agent"],
        "content-length": ["8"],
    } == asked.fields


def test_success_gives_the_answer():
    """Status, type, body, and who answered, without the query."""
    desk = Desk()
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 202 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\ntha")
    assert is_waiting(sending)
    desk.line.says(b"nks")
    answer = result_of(sending)
    assert (202, b"thanks", "text/plain", "http://x.example/api") == (
        answer.status,
        answer.body,
        answer.content_type,
        answer.where,
    )


def test_a_refusal_carries_the_answer_and_the_patience():
    """503 with Retry-After."""
    desk = Desk()
    desk.answers(503, body=b"busy", Retry_After="7")
    refusal = failure_of(desk.send())
    assert isinstance(refusal, Refusal)
    assert (7.0, True, b"busy") == (refusal.after_s, refusal.retryable, refusal.answer.body)


def test_a_body_is_cut_at_the_limit_and_the_connection_closed():
    """An endless body ends."""
    desk = Desk(max_answer_bytes=4)
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 202 OK\r\n\r\nabc")
    assert is_waiting(sending)
    desk.line.says(b"defghi")
    answer = result_of(sending)
    assert (b"abcd", True) == (answer.body, answer.is_cut)
    assert desk.line.wire.disconnecting


@pytest.mark.parametrize("status", [202, 503])
def test_a_body_that_is_cut_off_takes_the_status_not_back(status):
    """The far end had decided: neither is a success repeated, nor a refusal forgotten."""
    desk = Desk()
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 %d Thing\r\nContent-Length: 5\r\n\r\nhalf" % status)
    desk.line.ends(ConnectionLost())
    answer = result_of(sending) if status == 202 else failure_of(sending).answer
    assert (status, b"half", True) == (answer.status, answer.body, answer.is_cut)


def test_the_whole_exchange_has_one_time_out():
    """Its sentence names the phase, and nothing is left of it."""
    desk = Desk(timeout_s=3.0)
    sending = desk.send()
    desk.clock.advance(3)
    error = failure_of(sending)
    assert "http://x.example/api: timed out after 3 s while waiting for the answer" == error.sentence
    assert (True, True) == (desk.line.wire.is_aborted, error.retryable)
    desk.line.ends()
    assert [] == desk.clock.getDelayedCalls()


def test_a_time_out_in_the_body_keeps_the_status():
    """What came of the body is the answer's body."""
    desk = Desk(timeout_s=3.0)
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 202 OK\r\n\r\ndrip")
    desk.clock.advance(3)
    answer = result_of(sending)
    assert (b"drip", True, True) == (answer.body, answer.is_cut, desk.line.wire.is_aborted)


def test_a_time_out_in_the_body_of_a_redirect_ends_the_journey():
    """Nothing is begun when the time is over."""
    desk = Desk(timeout_s=3.0)
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 307 Go\r\nLocation: /next\r\n\r\ndrip")
    desk.clock.advance(3)
    assert "http://x.example/api: timed out after 3 s while reading the answer" == failure_of(sending).sentence
    assert 1 == len(desk.asked)


def test_connecting_is_within_the_time_out():
    """Also where nothing comes back from the network."""
    desk = Desk(timeout_s=3.0)
    desk.far_end.is_silent = True
    sending = desk.send()
    desk.clock.advance(3)
    assert "http://x.example/api: timed out after 3 s while connecting" == failure_of(sending).sentence
    assert 1 == desk.far_end.cancelled


def test_requests_are_timed_out_one_by_one():
    """Each by its own beginning; one that is answered in time has no time-out."""
    desk = Desk(timeout_s=3.0)
    first = desk.send()
    desk.clock.advance(1)
    desk.answers(202)
    result_of(desk.send())
    desk.clock.advance(1)
    last = desk.send()
    desk.clock.advance(1)
    assert (False, True) == (is_waiting(first), is_waiting(last))
    desk.clock.advance(1.9)
    assert is_waiting(last)
    desk.clock.advance(0.1)
    for sending in (first, last):
        assert "timed-out" == failure_of(sending).code


@pytest.mark.parametrize("is_silent", [False, True])
def test_cancelling_is_no_failure_of_the_destination(is_silent):
    """The agent stops: nobody is to blame, whether it was connecting or waiting."""
    desk = Desk()
    desk.far_end.is_silent = is_silent
    sending = desk.send()
    sending.cancel()
    assert isinstance(failure_of(sending), CancelledError)
    result_of(Deferred.fromCoroutine(desk.sender.close()))
    assert [] == desk.clock.getDelayedCalls()


def test_cancelling_a_connecting_of_twisted_is_no_failure_either():
    """It has an error of its own for that."""
    desk = Desk()
    desk.far_end.troubles = [ConnectingCancelledError(None)]
    assert isinstance(failure_of(desk.send()), CancelledError)


def test_a_connection_is_used_again():
    """One after the other; two requests at a time need two."""
    desk = Desk()
    desk.answers(202, 202)
    result_of(desk.send())
    result_of(desk.send())
    assert [2] == [len(line.asked) for line in desk.far_end.lines]
    first, second = desk.send(), desk.send()
    assert [3, 1] == [len(line.asked) for line in desk.far_end.lines]
    desk.far_end.lines[1].says(answer(202, b"second"))
    desk.far_end.lines[0].says(answer(202, b"first"))
    assert (b"first", b"second") == (result_of(first).body, result_of(second).body)


def test_connections_of_one_origin_are_not_anothers():
    """By scheme, host and port."""
    desk = Desk(url="http://x.example:8080/in", further_urls=("http://y.example:8080/in", "http://x.example/in"))
    desk.answers(503, 503, 202)
    result_of(desk.send())
    assert [("x.example", 8080), ("y.example", 8080), ("x.example", 80)] == [
        (line.host, line.port) for line in desk.far_end.lines
    ]
    assert [["x.example:8080"], ["y.example:8080"], ["x.example"]] == [asked.fields["host"] for asked in desk.asked]


def test_a_connection_that_died_while_idle_costs_no_attempt():
    """The request goes out again at once, on a new connection, with the same id."""
    desk = Desk()
    desk.answers(202)
    result_of(desk.send())
    sending = desk.send()
    desk.line.ends(ConnectionDone())
    desk.line.says(answer(202))
    assert 202 == result_of(sending).status
    keys = [asked.fields["idempotency-key"] for asked in desk.asked]
    assert ([["event-1/1"]] * 3, 2) == (keys, len(desk.far_end.lines))


def test_a_used_connection_that_breaks_in_its_answer_was_not_idle():
    """The far end was at work on the request: that is a failure, and an attempt of its own."""
    desk = Desk()
    desk.answers(202)
    result_of(desk.send())
    sending = desk.send()
    desk.line.says(b"HTTP/1.1 20")
    desk.line.ends(ConnectionLost())
    assert "connection-lost" == failure_of(sending).code
    assert 1 == len(desk.far_end.lines)


def test_a_new_connection_that_is_lost_is_a_failure():
    """Only a used one may have died of age."""
    desk = Desk()
    sending = desk.send()
    desk.line.ends(ConnectionDone())
    assert "http://x.example/api: the connection was cut while waiting for the answer" == failure_of(sending).sentence


def test_what_is_no_answer_has_its_sentence():
    """And the connection is dropped at once."""
    desk = Desk()
    sending = desk.send()
    desk.line.says(b"220 smtp.example\r\n")
    error = failure_of(sending)
    assert ("not-http", "http://x.example/api: what came back is not HTTP/1.1") == (error.code, error.sentence)
    assert desk.line.wire.is_aborted


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (DNSLookupError(), "name-not-found"),
        (ConnectionRefusedError(), "refused"),
        (DestinationError("tls-expired", "it expired"), "tls-expired"),
    ],
)
def test_each_cause_has_its_code(cause, code):
    """Where it comes from connecting."""
    desk = Desk()
    desk.far_end.troubles = [cause]
    assert code == failure_of(desk.send()).code


def test_a_fault_of_ours_is_not_called_the_far_ends():
    """It comes out as it is, with its traceback."""
    desk = Desk()
    desk.far_end.troubles = [KeyError("x")]
    assert isinstance(failure_of(desk.send()), KeyError)


def test_a_proxy_gets_the_whole_url_and_the_login_it_asks_for():
    """Over one connection for all hosts; what is for the proxy goes along to nobody else."""
    proxy = Proxy(host="proxy.example", port=3128, user="u", password=Secret("p"), no_proxy=("direct.example",))
    desk = Desk(proxy=proxy)
    desk.answers(407, Proxy_Authenticate='Digest realm="x", nonce="n"')
    desk.answers(307, Location="http://y.example:8080/in")
    desk.answers(307, Location="http://direct.example/in")
    desk.answers(202)
    result_of(desk.send())
    assert [("proxy.example", 3128), ("direct.example", 80)] == [(line.host, line.port) for line in desk.far_end.lines]
    assert ["http://x.example/api?k=1"] * 2 + ["http://y.example:8080/in", "/in"] == [
        asked.target for asked in desk.asked
    ]
    assert ["x.example", "x.example", "y.example:8080", "direct.example"] == [
        asked.fields["host"][0] for asked in desk.asked
    ]
    logins = [asked.fields.get("proxy-authorization", [""])[0][:6] for asked in desk.asked]
    assert ["", "Digest", "Digest", ""] == logins


def test_an_overloaded_far_end_is_tried_again_at_once():
    """MaximumRetries times after RetryDelay, which BackoffMultiplier makes longer; then it is the queue's."""
    desk = Desk(tries=TriesPolicy(maximum_retries=2, retry_delay_s=1.0, backoff_multiplier=2.0))
    desk.answers(503, 503, 503)
    sending = desk.send()
    counts = []
    for pause_s in (0.9, 0.1, 1.9, 0.1):
        desk.clock.advance(pause_s)
        counts.append(len(desk.asked))
    assert [1, 2, 2, 3] == counts
    assert 503 == failure_of(sending).answer.status


def test_a_refused_connection_is_tried_again_at_once():
    """And the request that goes through is the same one, with the same id."""
    desk = Desk(tries=TriesPolicy())
    desk.far_end.troubles.append(ConnectionRefusedError())
    desk.answers(202)
    sending = desk.send()
    desk.clock.advance(1)
    assert 202 == result_of(sending).status
    assert [["event-1/1"]] == [asked.fields["idempotency-key"] for asked in desk.asked]


@pytest.mark.parametrize(("status", "headers"), [(503, {"Retry_After": "7"}), (500, {}), (404, {}), (403, {})])
def test_what_a_second_does_not_change_is_not_tried_at_once(status, headers):
    """A far end that asks for more patience gets it from the queue, which holds no connection meanwhile."""
    desk = Desk(tries=TriesPolicy())
    desk.answers(status, **headers)
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
    assert [["Basic dTpvbGQ="], ["Basic dTpuZXc="]] == desk.authorizations()
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
    assert [["Bearer old"]] * 3 + [["Bearer new"]] == desk.authorizations()


def test_a_file_that_changes_with_each_look_does_not_make_it_ask_for_ever():
    """Once per attempt; then the tries and the queue decide."""
    numbers = iter(range(100))
    credentials = TokenCredentials(token=Secret("old"), path=PurePath("/conf/token"))
    desk = Desk(read=lambda _: succeed(Secret(str(next(numbers)))), credentials=credentials)
    desk.answers(401, 401, 401)
    assert 60.0 == failure_of(desk.send()).after_s
    assert [["Bearer old"], ["Bearer 0"]] == desk.authorizations()


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
    assert [["old"]] * 2 == [asked.fields["appkey"] for asked in desk.asked]


def test_a_redirect_is_followed_without_the_credentials():
    """To another host neither the login nor the keys in headers go along; the body and the id do."""
    credentials = BasicCredentials(user="u", password=Secret("p"))
    desk = Desk(credentials=credentials, headers=(("X-Api-Key", "k"), ("X-Site", "7")))
    desk.answers(307, Location="http://y.example/new")
    desk.answers(202)
    answer = result_of(desk.send(body=b"event"))
    asked = desk.asked[1]
    assert (202, "http://y.example/new") == (answer.status, answer.where)
    assert ("POST", "/new", b"event") == (asked.method, asked.target, asked.body)
    assert ["authorization", "x-api-key"] == sorted(desk.asked[0].fields.keys() - asked.fields.keys())


def test_see_other_is_a_get():
    """Without the body and its type."""
    desk = Desk()
    desk.answers(303, Location="/done")
    desk.answers(200)
    result_of(desk.send())
    asked = desk.asked[1]
    assert ("GET", "/done", b"") == (asked.method, asked.target, asked.body)
    assert not {"content-type", "content-length"} & asked.fields.keys()


def test_a_chain_of_redirects_ends():
    """Three are followed; the time-out is for the whole journey."""
    desk = Desk()
    desk.answers(302, 302, 302, 302, Location="/again")
    assert "redirect-refused" == failure_of(desk.send()).code
    assert 4 == len(desk.asked)


def test_the_next_url_is_asked_at_once():
    """Within the same try, and it stays in use; one request in five minutes asks the first one again."""
    desk = Desk(further_urls=("http://b.example/", "http://c.example/"))
    desk.far_end.troubles.append(ConnectionRefusedError())
    desk.answers(503, 202, 202)
    result_of(desk.send())
    result_of(desk.send())
    desk.clock.advance(300)
    desk.answers(202)
    result_of(desk.send())
    hosts = [line.host[:1] for line in desk.far_end.lines]
    assert (["b", "c", "x"], [1, 2, 1]) == (hosts, [len(line.asked) for line in desk.far_end.lines])
    assert "http://x.example/api" == desk.sender.target


def test_an_answer_that_is_one_does_not_fail_over():
    """A 404 of the first server is what the request deserves."""
    desk = Desk(further_urls=("http://b.example/",))
    desk.answers(404)
    assert 404 == failure_of(desk.send()).answer.status
    assert 1 == len(desk.asked)
