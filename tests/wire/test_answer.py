"""Answers as bytes."""

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from agent.errors import SenderError
from agent.wire.answer import Answers, Persistence, http_date
from tests.support.gateway import Reply, read_replies

KEEP = Persistence.KEEP
ERROR = SenderError(
    "unknown-service",
    "No service is called '<b>\x1b' & co.",
    status=404,
    title="Unknown",
    headers=(("Retry-After", "5"),),
)


def one(data: bytes) -> Reply:
    (reply,) = read_replies(data)
    return reply


def test_a_202_carries_the_id() -> None:
    """JSON by default, XML on wish; both say their type and length."""
    answers = Answers(now_s=0)
    reply = one(answers.accepted("id-1", xml=False, persistence=KEEP))
    assert (202, "application/json", {"requestId": "id-1"}) == (
        reply.status,
        reply.headers["content-type"],
        json.loads(reply.body),
    )
    reply = one(answers.accepted("id-22", xml=True, persistence=KEEP))
    assert "id-22" == etree.fromstring(reply.body).findtext("requestId")


def test_the_date_follows_the_clock() -> None:
    """What was rendered for one second is not used in the next."""
    answers = Answers(now_s=0)
    assert "Thu, 01 Jan 1970 00:00:00 GMT" == one(answers.accepted("a", xml=False, persistence=KEEP)).headers["date"]
    answers.tick(1)
    assert "Thu, 01 Jan 1970 00:00:01 GMT" == one(answers.accepted("a", xml=False, persistence=KEEP)).headers["date"]


@pytest.mark.parametrize(
    ("persistence", "said"), [(KEEP, None), (Persistence.KEEP_SAID, "keep-alive"), (Persistence.CLOSE, "close")]
)
def test_says_what_happens_to_the_connection(persistence: Persistence, said: str | None) -> None:
    """HTTP/1.1 keeps silent about what is usual."""
    answers = Answers(now_s=0)
    for data in (
        answers.accepted("a", xml=False, persistence=persistence),
        answers.problem(ERROR, xml=False, persistence=persistence),
        answers.response(200, (), b"x", persistence=persistence),
    ):
        assert said == one(data).headers.get("connection")


def test_a_problem_is_rfc_9457_json() -> None:
    """Type, title, status and detail; markup and control characters cannot act where someone shows them."""
    reply = one(Answers(now_s=0).problem(ERROR, xml=False, persistence=KEEP, event_id="id-9"))
    assert "application/problem+json" == reply.headers["content-type"]
    assert "5" == reply.headers["retry-after"]
    assert {
        "type": "urn:integration-agent:problem:unknown-service",
        "title": "Unknown",
        "status": 404,
        "detail": ERROR.sentence,
        "requestId": "id-9",
    } == json.loads(reply.body)
    assert not set(b"<>&\x1b") & set(reply.body)


def test_a_problem_is_rfc_9457_xml() -> None:
    """The same in XML, well-formed whatever was echoed."""
    reply = one(Answers(now_s=0).problem(ERROR, xml=True, persistence=KEEP))
    root = etree.fromstring(reply.body)
    assert "application/problem+xml" == reply.headers["content-type"]
    assert ["type", "title", "status", "detail"] == [etree.QName(child).localname for child in root]
    assert "No service is called '<b>?' & co." == root.findtext("{urn:ietf:rfc:7807}detail")


def test_head_is_answered_without_a_body() -> None:
    """The length is announced, the body left out."""
    data = Answers(now_s=0).problem(ERROR, xml=False, persistence=KEEP, bodiless=True)
    assert data.endswith(b"\r\n\r\n") and b"Content-Length: " in data


def test_a_services_answer_is_framed_by_us() -> None:
    """A service sets status, headers and body; framing headers it gives are dropped."""
    headers = (("Content-Type", "text/xml"), ("Content-Length", "99"), ("transfer-encoding", "chunked"), ("X-A", "b"))
    reply = one(Answers(now_s=0).response(299, headers, b"<ok/>", persistence=KEEP))
    assert (299, b"<ok/>", "b", "5") == (
        reply.status,
        reply.body,
        reply.headers["x-a"],
        reply.headers["content-length"],
    )
    assert "transfer-encoding" not in reply.headers
    assert b"Content-Length" not in Answers(now_s=0).response(204, (), b"x", persistence=KEEP)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, (("X", "a\r\nSet-Cookie: b"),)),
        (200, (("X\r\nY", "a"),)),
        (200, (("", "a"),)),
        (200, (("X", "a\0"),)),
        (200, (("X", "☃"),)),
        (100, ()),
        (101, ()),
        (600, ()),
    ],
)
def test_a_services_answer_cannot_split_ours(status: int, headers: tuple[tuple[str, str], ...]) -> None:
    """No line ends in headers, no status that is not final."""
    with pytest.raises(ValueError, match=r"header|status"):
        Answers(now_s=0).response(status, headers, b"", persistence=KEEP)


@pytest.mark.parametrize(("status", "phrase"), [(413, b"Content Too Large"), (414, b"URI Too Long"), (299, b"Other")])
def test_reasons_are_those_of_rfc_9110(status: int, phrase: bytes) -> None:
    """Not those of the RFC before it, which Python 3.11 still has."""
    answer = Answers(now_s=0).response(status, (), b"", persistence=Persistence.KEEP)
    assert answer.startswith(b"HTTP/1.1 %d %b\r\n" % (status, phrase))


@given(st.integers(min_value=0, max_value=253_402_300_799))
def test_dates_are_those_of_the_rfc(now_s: int) -> None:
    """As the standard library writes them, up to the year 9999."""
    assert formatdate(now_s, usegmt=True) == http_date(now_s)
