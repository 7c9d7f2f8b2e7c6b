"""Whether the head of a request can be trusted."""

import pytest

from agent.errors import SenderError
from agent.wire.head import Head, read_head

HOST = (b"Host", b"agent.example:8081")


def read(*headers: tuple[bytes, bytes], version: str = "1.1") -> Head:
    return read_head(method="POST", version=version, headers=headers, keep_alive=True)


def test_says_what_the_headers_mean() -> None:
    """Names are found in any case, and values without the blanks around them."""
    head = read(
        HOST,
        (b"content-LENGTH", b"12 "),
        (b"Content-Type", b"text/xml; charset=latin1"),
        (b"Expect", b"100-Continue"),
        (b"Accept", b"text/xml"),
        (b"Content-Encoding", b"gzip"),
    )
    assert 12 == head.length
    assert ("text/xml; charset=latin1", "latin1") == (head.content_type, head.charset)
    assert head.expects_continue and head.wants_xml and head.keep_alive and not head.is_http10
    assert b"gzip" == head.content_encoding


def test_the_body_is_framed_one_way() -> None:
    """No header: no body; `chunked`: an unknown length."""
    assert 0 == read(HOST).length
    assert read(HOST, (b"Transfer-Encoding", b"Chunked ")).length is None


def test_http_1_0_needs_no_host_and_expects_nothing() -> None:
    """An HTTP/1.0 sender may leave out Host, and cannot be sent an interim answer."""
    head = read((b"Expect", b"100-continue"), version="1.0")
    assert head.is_http10 and not head.expects_continue


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [
        ([], "1.1", 400),
        ([HOST, HOST], "1.1", 400),
        ([HOST, HOST], "1.0", 400),
        ([(b"Host", b"a b")], "1.1", 400),
        ([(b"Host", b"a/b")], "1.1", 400),
        ([(b"Host", b"a@b")], "1.1", 400),
        ([HOST, (b"Content-Length", b"1"), (b"Content-Length", b"1")], "1.1", 400),
        ([HOST, (b"Content-Length", b"+1")], "1.1", 400),
        ([HOST, (b"Content-Length", b"1, 1")], "1.1", 400),
        ([HOST, (b"Content-Length", b"\xb2")], "1.1", 400),
        ([HOST, (b"Content-Length", b"")], "1.1", 400),
        ([HOST, (b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")], "1.1", 400),
        ([(b"Transfer-Encoding", b"chunked")], "1.0", 400),
        ([HOST, (b"Transfer-Encoding", b"gzip, chunked")], "1.1", 501),
        ([HOST, (b"Transfer-Encoding", b"identity")], "1.1", 501),
        ([HOST, (b"Transfer-Encoding", b"")], "1.1", 501),
        ([HOST, (b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"chunked")], "1.1", 400),
        ([HOST, (b"Content-Type", b"a/b"), (b"Content-Type", b"c/d")], "1.1", 400),
        ([HOST, (b"Expect", b"200-ok")], "1.1", 417),
        ([HOST], "2.0", 505),
        ([HOST], "0.9", 505),
    ],
)
def test_ambiguity_ends_the_connection(headers: list[tuple[bytes, bytes]], version: str, status: int) -> None:
    """Whatever could be read in two ways is refused, and nothing behind it is read."""
    with pytest.raises(SenderError) as caught:
        read(*headers, version=version)
    assert (status, True) == (caught.value.status, caught.value.close)
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize("host", [b"", b"agent", b"192.0.2.1:80", b"[2001:db8::1]:8081", b"a_b.example"])
def test_usual_hosts_pass(host: bytes) -> None:
    """Names, addresses and ports; also the empty Host that RFC 9112 allows."""
    assert 0 == read((b"Host", host)).length
