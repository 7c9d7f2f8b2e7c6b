"""Names for those who do not speak HTTP."""

import pytest

from agent.wire.sniff import recognise


@pytest.mark.parametrize(
    ("first", "word"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", "TLS"),
        (b"\x16", "TLS"),
        (b"\x80\x2e\x01\x03\x01", "SSL 2"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"EHLO mail\r\n", "SMTP"),
        (b"PROXY TCP4 192.0.2.1", "PROXY"),
        (b"\r\n\r\n\0\r\nQUIT\n!", "PROXY"),
        (b"PRI * HTTP/2.0\r\n", "HTTP/2"),
        (b"<event/>", "XML"),
        (b"\0\1\2\3\4", "binary"),
    ],
)
def test_names_the_protocol(first: bytes, word: str) -> None:
    """The usual strangers on a port are called by their names."""
    assert word in recognise(first)


@pytest.mark.parametrize("first", [b"POST /http/a HTTP/1.1\r\n", b"BREW / HTCPCP/1.0", b"", b"hello\r\n"])
def test_says_nothing_of_the_unknown(first: bytes) -> None:
    """What might be HTTP, or nothing at all, is not guessed at."""
    assert "" == recognise(first)
