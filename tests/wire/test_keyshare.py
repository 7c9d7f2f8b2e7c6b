"""The first key share of a hello, as real clients send it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from agent.wire.keyshare import P256, X25519, X25519_MLKEM768, first_share


def hello_of(*groups: str, most: int = SSL.TLS1_3_VERSION) -> bytes:
    """What OpenSSL sends; its first group is the one it has a key share for."""
    from cryptography.hazmat.bindings.openssl.binding import Binding

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(most)
    assert Binding.lib.SSL_CTX_set1_curves_list(context._context, ":".join(groups).encode())
    client = SSL.Connection(context, None)
    client.set_tlsext_host_name(b"agent.example")
    client.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65536)


HELLO = hello_of("X25519", "P-256")


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (("X25519", "P-256"), X25519),
        (("P-256", "X25519"), P256),
        (("X25519MLKEM768", "X25519"), X25519_MLKEM768),
        (("ffdhe2048", "X25519"), 0x0100),
        (("P-384",), 0x0018),
    ],
)
def test_the_first_share_is_told(groups: tuple[str, ...], expected: int) -> None:
    """That of the group which the sender likes best, whatever else it offers."""
    assert expected == first_share(hello_of(*groups))


def test_without_tls_1_3_there_is_none() -> None:
    """TLS 1.2 has no key shares."""
    assert first_share(hello_of("X25519", most=SSL.TLS1_2_VERSION)) == 0


def test_a_share_without_the_version_counts_not() -> None:
    """Then TLS 1.2 is spoken, whatever the share says."""
    assert first_share(HELLO.replace(b"\x03\x04", b"\x03\x03")) == 0


@given(st.integers(0, len(HELLO) - 1))
def test_a_hello_that_is_cut_off_has_none(size: int) -> None:
    """Nothing is decided from a part."""
    assert first_share(HELLO[:size]) == 0


@given(st.binary(max_size=20))
def test_what_follows_the_hello_makes_it_unclear(more: bytes) -> None:
    """A record or message more than the hello is not what clients send."""
    assert (X25519 if not more else 0) == first_share(HELLO + more)


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_no_byte_makes_it_raise(place: int, value: int) -> None:
    """Whatever stands in it."""
    first_share(HELLO[:place] + bytes((value,)) + HELLO[place + 1 :])


@given(st.binary(max_size=400))
def test_noise_has_none(data: bytes) -> None:
    """Bytes that are no hello."""
    assert 0 == first_share(data)
