"""What is read from the bytes of a server's answer, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.reply import MAX_HEAD_BYTES, Reply, ReplyError, ReplyReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def read(*pieces: bytes, is_head: bool = False, ends: bool = False, limit: int = 1000) -> tuple[Reply | str, bool]:
    """The answer, or why it is none, and whether the connection may be used again."""
    reader = ReplyReader(max_body_bytes=limit)
    reader.expect(is_head=is_head)
    try:
        for piece in pieces:
            if reader.is_complete:
                return reader.take(), False  # unasked: whoever has the connection drops it
            reader.feed(piece)
    except ReplyError as error:
        return str(error), False
    if not reader.is_complete:
        if not (ends and reader.has_head):
            return "nothing yet", False
        reader.cut()
    return reader.take(), reader.can_go_on


def body_of(*pieces: bytes, **how: bool) -> tuple[int, bytes, bool, bool]:
    """Status, body, whether it is cut, and whether the connection may be used again."""
    reply, can_go_on = read(*pieces, **how)
    assert isinstance(reply, Reply), reply
    return reply.status, reply.body, reply.is_cut, can_go_on


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", (200, b"hi", False, True)),
        (OK + b"Content-Length: 0\r\n\r\n", (200, b"", False, True)),
        (CHUNKED + b"2\r\nhi\r\n1;x=y\r\n!\r\n0\r\nT: x\r\n\r\n", (200, b"hi!", False, True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", False, True)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", (304, b"", False, True)),
        (b"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", (202, b"", False, True)),
        (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi", (200, b"hi", False, False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False, False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", (200, b"", False, True)),
        (INTERIM + OK + b"Content-Length: 0\r\n\r\n", (200, b"", False, True)),
    ],
    ids=["length", "empty", "chunked", "204", "304", "no-phrase", "close", "http-1.0", "http-1.0-kept", "interim"],
)
def test_an_answer_ends_where_its_head_says(answer: bytes, expected: tuple[int, bytes, bool, bool]) -> None:
    """And the connection goes on where both ends want it."""
    assert expected == body_of(answer)


def test_fields_are_found_by_name() -> None:
    """In any case, without the blanks around; interim answers and trailers give none."""
    reply, _ = read(
        b"HTTP/1.1 103 Early Hints\r\nX: early\r\n\r\nHTTP/1.1 401 No\r\nwww-AUTHENTICATE:  Basic \r\n"
        b"WWW-Authenticate: Digest\r\nServer: \xe4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: late\r\n\r\n"
    )
    assert isinstance(reply, Reply)
    assert (["Basic", "Digest"], "Basic") == (reply.values(b"www-authenticate"), reply.first(b"www-authenticate"))
    assert ("ä", "") == (reply.first(b"server"), reply.first(b"x"))


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """It counts as whole: nobody can tell. With a length or chunks, it is cut."""
    assert (200, b"abc", False, False) == body_of(OK + b"\r\nabc", ends=True)
    assert (200, b"zip", False, False) == body_of(OK + b"Transfer-Encoding: gzip\r\n\r\nzip", ends=True)
    assert (200, b"abc", True, False) == body_of(OK + b"Content-Length: 4\r\n\r\nabc", ends=True)
    assert (200, b"ab", True, False) == body_of(CHUNKED + b"2\r\nab\r\n", ends=True)


def test_a_body_is_cut_at_the_limit() -> None:
    """What fits is kept."""
    assert (200, b"abcd", True, False) == body_of(OK + b"\r\nabcdef", limit=4)
    assert (200, b"abcd", False, True) == body_of(OK + b"Content-Length: 4\r\n\r\nabcd", limit=4)


def test_an_answer_to_head_has_no_body() -> None:
    """Whatever length its head tells; only where that is none, the connection can be trusted with another request."""
    assert (200, b"", False, False) == body_of(OK + b"Content-Length: 5\r\n\r\n", is_head=True)
    assert (200, b"", False, False) == body_of(CHUNKED, is_head=True)
    assert (200, b"", False, False) == body_of(OK + b"Content-Length: 5\r\n\r\nhello", is_head=True)
    assert (200, b"", False, True) == body_of(OK + b"Content-Length: 0\r\n\r\n", is_head=True)


@pytest.mark.parametrize(
    "behind",
    [
        b"x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 408 Request Timeout\r\n\r\nbye",
        b"\0" * 70_000,
    ],
)
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2\r\n\r\nhi", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"]
)
def test_what_comes_behind_an_answer_is_nobodys(behind: bytes, framing: bytes) -> None:
    """The answer counts; the connection, whose next answer could be to anything, does not."""
    assert (200, b"hi", False, False) == body_of(OK + framing + behind)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 smtp.example ready\r\n",
        b"SSH-2.0-x\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 99 What\r\n\r\n",
        b"HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 199 What\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
        OK + b"no field\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    """From its first wrong byte on."""
    assert ("what came back is not HTTP/1.1", False) == read(answer)


def test_a_head_has_an_end() -> None:
    """One long field, many of them, or interim answers without end."""
    long = f"the head of its answer is longer than {MAX_HEAD_BYTES // 1024} KiB"
    assert long == read(OK + b"X: " + b"x" * MAX_HEAD_BYTES)[0]
    assert long == read(OK, *[b"X: y\r\n"] * (MAX_HEAD_BYTES // 6 + 1))[0]
    assert long == read(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * (MAX_HEAD_BYTES // 25 + 1))[0]


def test_framing_without_a_body_has_an_end() -> None:
    """Chunk extensions and trailers that never end are a body that is cut."""
    endless = [b"0\r\nT: x"] + [b"x" * 16_384] * 10
    assert (200, b"", True, False) == body_of(CHUNKED, *endless)


def test_a_chunk_that_is_none_takes_the_status_not_back() -> None:
    """Whether it comes with the head or later."""
    for pieces in (
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz",),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", b"zz"),
    ):
        assert (200, b"hi", True, False) == body_of(OK, *pieces)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        OK + b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        OK + b"X: folded\r\n into two\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"X: \x01\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    ],
    ids=["line-ends", "length-and-chunks", "folded", "control", "interim"],
)
def test_a_sloppy_server_is_understood_but_not_trusted(answer: bytes) -> None:
    """The event was taken; the next one goes over another connection."""
    assert (200, b"hi", False, False) == body_of(answer)


WELL_FORMED = st.sampled_from(
    [
        OK + b"Content-Length: 2\r\nX: y\r\n\r\nhi",
        CHUNKED + b"2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        OK + b"\r\nuntil the end",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"220 smtp.example ready\r\n",
        OK + b"Content-Length: x\r\n\r\n",
        CHUNKED + b"2\r\nhi\r\nzz\r\n",
    ]
)


@given(st.data(), WELL_FORMED, st.binary(max_size=3), st.booleans(), st.integers(min_value=0, max_value=5))
def test_any_split_gives_the_same_verdict(
    data: st.DataObject, answer: bytes, behind: bytes, is_head: bool, limit: int
) -> None:
    """Whether it comes byte by byte or at once, with whatever behind it."""
    whole = answer + behind
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    pieces = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    once, split = (
        read(whole, is_head=is_head, ends=True, limit=limit),
        read(*pieces, is_head=is_head, ends=True, limit=limit),
    )
    assert once[0] == split[0]
    if is_head or not behind.strip(b"\r\n"):
        # Of what comes behind an answer in a piece of its own, whoever has the connection knows.
        return
    assert (once[1], split[1]) == (False, False)


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([OK, b"\r\n", b"Content-Length: 3\r\n", b"0\r\n\r\n"]), max_size=8
    )
)
def test_nothing_that_comes_is_a_fault_of_ours(pieces: list[bytes]) -> None:
    """It is an answer, none, or not there yet."""
    reply, _ = read(*pieces, ends=True)
    assert isinstance(reply, Reply) or reply in ("nothing yet", "what came back is not HTTP/1.1")
