"""What an answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.outbound import AnswerRule, Then
from agent.delivery import Answer
from agent.upstream.verdict import refusal_of, seconds_of, shown_url

NOW_S = 1_795_195_525.0
WHERE = "https://x.example/in"


def judged(status, **headers):
    return refusal_of(Answer(status=status, where=WHERE), now_s=NOW_S, **headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(status):
    """All of it."""
    assert judged(status) is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_these_are_tried_again(status):
    """Overload, time-outs and faults of the far end pass."""
    assert judged(status).retryable


@pytest.mark.parametrize("status", [101, 300, 302, 308, 400, 404, 409, 410, 422, 600, 999])
def test_these_are_final(status):
    """The same request would get the same answer. The answer is kept."""
    refusal = judged(status)
    assert (False, status) == (refusal.retryable, refusal.answer.status)


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_refused_account_waits(status):
    """At least a minute: a wrong password must neither cost an hour's events nor lock the account."""
    refusal = judged(status)
    assert (True, 60.0) == (refusal.retryable, refusal.after_s)
    assert 90.0 == judged(status, retry_after="90").after_s


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"<center>No required SSL certificate was sent</center>", "name the alias of one"),
        (b"<center>The SSL certificate error</center>", "does not accept our client certificate"),
    ],
)
def test_a_client_certificate_is_an_account(page, words):
    """Nginx answers 400 for one that is missing or has expired: that must not make dead letters of a whole night."""
    refusal = refusal_of(Answer(status=400, where=WHERE, body=page), now_s=NOW_S)
    assert (True, 60.0) == (refusal.retryable, refusal.after_s)
    assert words in refusal.sentence
    assert not refusal_of(Answer(status=404, where=WHERE, body=page), now_s=NOW_S).retryable


@pytest.mark.parametrize(
    ("status", "then", "outcome"),
    [(409, "delivered", None), (404, "retry", True), (503, "dead", False), (200, "dead", False)],
)
def test_a_rule_of_the_destination_goes_first(status, then, outcome):
    """Each status can be made a success, a reason to wait, or final; others keep their meaning."""
    rules = (AnswerRule(first=status, last=status, then=Then(then)),)
    refusal = judged(status, rules=rules)
    assert outcome == (None if refusal is None else refusal.retryable)
    assert judged(201, rules=rules) is None


def test_a_redirect_says_where_it_pointed():
    """Without the credentials and the query that may stand in it, and without its control characters."""
    sentence = judged(302, location="https://u:p@y.example/new\x1b[2J?token=1").sentence
    assert "answered 302 Found and points to 'https://y.example/new\\x1b[2J'; redirects are not followed" in sentence


def test_retry_after_reaches_the_policy():
    """In seconds, and is told."""
    refusal = judged(503, retry_after="120")
    assert 120.0 == refusal.after_s
    assert f"{WHERE} answered 503 Service Unavailable and asks for 120 s of patience" == refusal.sentence


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 30 ", 30.0),
        ("Fri, 20 Nov 2026 17:26:25 GMT", 60.0),
        ("Fri, 20 Nov 2026 17:26:25 -0000", 60.0),
        ("Fri, 20 Nov 2020 17:26:25 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 5000, None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    """Anything else is as if it were not there."""
    assert seconds == seconds_of(text, now_s=NOW_S)


@given(st.text())
def test_no_retry_after_raises(text):
    """The far end chose it."""
    seconds = seconds_of(text, now_s=NOW_S)
    assert seconds is None or seconds >= 0


@given(st.text())
def test_no_url_raises_or_breaks_a_line(text):
    """The far end chose it."""
    assert shown_url(text).isprintable()


def test_a_shown_url_has_no_credentials():
    """Neither before the host nor in the query."""
    assert "https://h.example:8443/p" == shown_url("https://user:secret@h.example:8443/p?key=secret#frag")
