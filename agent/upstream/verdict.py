"""What the answer of an HTTP destination means for the request. Pure.

| status | meaning |
|---|---|
| 2xx | delivered |
| 408, 429, 5xx | try again, after `Retry-After` where it is given |
| 3xx | dead: redirects are not followed, and a request repeated would be redirected again |
| other | dead: the same request would be refused again |

The status alone decides. A body that is cut off afterwards takes nothing back: the far end has decided by then.
"""

from __future__ import annotations

import email.utils
from datetime import UTC
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from agent.delivery import Answer
from agent.upstream.sender import Refusal

RETRYABLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

MAX_DELTA_DIGITS: Final = 9
"""Thirty years in seconds. More digits are no time, and `int` of thousands of them costs."""

MAX_SHOWN_CHARS: Final = 200


def refusal_of(answer: Answer, *, retry_after: str = "", location: str = "", now_s: float) -> Refusal | None:
    """None when the answer is a success, otherwise what to raise. `now_s`: wall clock, for dates."""
    status = answer.status
    if 200 <= status < 300:
        return None
    said = f"{answer.where} answered {named(status)}"
    if 300 <= status < 400:
        pointed = f" and points to {shown_url(location)}" if location else ""
        return Refusal(
            "redirected",
            f"{said}{pointed}; redirects are not followed: put the final URL into the destination",
            answer=answer,
            retryable=False,
        )
    if status in RETRYABLE or 500 <= status < 600:
        after_s = seconds_of(retry_after, now_s=now_s)
        asked = f" and asks for {after_s:.0f} s of patience" if after_s is not None else ""
        return Refusal("answered-retryable", f"{said}{asked}", answer=answer, after_s=after_s)
    return Refusal("answered-final", f"{said}; {_advice(status)}", answer=answer, retryable=False)


def seconds_of(retry_after: str, *, now_s: float) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3) in seconds from now: seconds or an HTTP date; None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= MAX_DELTA_DIGITS else None
    try:
        then = email.utils.parsedate_to_datetime(text)
        # "-0000" gives a time without zone, which means UTC (RFC 5322, 3.3).
        return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now_s)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def named(status: int) -> str:
    """`404 Not Found`; the number alone where it has no name. Never the far end's own words."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def shown_url(url: str) -> str:
    """A URL as it may be printed: without user, password, query and fragment, escaped and cut."""
    try:
        parts = urlsplit(url)
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        shown = parts.geturl()
    except ValueError:
        shown = url.partition("?")[0]
    if len(shown) > MAX_SHOWN_CHARS:
        shown = f"{shown[:MAX_SHOWN_CHARS]}..."
    return shown if shown.isprintable() else repr(shown)


def _advice(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return "check the credentials of the destination"
        case HTTPStatus.FORBIDDEN:
            return "the account of the destination lacks the right to do this"
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED | HTTPStatus.GONE:
            return "check the URL and the method of the destination"
        case _:
            return "the same request would be refused again"
