"""What llhttp, the parser, objects to, said so that the author of a sender can act upon it."""

from __future__ import annotations

from typing import Final

_SAYINGS: Final[tuple[tuple[str, str], ...]] = (
    # Part of llhttp's reason -> sentence; the first that fits counts, so the narrower stand first.
    ("Expected space after method", "the request line ends after its method; it reads: POST /http/... HTTP/1.1"),
    ("method", "the method of the request line is none that HTTP knows; methods are written in capitals, as POST"),
    ("Expected HTTP/", "the request line does not end in HTTP/1.1; a blank in the URL must be written as %20"),
    ("Expected CRLF after version", "the request line does not end in CR LF right behind HTTP/1.1"),
    ("Duplicate Content-Length", "the header Content-Length is given twice"),
    ("Content-Length overflow", "the number in Content-Length is larger than any body can be"),
    ("Empty Content-Length", "the header Content-Length has no value"),
    ("Invalid character in Content-Length", "the Content-Length is not a number"),
    ("be present with", "Content-Length and Transfer-Encoding are given together; send only one of them"),
    ("`Transfer-Encoding`", "the Transfer-Encoding does not end in 'chunked', so the end of the body cannot be known"),
    ("Empty Transfer-Encoding", "the header Transfer-Encoding has no value"),
    ("Invalid character in chunk size", "the size of a chunk is not a hexadecimal number"),
    ("Chunk size overflow", "the size of a chunk is larger than any body can be"),
    ("Expected LF after chunk data", "a chunk is longer or shorter than the size in front of it"),
    ("Missing expected CR after chunk data", "a chunk is longer or shorter than the size in front of it"),
    ("after chunk size", "the line with the size of a chunk does not end in CR LF"),
    ("in chunk extensions", "the extension behind the size of a chunk holds what is not allowed there"),
    ("Unexpected space after start line", "the line behind the request line begins with a blank"),
    ("Unexpected whitespace after header value", "a header is continued on a second line, which is no longer allowed"),
    (
        "Invalid header token",
        "a header line is not of the form 'Name: value'; no blank may stand in the name or before the colon",
    ),
    ("Invalid header field char", "the name of a header holds a character that is not allowed there"),
    ("Invalid header value char", "the value of a header holds a control character"),
    ("header value", "a header line does not end in CR LF"),
    ("Expected LF after headers", "the empty line behind the headers is not CR LF"),
    ("Data after `Connection: close`", "something follows a request that said 'Connection: close'"),
    ("url", "the URL holds a character that must be percent-encoded, or does not begin with '/'"),
    ("CR", "a line does not end in CR LF"),
    ("LF", "a line does not end in CR LF"),
)


def put_plainly(reason: str) -> str:
    """The sentence for llhttp's `reason`, without its end; for a reason that is not known its own words."""
    for part, saying in _SAYINGS:
        if part in reason:
            return saying
    return f"the parser says: {reason[:120]}"
