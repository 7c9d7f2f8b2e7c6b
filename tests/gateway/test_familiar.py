"""Requests whose head was read before."""

import json

import pytest

from agent.config.model import GatewayLimits
from agent.gateway import reading
from agent.gateway.familiar import MAX_HEADS, FamiliarHeads
from agent.wire import read_head
from tests.support.gateway import SEED, Stage, post

HEADERS = [(b"Host", b"a"), (b"Content-Length", b"4")]
RAW = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


def learned(raw: bytes = RAW, headers: list[tuple[bytes, bytes]] = HEADERS, **facts: object) -> FamiliarHeads:
    heads = FamiliarHeads()
    given = {"method": "POST", "version": "1.1", "keep_alive": True, **facts}
    heads.learn(raw + b"<a/>", read_head(headers=headers, **given), b"/x", headers)  # type: ignore[arg-type]
    return heads


def test_a_head_is_known_again() -> None:
    """The same bytes mean the same request, wherever it begins; the body is what follows."""
    heads = learned()
    found = heads.find(b"rest" + RAW + b"<b/>more", 4)
    assert found is not None
    assert (b"/x", HEADERS, 4 + len(RAW)) == (found[0].target, found[0].headers, found[1])


@pytest.mark.parametrize(
    "data", [RAW + b"<b", RAW[:-2], RAW.replace(b"Host: a", b"Host: b") + b"<b/>", b"", b"\r\n\r\n"]
)
def test_anything_else_is_for_the_parser(data: bytes) -> None:
    """A body that is not all here, and a head that differs in one byte, are not taken."""
    assert learned().find(data, 0) is None


@pytest.mark.parametrize(
    ("raw", "headers", "facts"),
    [
        (RAW, HEADERS, {"method": "PUT"}),
        (RAW, HEADERS, {"version": "1.0"}),
        (RAW, [(b"Host", b"a"), (b"Transfer-Encoding", b"chunked")], {}),
        (RAW, [*HEADERS, (b"Expect", b"100-continue")], {}),
        (RAW, [*HEADERS, (b"Content-Encoding", b"gzip")], {}),
        (RAW, [*HEADERS, (b"X", b"1")], {}),
        (b"\r\n\r\n" + RAW, HEADERS, {}),
        (RAW[:-2], HEADERS, {}),
    ],
)
def test_only_what_is_plain_is_remembered(
    raw: bytes, headers: list[tuple[bytes, bytes]], facts: dict[str, object]
) -> None:
    """Whatever makes a request special is read each time; so is a head whose lines the parser has seen otherwise."""
    heads = learned(raw, headers, **facts)
    assert heads.find(RAW + b"<a/>", 0) is None
    assert heads.find(raw + b"<a/>", 0) is None


def test_the_memory_is_bounded() -> None:
    """After `MAX_HEADS` all are forgotten, and learned again."""
    heads = FamiliarHeads()
    head = read_head(method="POST", version="1.1", keep_alive=True, headers=HEADERS)
    raws = [RAW.replace(b"/x", b"/%d" % number) + b"<a/>" for number in range(MAX_HEADS + 1)]
    for raw in raws:
        heads.learn(raw, head, b"/x", HEADERS)
    assert heads.find(raws[0], 0) is None
    assert heads.find(raws[-1], 0) is not None


def test_a_familiar_request_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request with the same head is taken without the parser, by any connection, and answered the same."""
    stage = Stage()
    stage.client().send(post())
    monkeypatch.setattr(reading.RequestReader, "feed", lambda *_: pytest.fail("this was read before"))
    client = stage.client()
    client.send(post())
    client.send(post() * 3)
    assert [202] * 4 == client.statuses
    assert [SEED] * 5 == [event.body for event in stage.sink.events]


def test_a_familiar_head_does_not_pass_the_parser_by() -> None:
    """What the parser has begun to read goes on in the parser, also where a familiar head seems to follow."""
    stage = Stage()
    client = stage.client()
    client.send(post())
    client.send(b"PO", post())
    assert [202, 400] == client.statuses
    assert 1 == len(stage.sink.events)


def test_what_was_refused_is_not_remembered() -> None:
    """A request that was refused from its head is decided anew each time."""
    stage = Stage()
    client = stage.client()
    client.send(post(target="/http/nobody_knows"), post(target="/http/nobody_knows"))
    assert [404, 404] == client.statuses
    assert 2 == stage.counters.counts["gateway.refused", "unknown-service"]


def test_a_whole_request_is_matched_no_more_and_no_less() -> None:
    """What follows a request, or is missing from it, makes it one to be fed."""
    heads = learned()
    assert heads.match(RAW + b"<b/>") is not None
    assert [None, None] == [heads.match(RAW + b"<b/>P"), heads.match(RAW + b"<b/")]


def test_a_familiar_request_is_refused_like_any_other() -> None:
    """Credentials that hold no longer, a bad body, a reader that is slow: the way of familiar requests knows them."""
    stage = Stage(limits=GatewayLimits(idle_timeout_s=3))
    client = stage.client()
    client.send(post(), post(SEED.replace(b"</event>", b"</evert>")), post())
    assert [202, 400, 202] == client.statuses
    stage.pass_time(5)
    assert client.transport.closed


def test_familiar_requests_are_answered_in_their_order() -> None:
    """A second one that comes before the first is answered waits for its turn, whatever is committed first."""
    stage = Stage(at_once=False)
    first = stage.client()
    first.send(post())
    stage.sink.commit()
    first.send(post())
    first.send(post())
    stage.sink.commit(reversed)
    ids = [json.loads(answer.body)["requestId"] for answer in first.answers]
    assert ["id-0001", "id-0002", "id-0003"] == ids


def test_a_familiar_last_request_ends_the_connection() -> None:
    """A sender that wants the connection closed gets its answer, and then the end; what follows is not looked at."""
    stage = Stage()
    last = post(SEED, "Connection: close")
    for requests in ((last,), (last,), (last + post(),), (post() + last + post(),)):
        client = stage.client()
        client.send(*requests)
        assert [202] * (1 + requests[0].startswith(post())) == client.statuses
        assert "close" == client.answers[-1].headers["connection"]
        assert client.transport.closed and not client.transport.aborted


def test_a_familiar_last_request_waits_for_its_commit() -> None:
    """The connection ends with the answer, not before it."""
    stage = Stage(at_once=False)
    for _ in range(2):
        client = stage.client()
        client.send(post(SEED, "Connection: close"))
        assert not client.transport.closed
        stage.sink.commit()
        assert ([202], True) == (client.statuses, client.transport.closed)
