"""What a TLS client asked for."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.hello import ClientHello, read_hello


def hello(server_name: str | None = "agent.example", alpn: tuple[str, ...] = (), ciphers: str = "") -> bytes:
    """The first flight of a real client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if ciphers:
        context.set_ciphers(ciphers)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=server_name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def test_reads_what_a_real_client_offers() -> None:
    """Server name, versions newest first, ciphers by name, protocols."""
    found = read_hello(hello(alpn=("h2", "http/1.1")))
    assert found is not None
    assert ("agent.example", ("TLS 1.3", "TLS 1.2"), ("h2", "http/1.1"), True) == (
        found.server_name,
        found.versions,
        found.alpn,
        found.is_whole,
    )
    assert "TLS_AES_256_GCM_SHA384" in found.ciphers


def test_an_old_client_names_its_version_in_the_old_place() -> None:
    """Without the extension of TLS 1.3 the version of the hello itself counts."""
    found = read_hello(hello(None, ciphers="AES128-SHA"))
    assert found is not None
    assert (("TLS 1.2",), ("RSA-AES128-SHA",), "") == (found.versions, found.ciphers, found.server_name)


def test_a_hello_in_several_records_is_one() -> None:
    """Records may cut a handshake message anywhere."""
    whole = hello()
    message = whole[5:]
    records = b"".join(
        b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in (message[:1], message[1:50], message[50:])
    )
    assert read_hello(whole) == read_hello(records)


def test_a_hello_that_was_cut_off_tells_what_came() -> None:
    """And says that it was cut off."""
    found = read_hello(hello()[:90])
    assert found is not None
    assert not found.is_whole
    assert found.ciphers


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\0\2\2\0", b"POST / HTTP/1.1\r\n"])
def test_others_are_no_hello(data: bytes) -> None:
    """None, not a guess."""
    assert read_hello(data) is None


def test_the_form_of_ssl_2_has_a_version_only() -> None:
    """Old Java sent TLS 1.0 in it."""
    assert ClientHello(versions=("TLS 1.0",), is_whole=False) == read_hello(b"\x80\x2e\x01\x03\x01\0\x15")


@given(st.binary(max_size=300), st.integers(0, 250))
def test_never_raises(noise: bytes, at: int) -> None:
    """Whatever stands in the hello; names are printable."""
    data = hello()
    for damaged in (noise, b"\x16\x03\x01\x01\0\x01\0\0\xff" + noise, data[:at] + noise + data[at:]):
        found = read_hello(damaged)
        assert found is None or found.server_name.isprintable()
