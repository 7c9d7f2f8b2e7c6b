"""agent.credential: hashed credentials as lines of a file."""

from __future__ import annotations

import base64

import pytest

from agent.credential import PasswordHash, hash_token, parse_key, parse_token, show_key

QUICK = PasswordHash(4, 8, 1, b"s" * 16, bytes(32))


def test_a_password_survives_its_line():
    """What was hashed and written is read back, fits the password, and fits no other."""
    known = PasswordHash.parse(str(PasswordHash.make("Öl+1".encode(), b"0123456789abcdef")))
    assert known.matches("Öl+1".encode())
    assert not known.matches(b"Ol+1")


def test_the_line_is_the_one_that_others_write():
    """The last but one vector of RFC 7914, section 12, in the PHC string format."""
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    plain = [base64.b64encode(data).decode().rstrip("=") for data in (b"SodiumChloride", digest)]
    text = f"$scrypt$ln=14,r=8,p=1${'$'.join(plain)}"
    assert text == str(PasswordHash.parse(text))
    assert PasswordHash.parse(text).matches(b"pleaseletmein")


def test_nothing_shows_a_hash():
    """Not even the digest stands in a repr: it can be tried out."""
    assert "PasswordHash(log_cost=4, block_size=8, parallel=1)" == repr(QUICK)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("secret", "is not a hashed password of the form"),
        ("$scrypt$ln=14,r=8,p=5$c2FsdHNhbHRzYWx0$", "is not a hashed password"),
        ("$scrypt$ln=30,r=8,p=5$" + "c2FsdHNhbHQ" + "$" + "A" * 43, "costs that scrypt does not have"),
        ("$scrypt$ln=17,r=8,p=1$" + "c2FsdHNhbHQ" + "$" + "A" * 43, "too much time or memory"),
        ("$scrypt$ln=14,r=8,p=999$" + "c2FsdHNhbHQ" + "$" + "A" * 43, "too much time or memory"),
        ("$scrypt$ln=14,r=8,p=5$" + "c2FsdHNhbHQxx" + "$" + "A" * 43, "base64 is damaged"),
    ],
)
def test_bad_lines(text, sentence):
    """A line that is damaged, or whose check would stop the agent, is refused when it is read."""
    with pytest.raises(ValueError, match=sentence):
        PasswordHash.parse(text)


def test_tokens_and_keys():
    """A token is kept as its SHA-256, a key as it is; both come back."""
    assert 32 == len(parse_token(hash_token("t" * 30)))
    assert b"k" * 32 == parse_key(show_key(b"k" * 32))


@pytest.mark.parametrize("text", ["$key$", "$key$AAA", "$key$AAAA", "$key$" + "A" * 20, "k" * 40])
def test_weak_or_damaged_keys(text):
    """A key that could be guessed is as bad as one that cannot be read."""
    with pytest.raises(ValueError, match=r"is not a key|can be guessed"):
        parse_key(text)


def test_damaged_tokens():
    """Upper case and other lengths are not what we write."""
    with pytest.raises(ValueError, match="is not a hashed token"):
        parse_token("$sha256$" + "A" * 64)
