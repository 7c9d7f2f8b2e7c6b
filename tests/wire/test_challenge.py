"""Challenges and their answers, against the examples of the RFCs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.challenge import Challenge, challenges_in, digest, is_answerable

RFC7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm, response):
    """Section 3.9.1, with both algorithms."""
    [challenge] = challenges_in([RFC7616.format(algorithm)])
    field = digest(
        challenge,
        user="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        count=1,
    )
    assert f'response="{response}"' in field
    assert "nc=00000001" in field


def test_the_example_of_rfc_2069():
    """Without qop, as old proxies ask."""
    [challenge] = challenges_in(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    field = digest(
        challenge, user="Mufasa", password="CircleOfLife", method="GET", uri="/dir/index.html", cnonce="x", count=1
    )
    # RFC 2069 errata 749.
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in field


def test_several_challenges_in_one_value():
    """Schemes, tokens and parameters are told apart; commas inside quotes belong to the text."""
    found = challenges_in(['Negotiate, NTLM TlRMTVNTUAAC==, Basic realm="a, \\"b\\"", Digest nonce=n, stale=TRUE'])
    assert [
        Challenge(scheme="negotiate", parameters={}),
        Challenge(scheme="ntlm", parameters={}),
        Challenge(scheme="basic", parameters={"realm": 'a, "b"'}),
        Challenge(scheme="digest", parameters={"nonce": "n", "stale": "TRUE"}),
    ] == found


@pytest.mark.parametrize(
    "text", ["Basic", "Digest realm=x", "Digest nonce=n, algorithm=MD4", 'Digest nonce=n, qop="auth-int"']
)
def test_what_cannot_be_answered_is_known(text):
    """Rather than answered wrongly."""
    assert not is_answerable(challenges_in([text])[0])


@given(st.text())
def test_no_challenge_raises(text):
    """The far end chose it."""
    challenges_in([text])
