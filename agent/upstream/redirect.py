"""Where a redirect leads, and whether it is followed. Pure.

* 301, 302, 307 and 308 keep method and body; 303 becomes a GET without one (RFC 9110, 15.4). For 301 and 302 browsers
  make a GET of a POST, which the RFC allows and does not ask for: the GET of some page would be answered 200, and an
  event that nobody took would count as delivered.
* To another origin no credentials go along: neither the destination's login nor a header whose name tells of one.
* From https to http nothing goes, nor from elsewhere to an address of this machine or its link.

A redirect that is not followed is no fault of the request, so the request waits: it may be the maintenance page of a
load balancer. Only where the destination switches redirects off it is final.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import attrs

from agent.config.outbound import RedirectPolicy
from agent.delivery import Answer
from agent.upstream.sender import Refusal
from agent.upstream.verdict import named, shown_url

FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})

TELLTALES: Final = ("auth", "cookie", "credential", "key", "pass", "secret", "session", "sig", "token")
"""In the names of headers that stay with their origin; `idempotency-key` is none of them."""

PAUSE_S: Final = 60.0

MAX_LOCATION_CHARS: Final = 8192


@attrs.frozen(kw_only=True)
class Hop:
    """The next request of a journey."""

    url: str
    method: str
    keeps_body: bool
    keeps_login: bool


def next_hop(
    answer: Answer, *, url: str, method: str, location: str, count: int, policy: RedirectPolicy, has_key: bool
) -> Hop | None:
    """What follows an answer; None where it is no redirect or redirects are off. `count`: how many were followed.

    `has_key`: the destination shows a client certificate. Raises `Refusal` for a redirect that must not be followed.
    """
    if answer.status not in FOLLOWED or not policy.enabled:
        return None
    said = f"{answer.where} answered {named(answer.status)} and points to {shown_url(location)}"
    if not location:
        raise _refused(answer, f"{answer.where} answered {named(answer.status)} without saying where to: mend it there")
    if count >= policy.maximum:
        raise _refused(answer, f"{said}: that is one redirect more than the {policy.maximum} that are followed")
    try:
        target = urljoin(url, location[:MAX_LOCATION_CHARS])
        old, new = urlsplit(url), urlsplit(target)
        host, port = new.hostname or "", new.port
        is_fit = new.scheme in ("http", "https") and bool(host) and target.isascii() and target.isprintable()
    except ValueError:
        is_fit = False
    if not is_fit or " " in target:
        raise _refused(answer, f"{said}, which is no http or https URL: mend it there")
    if old.scheme == "https" and new.scheme == "http":
        raise _refused(
            answer,
            f"{said}: from https to http, where everybody on the way could read it, nothing is sent; put an https URL "
            "into the destination",
        )
    if _is_near(host) and not _is_near(old.hostname or ""):
        raise _refused(answer, f"{said}, an address of this machine or its link; put that URL into the destination")
    is_same = (old.scheme, old.hostname, _port(old.scheme, old.port)) == (new.scheme, host, _port(new.scheme, port))
    if not is_same and has_key:
        raise _refused(
            answer, f"{said}: the key of this destination is shown to no other host; put that URL into the destination"
        )
    becomes_get = answer.status == HTTPStatus.SEE_OTHER and method not in ("GET", "HEAD")
    return Hop(
        url=new._replace(netloc=new.netloc.rpartition("@")[2], fragment="").geturl(),
        method="GET" if becomes_get else method,
        keeps_body=not becomes_get,
        keeps_login=is_same,
    )


def stays_with_origin(header: str) -> bool:
    """Whether a header may hold a credential."""
    name = header.lower()
    return name != "idempotency-key" and any(telltale in name for telltale in TELLTALES)


def _refused(answer: Answer, sentence: str) -> Refusal:
    return Refusal("redirect-refused", sentence, answer=answer, after_s=PAUSE_S)


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_link_local or address.is_unspecified
