"""Questions and answers, as a service and its tests see them."""

from __future__ import annotations

import asyncio

import pytest

from agent.sdk import Answer, RejectEvent, RequestFailed, context
from agent.sdk.context import calling


def test_answers_of_a_test_come_in_their_order() -> None:
    """Without an agent; what was asked is there to be looked at. Without a body the method is GET."""
    with calling(answers=[Answer(status=200, body=b'{"a": 1}'), Answer(status=404)]) as call:
        assert {"a": 1} == context.request("assets", path="/7").wait().json()

        async def hook() -> Answer:
            return await context.request("assets", json={"b": 2}, timeout_s=3)

        assert 404 == asyncio.run(hook()).status
    assert [("assets", "/7", "GET", b"", ""), ("assets", "", "", b'{"b":2}', "application/json")] == [
        (one.destination, one.path, one.method, one.body, one.content_type) for one in call.asked
    ]
    assert [] == call.requests


def test_waiting_in_an_async_hook_is_refused() -> None:
    """It would hold up all other async hooks."""

    async def hook() -> None:
        context.request("assets").wait()

    with calling(answers=[Answer(status=200)]), pytest.raises(RuntimeError, match="await context"):
        asyncio.run(hook())


def test_asking_belongs_to_a_hook_with_an_event() -> None:
    """Not at the start, and not without an agent or answers."""
    with pytest.raises(RuntimeError, match=r"context\.request works within hooks that are called with an event"):
        context.request("assets")
    with calling(may_send=False), pytest.raises(RuntimeError, match="here is no event"):
        context.request("assets")
    with calling(), pytest.raises(RuntimeError, match="needs an agent"):
        context.request("assets")
    with calling(answers=[]), pytest.raises(ValueError, match="timeout_s is 0"):
        context.request("assets", timeout_s=0)


@pytest.mark.parametrize(("status", "error"), [(503, RequestFailed), (429, RequestFailed), (404, RejectEvent)])
def test_a_refusal_becomes_what_follows(status: int, error: type[Exception]) -> None:
    """What may pass is tried again, the rest is a dead letter."""
    with pytest.raises(error, match=f"t answered {status}"):
        Answer(status=status, where="t").raise_for_status()
    Answer(status=204).raise_for_status()


def test_the_patience_that_was_asked_for_is_kept() -> None:
    """`Retry-After` of an answer that was waited for is that of the next attempt."""
    with pytest.raises(RequestFailed) as caught:
        Answer(status=503, after_s=90.0).raise_for_status()
    assert 90.0 == caught.value.after_s


def test_text_and_json_of_an_answer() -> None:
    """In the charset it names; what was cut is no JSON."""
    assert "\u00fc" == Answer(status=200, body=b"\xfc", content_type="text/plain; charset=ISO-8859-1").text
    assert "\u00fc" == Answer(status=200, body=b"\xc3\xbc", content_type="text/plain; charset=no-such").text
    with pytest.raises(ValueError, match="raise max-answer-bytes"):
        Answer(status=200, body=b"[1", is_cut=True).json()
