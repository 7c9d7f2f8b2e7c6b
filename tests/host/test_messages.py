"""agent.host.messages: both ends mean the same; what a worker says is checked before use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.delivery import OutboundRequest
from agent.host.messages import (
    MAX_DETAIL_CHARS,
    Ask,
    Broken,
    EventCall,
    Filter,
    Finish,
    FromAgent,
    FromWorker,
    HttpCall,
    Load,
    LogLine,
    Ready,
    Response,
    Result,
    Told,
    Verdict,
)
from agent.host.reading import from_agent, from_worker
from agent.wire.frames import Decoder, Frame, FrameError, encode

REQUEST = OutboundRequest(
    destination="tickets", body=b"\xff\x00", content_type="a/b", headers=(("x", "y"),), path="/p", method="PUT"
)
CALL = EventCall(
    call=1,
    lane="high",
    id="e",
    attempt=2,
    event_kind="xml",
    body=b"\xff",
    content_type="text/xml",
    charset=None,
    path="/a",
    query="b=c",
    group="g",
    peer="192.0.2.1",
    received_us=5,
)


def over_the_pipe(frame: Frame) -> Frame:
    (received,) = Decoder().feed(encode(frame))
    return received


@pytest.mark.parametrize(
    "message",
    [
        Load(
            script="/x.py",
            service="a|b",
            agent_id="i",
            constants={"k": "v"},
            destination="o",
            destinations=("o", "p"),
            threads={"normal": 1, "high": 2},
            kept_threads=2,
            limits={"memory_bytes": 5},
            filters=(Filter(name="f", predicates=("p", "q"), period_s=3, window_size=4),),
            dedup_filter="f",
            counted=(("f", "key", 1.5),),
        ),
        CALL,
        HttpCall(
            call=2,
            id="e",
            method="POST",
            path="",
            query="",
            headers=(("a", "b"),),
            body=b"x",
            charset="utf-8",
            peer="p",
        ),
        Finish(),
        Told(number=3, status=200, where="w", content_type="t", is_cut=True, body=b"\xff", trouble="", may_pass=False),
    ],
    ids=lambda message: type(message).__name__,
)
def test_agent_is_understood(message: FromAgent) -> None:
    """What the agent says arrives in the worker as the same record."""
    assert message == from_agent(over_the_pipe(message.frame()))


@pytest.mark.parametrize(
    "message",
    [
        Ready(hooks=("on_event", "on_http"), sdk="1.0"),
        Broken(sentence="x.py:1: no", detail="Traceback"),
        LogLine(level="info", text="hello", event_id="e"),
        Result(call=1, verdict=Verdict.DONE, requests=(REQUEST, REQUEST)),
        Ask(number=4, call=1, timeout_s=2.5, request=REQUEST),
        Result(
            call=1,
            verdict=Verdict.DONE,
            requests=(REQUEST,),
            response=Response(status=201, headers=(("a", "b"),), body=b"\x00"),
        ),
        Result(call=7, verdict=Verdict.RETRY, reason="down", after_s=1.5),
        Result(call=8, verdict=Verdict.DONE, remembered=(("f", "key"),)),
        Result(call=7, verdict=Verdict.ERROR, reason="bug", detail="Traceback"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_worker_is_understood(message: FromWorker) -> None:
    """What a worker says arrives in the agent as the same record."""
    assert message == from_worker(over_the_pipe(message.frame()))


RESULT: dict[str, Any] = {"kind": "result", "call": 1, "verdict": "done"}


@pytest.mark.parametrize(
    ("head", "blobs"),
    [
        ({}, ()),
        ({"kind": "event"}, ()),
        ({"kind": ["x"]}, ()),
        ({**RESULT, "call": "1"}, ()),
        ({**RESULT, "call": True}, ()),
        ({**RESULT, "verdict": "splendid"}, ()),
        ({**RESULT, "verdict": None}, ()),
        ({**RESULT, "after_s": "soon"}, ()),
        ({**RESULT, "after_s": True}, ()),
        ({**RESULT, "after_s": float("nan")}, ()),
        ({**RESULT, "reason": 1}, ()),
        ({**RESULT, "requests": [["d", "t", [], "", ""]]}, ()),
        ({**RESULT, "requests": [["d", "t", [], ""]]}, (b"",)),
        ({**RESULT, "requests": [["d", "t", [["a"]], "", ""]]}, (b"",)),
        ({**RESULT, "requests": {"d": 1}}, (b"",)),
        ({**RESULT, "response": [99, []]}, (b"",)),
        ({**RESULT, "response": [200, "x"]}, (b"",)),
        ({**RESULT, "response": "x"}, (b"",)),
        ({**RESULT}, (b"",)),
        ({"kind": "ready", "protocol": 1, "hooks": "on_event"}, ()),
        ({"kind": "ready", "protocol": 0, "hooks": []}, ()),
        ({"kind": "log", "level": "info", "text": None}, ()),
        ({"kind": "ask", "number": "1", "call": 1, "request": ["d", "t", [], "", ""]}, (b"",)),
        ({"kind": "ask", "number": 1, "call": 1, "request": ["d", "t", [], "", ""]}, ()),
        ({"kind": "ask", "number": 1, "call": 1, "request": None}, (b"",)),
        ({"kind": "ask", "number": 1, "call": 1, "timeout_s": "1", "request": ["d", "t", [], "", ""]}, (b"",)),
    ],
)
def test_nonsense_from_a_worker_is_named(head: dict[str, Any], blobs: tuple[bytes, ...]) -> None:
    """A frame that is no message, or has a field of the wrong type, raises and never becomes a record."""
    with pytest.raises(FrameError):
        from_worker(Frame(head, blobs))


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.text(max_size=2))


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(["call", "verdict", "reason", "detail", "after_s", "requests", "response", "hooks", "text"]),
        values,
    ),
    st.sampled_from(["result", "log", "ready", "broken", "ask"]),
    st.lists(st.binary(max_size=2), max_size=2),
)
def test_any_head_is_a_message_or_a_fault(head: dict[str, Any], kind: str, blobs: list[bytes]) -> None:
    """No JSON at all raises anything but `FrameError`."""
    try:
        from_worker(Frame({**head, "kind": kind, "protocol": 1}, tuple(blobs)))
    except FrameError as error:
        assert "worker-nonsense" == error.code


def test_incomplete_call_is_named() -> None:
    """The worker, too, says what it did not understand."""
    with pytest.raises(FrameError, match="kind 'event' is not complete"):
        from_agent(Frame({"kind": "event", "call": 1}, (b"",)))


def test_half_a_surrogate_pair_goes_no_further() -> None:
    """A text that no database could store is made storable before anybody has it."""
    reason = from_worker(Frame({**RESULT, "reason": "bad \ud83d"})).reason  # type: ignore[union-attr]

    assert "bad ?" == reason


def test_long_texts_are_cut() -> None:
    """The traceback of a deep recursion does not become a frame that is over the limits."""
    detail = from_worker(Result(call=1, verdict=Verdict.ERROR, reason="r", detail="x" * 10**6).frame()).detail  # type: ignore[union-attr]

    assert MAX_DETAIL_CHARS == len(detail)
    assert detail.endswith(" [cut short]")
