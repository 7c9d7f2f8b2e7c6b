"""One event in a real worker outside of an agent: what it would send, and nothing that leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.host.messages import Ask, EventCall, HttpCall, Load, Told, Verdict
from agent.host.rehearsal import Rehearsed, rehearse


def nobody(ask: Ask) -> Told:
    return Told(number=ask.number, trouble="nobody is there")


def tried(
    tmp_path: Path, code: str, *, answer: Callable[[Ask], Told] = nobody, hook_timeout_s: float = 20.0
) -> Rehearsed:
    script = tmp_path / "x.py"
    script.write_text("import os, sys, time\nfrom agent.sdk import *\n" + code)
    threads = {"normal": 1, "high": 1, "http": 1}
    order = Load(script=str(script), service="a|x", agent_id="i", constants={}, destination="outbox", threads=threads)
    body = b"<event><pump>7</pump></event>"
    event = EventCall(
        call=1,
        lane="normal",
        id="e",
        attempt=1,
        event_kind="xml",
        body=body,
        content_type="application/xml",
        charset=None,
        path="",
        query="",
        group="",
        peer="127.0.0.1",
        received_us=0,
    )
    request = HttpCall(
        call=2, id="e", method="POST", path="", query="", headers=(), body=body, charset=None, peer="127.0.0.1"
    )
    return rehearse(order, event, request, answer=answer, home=tmp_path, hook_timeout_s=hook_timeout_s)


def test_what_is_sent_comes_back_with_what_is_said(tmp_path: Path) -> None:
    """In the order in which it was said, from start-up to shutdown."""
    found = tried(
        tmp_path,
        "def on_startup(): context.log.info('up')\n"
        "def on_event(event):\n"
        "    print('in hand')\n    context.log.debug('pump %s', event.find('pump'))\n"
        "    context.send('x', json={'pump': event.find('pump')}, headers={'X-A': '1'}, path='/p', method='PUT')\n"
        "def on_shutdown(): context.log.warning('down')\n",
    )
    assert found.result is not None
    assert Verdict.DONE == found.result.verdict
    (request,) = found.result.requests
    assert ("x", "PUT", "/p", (("X-A", "1"),)) == (request.destination, request.method, request.path, request.headers)
    assert {"pump": "7"} == json.loads(request.body)
    assert (("info", "up"), ("print", "in hand"), ("debug", "pump 7"), ("warn", "down")) == found.said
    assert ("on_event", "on_startup", "on_shutdown") == found.hooks


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        ("raise RejectEvent('no pump')", Verdict.REJECT, "no pump"),
        ("raise RetryableError('later', after_s=5)", Verdict.RETRY, "later"),
        ("raise KeyError('pump')", Verdict.ERROR, "on_event raised KeyError: 'pump'"),
        ("sys.exit(3)", Verdict.ERROR, "SystemExit"),
    ],
)
def test_what_the_hook_raises_is_told(tmp_path: Path, code: str, verdict: Verdict, reason: str) -> None:
    """With nothing sent, whatever it had sent before."""
    found = tried(tmp_path, f"def on_event(event):\n    context.send(json=1)\n    {code}\n")
    assert found.result is not None
    assert (verdict, ()) == (found.result.verdict, found.result.requests)
    assert reason in found.result.reason


def test_questions_get_the_answers_that_are_given(tmp_path: Path) -> None:
    """And what was asked is told."""

    def answer(ask: Ask) -> Told:
        return Told(number=ask.number, status=404, body=b"gone", content_type="text/plain", where="w")

    code = (
        "async def on_event(event):\n    got = await context.request('x', path='/p')\n    context.send(json=got.text)\n"
    )
    found = tried(tmp_path, code, answer=answer)
    assert found.result is not None
    assert [b'"gone"'] == [one.body for one in found.result.requests]
    assert [("x", "GET", "/p")] == [(one.destination, one.method, one.path) for one in found.asked]
    refused = tried(tmp_path, code)
    assert refused.result is not None
    assert (Verdict.RETRY, "nobody is there") == (refused.result.verdict, refused.result.reason)


def test_a_sender_is_answered_first(tmp_path: Path) -> None:
    """As the gateway does it: `on_event` has its turn when `on_http` returns None, and there is one."""
    http = "def on_http(request): return {}\n"
    event = "def on_event(event): context.send(json='event')\n"
    answered = tried(tmp_path, http.format("HttpResponse(status=201, body='yes')") + event)
    assert answered.response is not None
    assert (201, b"yes", ()) == (answered.response.status, answered.response.body, answered.result.requests)  # type: ignore[union-attr]
    passed = tried(tmp_path, http.format("None") + event)
    assert passed.result is not None
    assert [b'"event"'] == [one.body for one in passed.result.requests]
    alone = tried(tmp_path, http.format("None"))
    assert (Verdict.DONE, None) == (alone.result and alone.result.verdict, alone.response)


@pytest.mark.parametrize(
    ("code", "trouble", "is_loaded"),
    [
        ("import nowhere_at_all\n", "x.py:3: ModuleNotFoundError", False),
        ("def on_startup(): raise OSError('no database')\ndef on_event(e): pass\n", "on_startup raised", False),
        ("def on_event(event): os._exit(3)\n", "the worker process ended with exit status 3", True),
        ("def on_event(event): os.kill(os.getpid(), 9)\n", "was ended by signal SIGKILL", True),
        ("os._exit(4)\n", "ended with exit status 4", False),
    ],
)
def test_a_worker_that_does_not_answer_is_told(tmp_path: Path, code: str, trouble: str, is_loaded: bool) -> None:
    """In one sentence, and there is no result."""
    found = tried(tmp_path, code)
    assert (None, is_loaded) == (found.result, found.is_loaded)
    assert trouble in found.trouble
    assert "\n" not in found.trouble


def test_a_hook_that_hangs_is_told_by_its_line(tmp_path: Path) -> None:
    """After its time, and with everything it has started it is gone."""
    found = tried(tmp_path, "def on_event(event):\n    time.sleep(1000)\n", hook_timeout_s=0.5)
    assert f"on_event took longer than 0.5 s, in on_event ({tmp_path}/x.py:4)" == found.trouble
    assert "x.py" in found.detail
