"""errors: one family, stable codes, sentences that can be read and hide nothing harmful."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    CorruptError,
    ErrorCode,
    KeystoreError,
    LimitError,
    MangledError,
    NotAKeystoreError,
    OperationError,
    PasswordNeededError,
    TruncatedError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
)
from keystoretools.errors import quoted, short_number

RAISED = [
    (NotAKeystoreError("x", looks_like="a web page"), "not-this-format"),
    (MangledError("x", damage="UTF-8"), "mangled-transfer"),
    (TruncatedError("a certificate", offset=12, missing=3), "truncated"),
    (CorruptError("x"), "corrupt"),
    (WrongPasswordError("x"), "wrong-password"),
    (PasswordNeededError("x"), "password-needed"),
    (WrongKeyPasswordError("x", alias="a"), "wrong-key-password"),
    (LimitError("a salt with a length", found=5, ceiling=4), "limits"),
    (UnsupportedError("x", name="RC5"), "unsupported"),
    (OperationError("x", code=ErrorCode.ALIAS_EXISTS), "alias-exists"),
]


@pytest.mark.parametrize(("error", "code"), RAISED, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_every_type_has_its_code(error: KeystoreError, code: str) -> None:
    """One base, one stable code each, and the text of the exception is the sentence."""
    assert isinstance(error, KeystoreError)
    assert (code, error.sentence) == (error.code, str(error))


def test_sentences_name_the_values() -> None:
    """What was found, what is accepted, where."""
    cut, limit = RAISED[2][0], RAISED[7][0]
    assert ("octet 12 needs 3 more" in cut.sentence, cut.offset) == (True, 12)
    assert "a salt with a length of 5; at most 4" in limit.sentence


def test_huge_numbers_are_not_printed() -> None:
    """Hostile integers of thousands of digits would be all there is to read."""
    assert ["18446744073709551615", "a number of 65 bits"] == [short_number(2**64 - 1), short_number(2**64)]
    assert len(LimitError("x", found=1 << 100_000, ceiling=1).sentence) < 200


@given(st.text())
def test_quoted_text_is_harmless(text: str) -> None:
    """Foreign text in a sentence: one line, printable, bounded, its quotes escaped."""
    shown = quoted(text)
    assert shown.isprintable()
    assert shown.startswith('"')
    assert shown.endswith('"')
    assert len(shown) <= 2 + 63 * 10
    assert '"' not in shown[1:-1].replace('\\"', "")
