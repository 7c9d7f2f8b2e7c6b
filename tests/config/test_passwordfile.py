"""Sealed password files, and what else is found in their place."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.passwordfile import (
    MAX_PASSWORD_CHARACTERS,
    FileKind,
    kind_of,
    read_key,
    seal,
    secret_in,
    show_key,
    unseal,
)
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES

KEY = bytes(range(32))
CHARACTERS = st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f")
PASSWORDS = st.text(CHARACTERS, min_size=1, max_size=MAX_PASSWORD_CHARACTERS)


def secret(data: bytes, *, may_be_plain: bool = False, key: bytes = KEY) -> str:
    return secret_in(data, lambda: key, may_be_plain=may_be_plain, name="conf/.pw").reveal()


@given(PASSWORDS)
def test_what_is_sealed_opens_again(password: str) -> None:
    """Every password, and its file is never too large to be read."""
    data = seal(password, KEY)
    assert password == secret(data)
    assert len(data) <= MAX_PASSWORD_FILE_BYTES


def test_equal_passwords_give_different_files() -> None:
    """And files do not tell how long a short password is."""
    one, other, short = seal("ge heim", KEY), seal("ge heim", KEY), seal("x", KEY)
    assert one != other
    assert len(one) == len(short)
    assert b"heim" not in one


@given(st.data())
def test_a_changed_file_does_not_open(data: st.DataObject) -> None:
    """Whichever octet is another one: the seal does not fit, and the sentence says what to do."""
    # The same octets in each run of the example, or it could not be repeated.
    sealed = seal("geheim", KEY, random=bytes).rstrip()
    at = data.draw(st.integers(len(b"iapassword:1:"), len(sealed) - 1))
    octet = data.draw(st.sampled_from(b"ABCxyz019+/").filter(lambda octet: octet != sealed[at]))
    with pytest.raises(ValueError, match=r"not made with the key of this home, or is damaged; .*--file conf/.pw --new"):
        secret(sealed[:at] + bytes((octet,)) + sealed[at + 1 :])


def test_another_home_cannot_read_it() -> None:
    """A file that was copied without the key is of no use."""
    with pytest.raises(ValueError, match="not made with the key of this home"):
        secret(seal("geheim", KEY), key=bytes(32))


def test_a_newer_format_is_told_apart_from_damage() -> None:
    """The secret is not lost, only this program too old."""
    with pytest.raises(ValueError, match="newer iapassword"):
        unseal(b"iapassword:2:AAAA", KEY, name="")


@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_files_of_the_original_are_recognised(blocks: int, random: object) -> None:
    """One line of base64 of blocks of eight octets, without an end of the line."""
    old = base64.b64encode(os.urandom(8 * blocks))
    assert FileKind.OLD == kind_of(old, may_be_plain=True)
    with pytest.raises(ValueError, match=r"original agent, whose key nobody has; enter the secret again"):
        secret(old)


@pytest.mark.parametrize(
    ("data", "may_be_plain", "kind"),
    [
        (b"QUJDREVGR0g=", True, FileKind.OLD),
        (b"QUJDREVGR0g=\n", True, FileKind.PLAIN),
        (b"QUJDREVGR0g=\n", False, FileKind.OLD),
        (b"0123456789abcdef0123456789abcdef", True, FileKind.PLAIN),
        (b"QUJDREVGR0hJ", True, FileKind.PLAIN),
        (b"sesame", True, FileKind.PLAIN),
        (b"", True, FileKind.PLAIN),
        (b"QUJD!EVGR0g=", True, FileKind.PLAIN),
        (seal("x", KEY), True, FileKind.SEALED),
        (b"\xef\xbb\xbf" + seal("x", KEY).strip(), True, FileKind.SEALED),
    ],
)
def test_what_a_file_is(data: bytes, may_be_plain: bool, kind: FileKind) -> None:
    """A token that looks like base64 is plain where it ends its line, or has hexadecimal digits only."""
    assert kind == kind_of(data, may_be_plain=may_be_plain)


def test_plain_files_count_only_where_they_are_usual() -> None:
    """Elsewhere the sentence says how to make the file right, without repeating it."""
    assert "sesame" == secret(b"sesame\nrest", may_be_plain=True)
    with pytest.raises(ValueError, match=r"is not encrypted; .*iapassword --file conf/.pw --new") as caught:
        secret(b"sesame\n")
    assert "sesame" not in str(caught.value)


def test_an_ambiguous_plain_file_is_told_the_way_out() -> None:
    """Whoever means the text itself ends its line."""
    with pytest.raises(ValueError, match=r"looks like .* or end its line"):
        secret(b"QUJDREVGR0g=", may_be_plain=True)


@pytest.mark.parametrize("password", ["", "a\nb", "x" * (MAX_PASSWORD_CHARACTERS + 1), "\udcff"])
def test_what_is_no_password_is_not_sealed(password: str) -> None:
    """No senders and no proxies could carry it."""
    with pytest.raises(ValueError, match="the password"):
        seal(password, KEY)


def test_a_key_is_read_as_it_is_written() -> None:
    """Anything else is no key."""
    assert KEY == read_key(show_key(KEY))
    for damaged in (b"", b"zz" * 32, show_key(KEY)[:-3], show_key(KEY) * 2):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            read_key(damaged)
