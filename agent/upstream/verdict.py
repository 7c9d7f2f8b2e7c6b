"""What the answer of an HTTP destination means for the request. Pure.

| status | meaning |
|---|---|
| 2xx | delivered |
| 408, 429, 5xx | try again, after `Retry-After` where it is given |
| 401, 403, 407 | try again, not sooner than in a minute: it is the account that is wrong, and not this request |
| 400 of nginx for the client certificate | the same |
| 3xx | dead: a request repeated would be redirected again |
| other | dead: the same request would be refused again |

A destination may have rules of its own for single statuses (`AnswerRule`); they go first.

Why 401, 403 and 407 are not final: a password that ran out at night would turn every event of that night into a dead
letter within minutes. So they wait like an outage, until the account is mended or the policy's age ends it. The minute
keeps an account from being locked for too many wrong passwords.

But for nginx, which says 400 for a client certificate that is missing or not accepted, the status alone decides. A
body that is cut off afterwards takes nothing back: the far end has decided by then.
"""

from __future__ import annotations

import email.utils
from collections.abc import Sequence
from datetime import UTC
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from agent.config.outbound import AnswerRule, Then
from agent.delivery import Answer
from agent.upstream.sender import Refusal

RETRYABLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

ACCESS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})

NGINX_ON_CERTIFICATES: Final = (b"No required SSL certificate was sent", b"The SSL certificate error")
"""What stands in its page (`ngx_http_special_response.c`: 496 and 495, sent as 400). No program behind it has seen the
request then."""

ACCESS_PAUSE_S: Final = 60.0
"""Least pause after them. Directories lock an account after 3 to 10 wrong passwords within a quarter of an hour or so;
once a minute is found out by whoever looks, and mended without help once the password is right."""

MAX_DELTA_DIGITS: Final = 9
"""Thirty years in seconds. More digits are no time, and `int` of thousands of them costs."""

MAX_SHOWN_CHARS: Final = 200


def refusal_of(
    answer: Answer, *, retry_after: str = "", location: str = "", now_s: float, rules: Sequence[AnswerRule] = ()
) -> Refusal | None:
    """None when the answer is a success, otherwise what to raise. `now_s`: wall clock, for dates."""
    status = answer.status
    said = f"{answer.where} answered {named(status)}"
    after_s = seconds_of(retry_after, now_s=now_s)
    asked = f" and asks for {after_s:.0f} s of patience" if after_s is not None else ""
    rule = next((rule for rule in rules if rule.first <= status <= rule.last), None)
    if rule is not None:
        if rule.then is Then.DELIVERED:
            return None
        if rule.then is Then.RETRY:
            return Refusal("answered-retryable", f"{said}{asked}", answer=answer, after_s=after_s)
        return Refusal("answered-final", f"{said}, final by the rule in iaconfig.xml", answer=answer, retryable=False)
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        pointed = f" and points to {shown_url(location)}" if location else ""
        return Refusal(
            "redirected",
            f"{said}{pointed}; redirects are not followed: put the final URL into the destination",
            answer=answer,
            retryable=False,
        )
    if status in RETRYABLE or 500 <= status < 600:
        return Refusal("answered-retryable", f"{said}{asked}", answer=answer, after_s=after_s)
    if status in ACCESS:
        pause_s = max(after_s or 0.0, ACCESS_PAUSE_S)
        return Refusal("access-refused", f"{said}; {_advice(status)}", answer=answer, after_s=pause_s)
    if _is_about_certificate(answer):
        return Refusal(
            "access-refused", f"{said}; {_advice_on_certificate(answer)}", answer=answer, after_s=ACCESS_PAUSE_S
        )
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


def _is_about_certificate(answer: Answer) -> bool:
    return answer.status == HTTPStatus.BAD_REQUEST and any(words in answer.body for words in NGINX_ON_CERTIFICATES)


def _advice_on_certificate(answer: Answer) -> str:
    if NGINX_ON_CERTIFICATES[0] in answer.body:
        return "it wants a client certificate: name the alias of one in the destination's SSL/Keystore"
    return (
        "it does not accept our client certificate (expired, or of an authority that it does not know): renew it, or "
        "name another alias in the destination's SSL/Keystore"
    )


def _advice(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return "put the right credentials into the destination's file: it is read again before the next attempt"
        case HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return "the proxy on the way wants user and password: put them into the Proxy of the destination"
        case HTTPStatus.FORBIDDEN:
            return "give the account of the destination the right to do this"
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED | HTTPStatus.GONE:
            return "check the URL and the method of the destination"
        case _:
            return "the same request would be refused again"
