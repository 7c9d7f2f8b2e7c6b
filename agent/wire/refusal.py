"""What is wrong with a request, in sentences that say what to do: the errors of reading HTTP, in one place."""

from __future__ import annotations

import math

from agent.errors import SenderError
from agent.wire.parsing import put_plainly


def unreadable(reason: str) -> SenderError:
    """The error for what llhttp refuses to read; `reason` is llhttp's own."""
    if "HTTP version" in reason or "PRI" in reason:
        return bad_version("2.0" if "PRI" in reason else "")
    if "Transfer-Encoding" in reason and "Request has invalid" in reason:
        return unknown_transfer_coding(b"")
    return SenderError(
        "bad-request",
        f"This is not a request that HTTP/1.1 allows: {put_plainly(reason)}.",
        status=400,
        title="Not an acceptable HTTP request",
        close=True,
    )


def too_much_framing() -> SenderError:
    """400: what frames the body is larger than any sender needs it to be."""
    return SenderError(
        "bad-request",
        "The chunked body is mostly chunk extensions or trailers. Send larger chunks.",
        status=400,
        title="Not an acceptable HTTP request",
        close=True,
    )


def bad_version(version: str) -> SenderError:
    """505: neither HTTP/1.1 nor HTTP/1.0."""
    spoken = f"HTTP/{version}" if version else "This version of HTTP"
    return SenderError(
        "bad-version",
        f"{spoken} is not spoken here; use HTTP/1.1.",
        status=505,
        title="HTTP version not supported",
        close=True,
    )


def too_long_target(limit: int) -> SenderError:
    """414, known as soon as the limit is passed."""
    return SenderError(
        "target-too-long",
        f"The request line is longer than {limit} bytes, the limit of this gateway. Put the data into the body.",
        status=414,
        title="URI Too Long",
        close=True,
    )


def too_large_head(limit: str) -> SenderError:
    """431; `limit` says which one with its unit: `32768 bytes`, `100 header lines`."""
    return SenderError(
        "head-too-large",
        f"The headers of the request are more than {limit}, the limit of this gateway. Send fewer or shorter ones.",
        status=431,
        title="Request headers too large",
        close=True,
    )


def too_large_body(limit: int, declared: int | None = None) -> SenderError:
    """413, before the body when its length is declared, else in its middle."""
    found = f"The body has {declared} bytes" if declared is not None else "The body is longer than allowed"
    return SenderError(
        "body-too-large",
        f"{found}; this gateway takes at most {limit} bytes. Send less, or ask its operator to raise the limit.",
        status=413,
        title="Content Too Large",
        close=True,
    )


def too_many_bodies() -> SenderError:
    """503: all bodies together take as much memory as the gateway gives them."""
    return SenderError(
        "too-many-bodies",
        "Too many large requests are being received at this moment. Nothing was taken; send it again a little later.",
        status=503,
        title="Too many large requests at a time",
        close=True,
        headers=(("Retry-After", "5"),),
    )


def stopping() -> SenderError:
    """503: the agent is being stopped, and the request had not come to its end."""
    return SenderError(
        "stopping",
        "The agent is being stopped, and the request had not come to its end. Nothing was taken; send it again.",
        status=503,
        title="Being stopped",
        close=True,
        headers=(("Retry-After", "10"),),
    )


def unknown_transfer_coding(coding: bytes) -> SenderError:
    """501: the body is framed in a way that is not known here."""
    shown = f" {coding[:80].decode('latin-1')!r}" if coding else ""
    return SenderError(
        "unknown-transfer-coding",
        f"The Transfer-Encoding{shown} is not supported; only 'chunked' is.",
        status=501,
        title="Unknown transfer coding",
        close=True,
    )


def too_slow(part: str, pace: str) -> SenderError:
    """408; `part` is head or body, `pace` what was expected."""
    return SenderError(
        "too-slow",
        f"The {part} of the request did not come {pace}.",
        status=408,
        title="Request too slow",
        close=True,
    )


def cut_off(what: str) -> SenderError:
    """400: the sender ended its side in the middle of a request; `what` says where."""
    return SenderError(
        "cut-off", f"The request ended {what}. Nothing was taken.", status=400, title="Request cut off", close=True
    )


def not_http(what: str) -> SenderError:
    """400: somebody who does not speak HTTP at all; `what` says what it looks like."""
    return SenderError(
        "not-http",
        f"This port speaks HTTP; what came looks like {what}.",
        status=400,
        title="Not HTTP",
        close=True,
    )


def needs_tls(url: str) -> SenderError:
    """400 on a TLS port: the request came in the clear; `url` is the one it should have had."""
    return SenderError(
        "needs-tls",
        f"This port speaks HTTPS only, and the request came without TLS. Nothing was taken. Send it to {url}; what it "
        "held has been readable on the network.",
        status=400,
        title="HTTPS needed",
        close=True,
    )


def method_not_allowed(method: str) -> SenderError:
    """405: only POST makes an event."""
    return SenderError(
        "method-not-allowed",
        f"{method} is not possible here: an event is sent with POST, as the body of the request.",
        status=405,
        title="Method not allowed",
        headers=(("Allow", "POST"),),
    )


def internal_error() -> SenderError:
    """500: a fault of ours; the log has it."""
    return SenderError(
        "internal-error",
        "The agent failed at this request; its log says why. Try again later.",
        status=500,
        title="Internal error",
        close=True,
    )


def service_failed(event_id: str) -> SenderError:
    """500: a service that answers itself failed; details are for the operator only."""
    return SenderError(
        "service-failed",
        f"The service failed at this request. The agent's log has the details under {event_id}.",
        status=500,
        title="Service failed",
    )


def service_busy(after_s: float) -> SenderError:
    """503: a service that answers itself cannot be asked at the moment."""
    return SenderError(
        "service-busy",
        "The service cannot be asked at this moment. It has not seen the request; send it again a little later.",
        status=503,
        title="Service busy",
        headers=(("Retry-After", str(max(1, math.ceil(after_s)))),),
    )


def service_too_slow(patience_s: float | None = None) -> SenderError:
    """504: a service that answers itself took too long; `patience_s` is the gateway's, None where its own ran out."""
    within = "in the time it is given" if patience_s is None else f"within {patience_s:g} s"
    return SenderError(
        "service-too-slow",
        f"The service did not answer {within}. It may have done its work all the same.",
        status=504,
        title="Service too slow",
    )


def store_too_slow(patience_s: float) -> SenderError:
    """503: the disk did not confirm in time; the event may be stored or not."""
    return SenderError(
        "store-too-slow",
        f"The event was not confirmed as stored within {patience_s:g} s. Send it again; it may arrive twice.",
        status=503,
        title="Store too slow",
        headers=(("Retry-After", "30"),),
    )


def too_many_failures(wait_s: int) -> SenderError:
    """429: wrong credentials came too often; nothing was looked at."""
    return SenderError(
        "too-many-failures",
        f"Wrong credentials for this account have come from here too often; others are looked at in {wait_s} s again.",
        status=429,
        title="Too many failed attempts",
        headers=(("Retry-After", str(wait_s)),),
    )


def too_many_checks() -> SenderError:
    """503: more passwords wait to be checked for the first time than there is time for."""
    return SenderError(
        "too-many-checks",
        "Too many senders show a password for the first time at this moment. Send the request again.",
        status=503,
        title="Busy with checking passwords",
        headers=(("Retry-After", "5"),),
    )
