"""Conversations with the gateway: what a sender sends, what it gets, what reaches the sink."""

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.boundaries import Waiting
from agent.config.model import GatewayLimits
from agent.errors import SenderError
from agent.event import BodyKind
from agent.gateway.bodies import READ_AND_DROP_BYTES
from tests.support.garbage import garbage_of
from tests.support.gateway import SEED, Stage, chunked, post

FULL = SenderError("spool-full", "The disk is full.", status=503, title="Full", headers=(("Retry-After", "30"),))


def test_an_event_is_stored_and_then_answered() -> None:
    """202 comes after the commit and not before, with the id that the event has in the sink."""
    stage = Stage(at_once=False)
    client = stage.client()
    client.send(
        post(SEED, "Content-Type: application/x-www-form-urlencoded", target="/http/applications_sample-plan/x?y=1")
    )
    assert [] == client.answers
    (event,) = stage.sink.events
    assert ("applications|sample-plan", BodyKind.XML, SEED, "/x", "y=1", "192.0.2.7") == (
        event.service,
        event.kind,
        event.body,
        event.path,
        event.query,
        event.peer,
    )
    stage.sink.commit()
    (answer,) = client.answers
    assert (202, {"requestId": event.id}) == (answer.status, json.loads(answer.body))
    assert not client.transport.closed
    assert 1 == stage.counters.counts["gateway.accepted", ""]


def test_a_store_that_refuses_is_passed_on() -> None:
    """503 with Retry-After when the sink cannot store; the connection lives on."""
    stage = Stage(at_once=False)
    client = stage.client()
    client.send(post())
    stage.sink.fail(FULL)
    (answer,) = client.answers
    assert (503, "30") == (answer.status, answer.headers["retry-after"])
    client.send(post())
    stage.sink.commit()
    assert [503, 202] == client.statuses


@given(st.permutations(range(5)), st.integers(1, 400))
@settings(max_examples=30)
def test_pipelined_answers_keep_their_order(order: list[int], split: int) -> None:
    """Commits may complete in any order; answers leave in the order of the requests."""
    stage = Stage(at_once=False)
    client = stage.client()
    stream = b"".join(post(b"<n>%d</n>" % number) for number in range(5))
    client.send(*(stream[start : start + split] for start in range(0, len(stream), split)))
    stage.sink.commit(lambda batch: [batch[place] for place in order])
    assert [event.id for event in stage.sink.events] == [
        json.loads(answer.body)["requestId"] for answer in client.answers
    ]
    assert [b"<n>%d</n>" % number for number in range(5)] == [event.body for event in stage.sink.events]


def test_errors_take_their_place_in_the_line() -> None:
    """A refusal that is known at once still waits for the answers before it."""
    stage = Stage(at_once=False)
    client = stage.client()
    client.send(post() + post(b"<a>") + post(target="/http/nobody") + post())
    assert [] == client.statuses
    stage.sink.commit(lambda batch: reversed(batch))
    assert [202, 400, 404, 202] == client.statuses


CONVERSATIONS = {
    "keep-alive": post() + post(b'{"a": 1}'),
    "chunked": post(chunked(SEED), "Transfer-Encoding: chunked") + post(),
    "chunk extensions and trailers": post(b"4;a=b\r\n<a/>\r\n0\r\nX-T: y\r\n\r\n", "Transfer-Encoding: chunked")
    + post(),
    "gzip": post(gzip.compress(SEED), "Content-Encoding: gzip") + post(),
    "upgrade offered": post(SEED, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA") + post(),
    "upgrade offered, chunked": post(chunked(SEED), "Transfer-Encoding: chunked", "Connection: upgrade", "Upgrade: h2c")
    + post(),
    "refused and dropped": post(b"x" * 3000, target="/http/nobody") + post(),
    "bad xml": post(b"<a><b></a>") + post(),
    "get": post(b"", method="GET") + post(),
    "last one": post(SEED, "Connection: close") + post(),
    "bad line": post() + b"POST /http/applications_sample-plan HTTP/1.1\nHost: a\n\n" + post(),
    "two lengths": post(SEED, "Content-Length: 3") + post(),
    "bad chunk": post(b"4\r\n<a/>\r\nzz\r\n", "Transfer-Encoding: chunked") + post(),
    "leading empty lines": b"\r\n\r\n" + post(),
    "connect": post(b"", method="CONNECT", target="a:1") + post(),
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@given(data=st.data())
@settings(max_examples=25)
def test_any_split_gives_the_same(name: str, data: st.DataObject) -> None:
    """However the bytes are cut into pieces, the same events are stored and the same answers given."""
    stream = CONVERSATIONS[name]

    def talk(*pieces: bytes) -> tuple[list[bytes], list[int], list[bytes], bool]:
        stage = Stage()
        client = stage.client()
        client.send(*pieces)
        return (
            [event.body for event in stage.sink.events],
            client.statuses,
            [answer.body for answer in client.answers],
            client.transport.closed or client.transport.half_closed,
        )

    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert talk(stream) == talk(*pieces) == talk(*(bytes((byte,)) for byte in stream))


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("keep-alive", [202, 202]),
        ("chunked", [202, 202]),
        ("chunk extensions and trailers", [202, 202]),
        ("gzip", [202, 202]),
        ("upgrade offered", [202, 202]),
        ("upgrade offered, chunked", [202, 202]),
        ("refused and dropped", [404, 202]),
        ("bad xml", [400, 202]),
        ("get", [405, 202]),
        ("last one", [202]),
        ("bad line", [202, 400]),
        ("two lengths", [400]),
        ("bad chunk", [400]),
        ("leading empty lines", [202]),
        ("connect", [400, 202]),
        ("http 2", [400]),
    ],
)
def test_conversations_end_as_they_should(name: str, statuses: list[int]) -> None:
    """Each conversation gets exactly these answers; after the last word nothing is read."""
    client = Stage().client()
    client.send(CONVERSATIONS[name])
    assert statuses == client.statuses


def test_who_has_left_does_not_disturb_the_batch() -> None:
    """One of three senders leaves before the commit: the other two get their answers, in whatever order."""
    for gone in range(3):
        stage = Stage(at_once=False)
        clients = [stage.client() for _ in range(3)]
        for client in clients:
            client.send(post())
        clients[gone].transport.abortConnection()
        stage.sink.commit()
        assert [[] if number == gone else [202] for number in range(3)] == [client.statuses for client in clients]
        assert 3 == stage.counters.counts["gateway.accepted", ""]


def test_a_transport_that_fails_does_not_disturb_the_batch() -> None:
    """Even a fault while writing to one sender stays with that sender."""
    stage = Stage(at_once=False)
    broken, fine = stage.client(), stage.client()
    broken.send(post())
    fine.send(post())

    def fail(data: bytes) -> int:
        raise RuntimeError("no socket")

    broken.connection._outlet._send_now = fail
    stage.sink.commit()
    assert [202] == fine.statuses
    assert broken.transport.aborted


def test_a_sender_that_half_closes_still_gets_its_answer() -> None:
    """The end of the sender's side is not the end of the conversation."""
    stage = Stage(at_once=False)
    client = stage.client()
    client.send(post() + post())
    client.end()
    assert not client.transport.closed
    stage.sink.commit()
    assert [202, 202] == client.statuses
    assert client.transport.closed and not client.transport.aborted


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (post()[:-1], "after 187 of 188 bytes"),
        (b"POST / HT", "head"),
        (post(b"4\r\n<a/>\r\n", "Transfer-Encoding: chunked"), "last chunk"),
    ],
)
def test_a_cut_off_request_is_said_to_be_one(sent: bytes, word: str) -> None:
    """A sender that ends in mid-request is told how far it came, and nothing is stored."""
    stage = Stage()
    client = stage.client()
    client.send(sent)
    client.end()
    (answer,) = client.answers
    assert 400 == answer.status
    assert word in json.loads(answer.body)["detail"]
    assert [] == stage.sink.events
    assert client.transport.closed


class TestExpect:
    """`Expect: 100-continue`."""

    def head_and_body(self, *lines: str, **kwargs: str) -> tuple[bytes, bytes]:
        head, _, body = post(SEED, "Expect: 100-continue", *lines, **kwargs).partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", body

    def test_is_told_to_go_on(self) -> None:
        """A good head gets 100, then the body its 202."""
        client = Stage().client()
        head, body = self.head_and_body()
        client.send(head)
        assert [100] == client.statuses
        client.send(body)
        assert [100, 202] == client.statuses

    def test_is_told_so_in_its_turn(self) -> None:
        """100 waits for the answers to earlier requests."""
        stage = Stage(at_once=False)
        client = stage.client()
        head, body = self.head_and_body()
        client.send(post() + head)
        assert [] == client.statuses
        stage.pass_time(25)
        stage.sink.commit()
        assert [202, 100] == client.statuses
        client.send(body)
        stage.sink.commit()
        assert [202, 100, 202] == client.statuses

    def test_is_not_told_what_it_did_not_wait_for(self) -> None:
        """Where the body is already there, 100 is left out once the body has been seen."""
        stage = Stage(at_once=False)
        client = stage.client()
        head, body = self.head_and_body()
        client.send(post() + head + body[:5])
        stage.sink.commit()
        client.send(body[5:])
        stage.sink.commit()
        assert [202, 202] == client.statuses

    @pytest.mark.parametrize(
        ("request_head", "status"),
        [
            (post(SEED, "Expect: 100-continue", target="/http/nobody"), 404),
            (post(SEED, "Expect: 100-continue", target="/http/applications_asleep"), 503),
            (post(SEED, "Expect: 100-continue", "Content-Encoding: br"), 415),
            (post(SEED, "Expect: the-unexpected"), 417),
            (
                post(SEED, "Expect: 100-continue").replace(b"Length: 188", b"Length: 99999999"),
                413,
            ),
        ],
    )
    def test_a_bad_head_is_refused_without_its_body(self, request_head: bytes, status: int) -> None:
        """Routing, size and encoding are checked before the sender is told to go on; the connection ends."""
        client = Stage().client()
        client.send(request_head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        assert [status] == client.statuses
        assert "close" == client.answers[0].headers["connection"]
        assert client.transport.half_closed


SMUGGLING = {
    "CL and TE": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5"), 400),
    "TE then CL": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    "CL signed": (post(b"", "Content-Length: +3"), 400),
    "CL list": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    "CL blank": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", 400),
    "CL huge": (
        b"POST /http/applications_sample-plan HTTP/1.1\r\nHost: a\r\nContent-Length: 11111111111111111111\r\n\r\n",
        413,
    ),
    "CL beyond 64 bits": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
    "CL 2 GB": (b"POST /http/applications_sample-plan HTTP/1.1\r\nHost: a\r\nContent-Length: 2147483648\r\n\r\n", 413),
    "TE gzip, chunked": (post(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked"), 501),
    "TE identity": (post(b"", "Transfer-Encoding: identity"), 501),
    "TE chunked, identity": (post(b"", "Transfer-Encoding: chunked, identity"), 400),
    "TE twice": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    "TE with a vertical tab": (post(b"", "Transfer-Encoding: \x0bchunked"), 400),
    "TE in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "folded": (post(SEED, "X: a\r\n b"), 400),
    "bare LF": (post(SEED, "X: a\nY: b"), 400),
    "bare CR": (post(SEED, "X: a\rY: b"), 400),
    "bare LF at the end": (b"POST / HTTP/1.1\r\nHost: a\r\n\n", 400),
    "blank before colon": (post(SEED, "X : a"), 400),
    "no colon": (post(SEED, "nonsense"), 400),
    "no name": (post(SEED, ": a"), 400),
    "NUL": (post(SEED, "X: a\0b"), 400),
    "escape": (post(SEED, "X: a\x1b[2J"), 400),
    "no Host": (b"POST / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (post(SEED, "Host: b"), 400),
    "bad Host": (b"POST / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "version 2.0": (b"POST / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "version 0.9": (b"POST / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    "version 3.0": (b"POST / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    "lower case version": (b"POST / http/1.1\r\nHost: a\r\n\r\n", 400),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "chunk size signed": (post(b"-1\r\n", "Transfer-Encoding: chunked"), 400),
    "chunk size 0x": (post(b"0x1\r\n", "Transfer-Encoding: chunked"), 400),
    "chunk size huge": (post(b"f" * 20 + b"\r\n", "Transfer-Encoding: chunked"), 400),
    "chunk size over the limit": (post(b"ffffffff\r\n" + b"x" * 70000, "Transfer-Encoding: chunked"), 0),
    "chunk longer than said": (post(b"1\r\nab\r\n", "Transfer-Encoding: chunked"), 400),
    "chunk extension with LF": (post(b"1;a\nb\r\na\r\n", "Transfer-Encoding: chunked"), 400),
    "chunk extensions without end": (post(b"1;" + b"a" * 70_000, "Transfer-Encoding: chunked"), 400),
    "chunk with bare LF": (post(b"1\na\n0\n\n", "Transfer-Encoding: chunked"), 400),
    "trailer with CL": (post(b"0\r\nContent-Length: 5\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "trailer with TE": (post(b"0\r\nTransfer-Encoding: x\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "URL with blank": (post(SEED, target="/a b"), 400),
    "URL raw bytes": (post(SEED, target="/\xfc"), 400),
    "long URL": (post(SEED, target="/" + "a" * 9000), 414),
    "endless URL": (b"POST /" + b"a" * 100_000, 414),
    "long header": (post(SEED, "X: " + "a" * 40_000), 431),
    "endless header": (b"POST / HTTP/1.1\r\nX: " + b"a" * 100_000, 431),
    "header flood": (post(SEED, *("X: y" for _ in range(101))), 431),
}


@pytest.mark.parametrize("name", SMUGGLING)
@pytest.mark.parametrize("size", [1 << 20, 1000])
def test_nothing_is_smuggled(name: str, size: int) -> None:
    """Each hostile request is refused and ends the reading: the good request behind it is never seen."""
    data, status = SMUGGLING[name]
    stage = Stage()
    client = stage.client()
    stream = data + post()
    client.send(*(stream[start : start + size] for start in range(0, len(stream), size)))
    assert ([status] if status else []) == client.statuses
    if status:
        assert "close" == client.answers[0].headers["connection"]
        assert client.transport.half_closed
    assert [] == stage.sink.events
    assert "\x1b" not in client.transport.written.decode("latin-1")


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"POST /http/applications_sample-plan HTTP/1.1\r\nHost: a\r\n", post()]),
)
@settings(max_examples=60)
def test_noise_is_answered_or_waited_for(noise: bytes, before: bytes) -> None:
    """Whatever follows, there are whole answers and no exception."""
    client = Stage().client()
    client.send(before + noise, noise)
    client.end()
    assert set(client.statuses) <= {202, 400, 404, 405, 413, 415, 417, 501, 505}


class TestLimits:
    """Sizes that one sender may ask for."""

    def test_a_body_may_be_as_long_as_the_limit(self) -> None:
        """The limit is exact, declared or chunked; beyond it 413."""
        body = b"<a>" + b"x" * 993 + b"</a>"
        for extra, statuses in ((b"", [202]), (b" ", [413])):
            for request in (post(body + extra), post(chunked(body + extra, 100), "Transfer-Encoding: chunked")):
                client = Stage(limits=GatewayLimits(max_body_bytes=1000)).client()
                client.send(request)
                assert statuses == client.statuses

    def test_a_bomb_is_refused(self) -> None:
        """A body that inflates to far more than its size never reaches memory whole."""
        client = Stage().client()
        client.send(post(gzip.compress(b" " * 9_000_000 + b"<a/>"), "Content-Encoding: gzip"))
        assert [413] == client.statuses

    def test_a_cut_off_gzip_is_refused(self) -> None:
        """The end of the body must be the end of the gzip stream."""
        client = Stage().client()
        client.send(post(gzip.compress(SEED)[:-3], "Content-Encoding: gzip"))
        assert [400] == client.statuses

    def test_a_large_refused_body_is_not_waited_for(self) -> None:
        """The answer comes from the head alone; what still comes is dropped, and the end is awaited for a moment."""
        stage = Stage()
        client = stage.client()
        request = post(b"x" * (READ_AND_DROP_BYTES + 1), target="/http/nobody")
        client.send(request[:1000])
        assert [404] == client.statuses
        assert client.transport.half_closed and not client.transport.closed
        client.send(request[1000:])
        client.end()
        assert client.transport.closed and not client.transport.aborted

    def test_who_never_stops_sending_is_cut_off(self) -> None:
        """The lingering close ends by time and by bytes."""
        for cut in ("time", "bytes"):
            stage = Stage()
            client = stage.client()
            client.send(b"nonsense\r\n\r\n")
            if cut == "time":
                stage.pass_time(6)
            else:
                client.send(*(b"x" * 1_000_000 for _ in range(18)))
            assert client.transport.aborted

    def test_pipelining_is_bounded_by_back_pressure(self) -> None:
        """Reading pauses when enough requests wait, goes on as they are answered, and none is lost."""
        stage = Stage(at_once=False, limits=GatewayLimits(max_pipelined=4))
        client = stage.client()
        client.send(post() * 300)
        assert client.transport.paused
        assert len(stage.sink.events) < 4 + 4096 / len(post()) + 1
        while stage.sink.waiting:
            stage.sink.commit()
        assert [202] * 300 == client.statuses
        assert not client.transport.paused


class TestDeadlines:
    """Every wait has an end, and one coarse sweep finds it."""

    def test_a_silent_connection_is_closed(self) -> None:
        """Who connects and says nothing is let go after the header time-out, empty lines do not help."""
        stage = Stage()
        silent, dripping = stage.client(), stage.client()
        for _ in range(21):
            dripping.send(b"\r\n")
            stage.pass_time(1)
        assert silent.transport.closed and dripping.transport.closed
        assert [] == silent.statuses + dripping.statuses

    def test_a_slow_head_is_a_408(self) -> None:
        """The whole head has one deadline, which single bytes do not push back."""
        stage = Stage()
        client = stage.client()
        for byte in post()[:21]:
            client.send(bytes((byte,)))
            stage.pass_time(1)
        assert [408] == client.statuses

    def test_a_silent_body_is_a_408(self) -> None:
        """Nothing for `body_timeout_s` ends the body."""
        stage = Stage()
        client = stage.client()
        client.send(post()[:-10])
        stage.pass_time(19)
        assert [] == client.statuses
        stage.pass_time(2)
        assert [408] == client.statuses

    def test_a_dripping_body_is_a_408(self) -> None:
        """Bytes that reset the silence do not reset the minimum rate."""
        stage = Stage()
        client = stage.client()
        body = b"<a>" + b"x" * 10_000 + b"</a>"
        client.send(post(body)[: -len(body)])
        seconds = 0
        while not client.statuses and seconds < 100:
            client.send(b"x" * 10)
            stage.pass_time(5)
            seconds += 5
        assert [408] == client.statuses
        assert seconds <= 30

    def test_a_slow_honest_body_passes(self) -> None:
        """Twice the minimum rate is enough, however long the whole takes."""
        stage = Stage()
        client = stage.client()
        body = b"<a>" + b"x" * 100_000 + b"</a>"
        request = post(body)
        for start in range(0, len(request), 4800):
            client.send(request[start : start + 4800])
            stage.pass_time(10)
        stage.run_threads()
        assert [202] == client.statuses

    def test_an_idle_connection_is_closed(self) -> None:
        """Between requests a connection may rest for `idle_timeout_s`, counted from the last answer."""
        stage = Stage()
        client = stage.client()
        stage.pass_time(15)
        client.send(post())
        stage.pass_time(70)
        client.send(post())
        assert [202, 202] == client.statuses
        stage.pass_time(74)
        assert not client.transport.closed
        stage.pass_time(2)
        assert client.transport.closed
        assert [202, 202] == client.statuses

    def test_a_sink_that_never_answers_is_a_503(self) -> None:
        """The sender is told that the event may be stored or not; a late commit is counted, not answered twice."""
        stage = Stage(at_once=False)
        client = stage.client()
        client.send(post())
        stage.pass_time(31)
        assert [503] == client.statuses
        stage.sink.commit()
        assert [503] == client.statuses

    def test_who_does_not_read_is_cut_off(self) -> None:
        """A peer that refuses to read its answers stops being read from, and goes after the deadline."""
        stage = Stage()
        client = stage.client(room=100)
        client.send(post() * 3)
        assert client.transport.paused
        stage.pass_time(29)
        assert not client.transport.closed
        stage.pass_time(2)
        assert client.transport.aborted

    def test_who_reads_slowly_gets_everything(self) -> None:
        """Each piece that is read is progress: a large answer may take longer than one deadline."""
        stage = Stage()
        client = stage.client(room=10)
        client.send(post() * 3)
        for _ in range(60):
            client.transport.drain(8)
            stage.pass_time(0.5)
        client.transport.drain(10_000)
        assert [202, 202, 202] == client.statuses
        assert not client.transport.paused


class TestHttp10:
    """HTTP/1.0 senders."""

    def test_the_connection_ends(self) -> None:
        """Without a wish to keep it, one answer is all."""
        client = Stage().client()
        client.send(post().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert ["close"] == [answer.headers["connection"] for answer in client.answers]
        assert client.transport.closed

    def test_the_connection_is_kept_on_wish(self) -> None:
        """`Connection: keep-alive` is granted, and said."""
        client = Stage().client()
        client.send(post(SEED, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert ["keep-alive"] == [answer.headers["connection"] for answer in client.answers]
        assert not client.transport.closed


def test_nothing_of_a_connection_waits_for_the_garbage_collector() -> None:
    """It would have to come by for every few connections; here one leaves before its answer comes."""
    stage = Stage(at_once=False)

    def leave() -> None:
        client = stage.client()
        client.send(post())
        client.transport.loseConnection()
        stage.sink.commit()

    assert [] == garbage_of(leave)
    assert 1 == len(stage.sink.events)


def test_xml_answers_on_wish() -> None:
    """Accept decides the form of 202 and of problems."""
    client = Stage().client()
    client.send(post(SEED, "Accept: application/xml") + post(b"<a>", "Accept: text/xml"))
    accepted, problem = client.answers
    assert b"<accepted><requestId>id-0001</requestId></accepted>\n" == accepted.body
    assert "application/problem+xml" == problem.headers["content-type"]


def test_head_and_get_are_told_the_method() -> None:
    """405 names POST; HEAD gets no body."""
    client = Stage().client()
    client.send(post(b"", method="GET"))
    assert (405, "POST") == (client.answers[0].status, client.answers[0].headers["allow"])
    client = Stage().client()
    client.send(post(b"", method="HEAD"))
    assert client.transport.written.startswith(b"HTTP/1.1 405 ") and client.transport.written.endswith(b"\r\n\r\n")


def test_large_bodies_are_checked_in_a_thread() -> None:
    """Other senders are served meanwhile, and answers keep their order."""
    stage = Stage()
    large = b"<a>" + b"<b/>" * 30_000 + b"</a>"
    client, other = stage.client(), stage.client()
    client.send(post(large) + post())
    other.send(post())
    assert ([], [202]) == (client.statuses, other.statuses)
    stage.run_threads()
    assert [202, 202] == client.statuses
    client.send(post(large[:-1]))
    stage.run_threads()
    assert [202, 202, 400] == client.statuses


def test_a_batch_in_random_order_over_many_connections() -> None:
    """Every request is answered once, with its own id, whatever the order of the batch."""
    stage = Stage(at_once=False)
    clients = [stage.client() for _ in range(8)]
    for round_ in range(5):
        for number, client in enumerate(clients):
            client.send(post(b"<n>%d.%d</n>" % (number, round_)))

    def shuffled(batch: list[Waiting]) -> list[Waiting]:
        return random.Random(7).sample(batch, len(batch))

    stage.sink.commit(shuffled)
    ids = {event.id: event.body for event in stage.sink.events}
    for number, client in enumerate(clients):
        told = [ids[json.loads(answer.body)["requestId"]] for answer in client.answers]
        assert [b"<n>%d.%d</n>" % (number, round_) for round_ in range(5)] == told
