"""llhttp's objections in plain words, asked of llhttp itself."""

import httptools
import pytest

from agent.wire.parsing import put_plainly

POST = b"POST / HTTP/1.1\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class Nobody:
    """Listens to nothing."""


@pytest.mark.parametrize(
    ("request_bytes", "words"),
    [
        (b"GET /a b HTTP/1.1\r\n\r\n", "a blank in the URL must be written as %20"),
        (b"GET\r\n\r\n", "ends after its method"),
        (b"hello\r\n\r\n", "none that HTTP knows"),
        (b"POST / HTTX/1.1\r\n\r\n", "does not end in HTTP/1.1"),
        (b"POST / HTTP/1.1\nHost: a\n\n", "does not end in CR LF"),
        (b"POST x HTTP/1.1\r\n\r\n", "does not begin with '/'"),
        (b"POST /\x01 HTTP/1.1\r\n\r\n", "must be percent-encoded"),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "given twice"),
        (POST + b"Content-Length: -1\r\n\r\n", "not a number"),
        (POST + b"Content-Length:\r\n\r\n", "has no value"),
        (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", "larger than any body"),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "only one of them"),
        (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", "does not end in 'chunked'"),
        (CHUNKED + b"zz\r\n", "not a hexadecimal number"),
        (CHUNKED + b"fffffffffffffffffff\r\n", "larger than any body"),
        (CHUNKED + b"3\r\nabcd\r\n", "longer or shorter than the size in front"),
        (CHUNKED + b"3\nabc\n", "size of a chunk does not end in CR LF"),
        (CHUNKED + b"3;\x00\r\n", "extension"),
        (POST + b"Host : a\r\n\r\n", "'Name: value'"),
        (POST + b"host\r\n\r\n", "'Name: value'"),
        (POST + b" Host: a\r\n\r\n", "begins with a blank"),
        (POST + b"Host: a\r\n b\r\n\r\n", "continued on a second line"),
        (POST + b"Host: a\x00\r\n\r\n", "control character"),
        (POST + b"Host: a\rX\r\n\r\n", "a header line does not end in CR LF"),
        (POST + b"Connection: close\r\n\r\nfoo", "follows a request that said"),
    ],
)
def test_each_objection_is_put_plainly(request_bytes: bytes, words: str) -> None:
    """What the installed parser really says is known here; a change of its words would fail this test."""
    with pytest.raises(httptools.HttpParserError) as caught:
        httptools.HttpRequestParser(Nobody()).feed_data(request_bytes)
    assert words in put_plainly(str(caught.value))


def test_an_objection_that_is_not_known_keeps_its_words() -> None:
    """Better the parser's jargon than no reason."""
    assert "the parser says: Paused" == put_plainly("Paused")
