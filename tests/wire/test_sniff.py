"""What is spoken, told from the first bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.wire.sniff import ENOUGH_BYTES, WORDS, Tongue, recognise

SPOKEN = [
    (b"\x16\x03\x01\x02\x00\x01\x00", Tongue.TLS),
    (b"\x16\x03\x00\x00\x2d\x01", Tongue.TLS),
    (b"\x15\x03\x03\x00\x02\x02\x28", Tongue.TLS_ALERT),
    (b"\x14\x03\x03\x00\x01\x01", Tongue.TLS_MIDDLE),
    (b"\x17\x03\x03\x00\x20", Tongue.TLS_MIDDLE),
    (b"\x80\x2e\x01\x03\x01\x00\x15", Tongue.SSL2),
    (b"\x80\x2e\x01\x00\x02\x00\x15", Tongue.SSL2),
    (b"POST /http/applications_sample-plan HTTP/1.1\r\n", Tongue.HTTP),
    (b"GET / HTTP/1.0\r\n", Tongue.HTTP),
    (b"post / HTTP/1.1\r\n", Tongue.HTTP),
    (b"BREW / HTCPCP/1.0\r\n", Tongue.HTTP),
    (b"\r\n\r\nPOST / HTTP/1.1\r\n", Tongue.HTTP),
    (b"PROPFIND / HTTP/1.1\r\n", Tongue.HTTP),
    (b"PRI / HTTP/1.1\r\n", Tongue.HTTP),
    (b"CONNECT agent.example:443 HTTP/1.1\r\n", Tongue.CONNECT),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Tongue.HTTP2),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Tongue.SSH),
    (b"EHLO mail\r\n", Tongue.SMTP),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Tongue.PROXY),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", Tongue.PROXY),
    (b"\x03\0\0\x13\x0e\xe0", Tongue.RDP),
    (b"\x05\x01\0", Tongue.SOCKS),
    (b"\xff\xfd\x01\xff\xfd", Tongue.TELNET),
    (b"JRMI\0\x02K", Tongue.RMI),
    (b"GIOP\x01\x02", Tongue.CORBA),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Tongue.POSTGRES),
    (b"<event/>", Tongue.XML),
    (b"\xef\xbb\xbf<?xml", Tongue.XML),
    (b'{"event": 1}', Tongue.JSON),
    (b"hello\r\n", Tongue.TEXT),
    (b"x" * 40, Tongue.TEXT),
    (b"\0\1\2\3\4", Tongue.BINARY),
    (b"\x16\x04\x01", Tongue.BINARY),
    (b"\x15\x02", Tongue.BINARY),
    (b"\x17\x03\x7f", Tongue.BINARY),
    (b"\x80\x2e\x02\x03", Tongue.BINARY),
]


@pytest.mark.parametrize(("first", "tongue"), SPOKEN)
def test_names_what_is_spoken(first: bytes, tongue: Tongue) -> None:
    """The usual strangers are known, and HTTP by any method, whatever its case."""
    assert tongue is recognise(first)


@pytest.mark.parametrize(
    "first", [b"", b"P", b"POST", b"PRI", b"\r\n\r\n", b"\x16", b"\x16\x03", b"\x80\x2e\x01", b"SS"]
)
def test_waits_while_more_than_one_is_possible(first: bytes) -> None:
    """Too few bytes are no verdict."""
    assert recognise(first) is None


beginnings = st.sampled_from([first for first, _ in SPOKEN])
anything = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda one, cut, more: one[:cut] + more, beginnings, st.integers(0, 20), st.binary(max_size=100)),
    st.text(alphabet="PRI * HTT/2\r\n\0QUIT", max_size=60).map(str.encode),
)


@settings(max_examples=400)
@given(anything)
@example(b"\r\n\r\n\0\r\nQUIT\nPOST / ")
@example(b"\xff\xfd\x01\x03")
def test_the_verdict_does_not_depend_on_the_split(data: bytes) -> None:
    """Once there is a verdict, no further byte changes it; with 64 bytes there is one."""
    verdicts = [recognise(data[:size]) for size in range(len(data) + 1)]
    decided = [verdict for verdict in verdicts if verdict is not None]
    assert 1 >= len(set(decided))
    assert verdicts[len(verdicts) - len(decided) :] == decided
    assert len(data) < ENOUGH_BYTES or decided


def test_every_tongue_has_words() -> None:
    """No sentence ends in nothing."""
    assert set(Tongue) == set(WORDS)
