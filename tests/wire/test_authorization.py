"""agent.wire.authorization: the Authorization field, parsed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.authorization import Password, Signature, Token, read_authorization


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (basic(b"EMSAdmin:EMSAdmin"), Password("EMSAdmin", b"EMSAdmin")),
        (basic(b"a:b:c"), Password("a", b"b:c")),
        (basic(b":"), Password("", b"")),
        (basic("ö:ü".encode()), Password("ö", "ü".encode())),
        (basic("ö:ü".encode("latin-1")), Password("ö", "ü".encode())),
        (b"BASIC  YTpi ", Password("a", b"b")),
        (b"Basic YTpi".replace(b"YTpi", b"YTpiYw"), Password("a", b"bc")),
        (b"bearer abc.def-_~+/=", Token(b"abc.def-_~+/=")),
        (
            b'HMAC-SHA256 key="plant7", ts=1764000000 ,nonce=n-1,mac=' + b"0f" * 32,
            Signature("plant7", 1764000000, b"n-1", b"\x0f" * 32),
        ),
    ],
)
def test_what_is_understood(value, expected):
    """Scheme names have no case; blanks, a missing padding and Latin-1 are met in the field."""
    assert expected == read_authorization(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic !!!",
        basic(b"no-colon"),
        b"Bearer two words",
        b"Bearer " + b"x" * 9000,
        b"Digest username=x",
        b"HMAC-SHA256 key=a, ts=1, nonce=b",
        b"HMAC-SHA256 key=a, key=b, ts=1, nonce=b, mac=" + b"00" * 32,
        b"HMAC-SHA256 key=a, ts=" + b"1" * 13 + b", nonce=b, mac=" + b"00" * 32,
        b"HMAC-SHA256 key=a, ts=1, nonce=b, mac=" + b"zz" * 32,
        b"HMAC-SHA256 key=a ts=1, nonce=b, mac=" + b"00" * 32,
    ],
)
def test_what_is_not(value):
    """None, and no exception: the sender hears the same as for wrong credentials."""
    assert read_authorization(value) is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"Basic ", b"Bearer ", b"HMAC-SHA256 key=a, ts=1, "]))
def test_nothing_is_raised(junk, scheme):
    """Whatever a stranger sends."""
    read_authorization(scheme + junk)


def test_secrets_stay_out_of_reprs():
    """Neither password nor token may reach a log through a traceback."""
    assert "hunter2" not in repr(read_authorization(basic(b"a:hunter2"))) + repr(Token(b"hunter2"))
