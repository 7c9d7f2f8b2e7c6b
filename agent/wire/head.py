"""The head of a request: what its headers mean together, and whether they can be trusted.

llhttp has read the lines by now and refused bare CR and LF, folded lines, blanks before a colon, control characters,
Content-Length that is doubled, signed or beside Transfer-Encoding. What it lets pass is refused here, after RFC 9112:
a missing or second Host, transfer codings in front of `chunked`, other versions, Transfer-Encoding in HTTP/1.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs

from agent.errors import SenderError
from agent.wire.accept import wants_xml
from agent.wire.content import charset_of
from agent.wire.marks import NAMES, UNMARKED, Marks, read_marks
from agent.wire.refusal import bad_version, unknown_transfer_coding

_MAX_LENGTH_DIGITS: Final = 24
"""Enough for any size and a few blanks; Python refuses to read numbers of thousands of digits."""

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


@attrs.frozen(kw_only=True)
class Head:
    """What the gateway needs to know of a request before its body. `length` is None for a chunked body.

    `keep_alive` says whether the sender wants to go on using the connection; `is_http10` that it must be told so.
    `charset` is the parameter of the Content-Type, `wants_xml` the form in which the sender wants its answer.
    `marks` is what the sender says about its event; `fault` is what is wrong with that, which ends no connection.
    `authorization` is the header as it came, for `agent.wire.auth`.
    """

    method: str
    length: int | None
    keep_alive: bool
    is_http10: bool
    expects_continue: bool
    content_type: str
    charset: str | None
    content_encoding: bytes
    wants_xml: bool
    marks: Marks = UNMARKED
    fault: SenderError | None = None
    authorization: bytes = attrs.field(default=b"", repr=False)


def read_head(*, method: str, version: str, headers: Sequence[tuple[bytes, bytes]], keep_alive: bool) -> Head:
    """Check a head and return what it says; raise `SenderError` (400, 417, 501, 505) with `close` set.

    `headers` as received, `keep_alive` is the parser's verdict on version and Connection.
    """
    if version not in ("1.1", "1.0"):
        raise bad_version(version)
    # Doubled headers are told apart by counting: the dictionary keeps the last, and only Host and the framing matter.
    found: dict[bytes, bytes] = {}
    hosts = 0
    for name, value in headers:
        name = name.lower()
        if name == b"host":
            hosts += 1
        elif name == b"accept" and name in found:
            value = found[name] + b"," + value
        elif name in _SINGLE and name in found:
            raise _bad(f"The header {name.decode('ascii')} is given twice.")
        found[name] = value
    _check_host(found.get(b"host", b""), hosts, version)
    expect = found.get(b"expect", b"").strip().lower()
    if expect and expect != b"100-continue":
        raise SenderError(
            "unknown-expectation",
            f"The expectation {expect.decode('latin-1')[:80]!r} is not known here; only 100-continue is.",
            status=417,
            title="Unknown expectation",
            close=True,
        )
    content_type = found.get(b"content-type", b"").decode("latin-1").strip()
    marks, fault = UNMARKED, None
    try:
        marks = read_marks(found)
    except SenderError as error:
        fault = error
    return Head(
        method=method,
        length=_body_length(found, version),
        keep_alive=keep_alive,
        is_http10=version == "1.0",
        expects_continue=bool(expect) and version == "1.1",
        content_type=content_type,
        charset=charset_of(content_type),
        content_encoding=found.get(b"content-encoding", b""),
        wants_xml=wants_xml(found.get(b"accept", b"")),
        marks=marks,
        fault=fault,
        authorization=found.get(b"authorization", b""),
    )


_SINGLE: Final = NAMES | {
    b"authorization",
    b"content-length",
    b"transfer-encoding",
    b"content-type",
    b"content-encoding",
    b"expect",
    b"content-range",
}


def _check_host(host: bytes, count: int, version: str) -> None:
    if count == 0 and version == "1.1":
        raise _bad("The request has no Host header, which HTTP/1.1 demands.")
    if count > 1:
        raise _bad("The request has more than one Host header.")
    if host and not _HOST.fullmatch(host.strip()):
        raise _bad(f"The Host header {host[:80].decode('latin-1')!r} is not a host name with an optional port.")


def _body_length(found: dict[bytes, bytes], version: str) -> int | None:
    """The declared length, 0 where there is no body, None for chunked (RFC 9112, section 6.3)."""
    coding = found.get(b"transfer-encoding")
    length = found.get(b"content-length")
    if coding is None:
        if length is None:
            return 0
        if not length.strip().isdigit() or len(length) > _MAX_LENGTH_DIGITS:
            raise _bad(f"The Content-Length {length[:40].decode('latin-1')!r} is not a number.")
        return int(length.strip())
    if length is not None:
        raise _bad("Content-Length and Transfer-Encoding are given together, which is how requests are smuggled.")
    if version == "1.0":
        raise _bad("Transfer-Encoding is given in HTTP/1.0, which does not have it.")
    if coding.strip().lower() != b"chunked":
        raise unknown_transfer_coding(coding)
    return None


def _bad(sentence: str) -> SenderError:
    return SenderError("bad-request", sentence, status=400, title="Not an acceptable HTTP request", close=True)
