"""dname: names as people type them for keytool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import ErrorCode, OperationError
from keystoretools.dname import build_name, parse_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CN=ia.example.com,O=Example,C=CA", "CN=ia.example.com, O=Example, C=CA"),
        ('cn="Example, Inc"; o = x ', 'CN="Example, Inc", O=x'),
        (r"CN=a\,b", 'CN="a,b"'),
        (r"CN=M\C3\BCller", "CN=Müller"),
        ("1.2.3.4=x", "OID.1.2.3.4=x"),
        ("oid.2.5.4.3=x", "CN=x"),
        ("S=Ontario", "ST=Ontario"),
        ("CN=#1303616263, O=x", "CN=abc, O=x"),
        (r"CN=\#abc", 'CN="#abc"'),
    ],
)
def test_text_becomes_a_name(text: str, expected: str) -> None:
    """Quotation marks, escapes, blanks, semicolons, keywords in any case, numbers."""
    assert expected == parse_name(text).text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foo", "Incorrect AVA format"),
        ("", "Incorrect AVA format"),
        ("CN=x, ", "Incorrect AVA format"),
        ("CN=x,,O=y", 'empty AVA in RDN ""'),
        ("CN=x+,O=y", r'empty AVA in RDN "CN=x\+"'),
        ("CN=#hex", "AVA parse, invalid hex digit: h"),
        ("CN=#", "AVA parse, zero hex digits"),
        ("CN=#130", "AVA parse, odd number of hex digits"),
        ("CN=#13", "Too short"),
        ("CN=#130361626300", "extra data at the end"),
        ('CN="a', "Quoted string did not end in quote"),
        ('CN="a"b', "AVA had characters other than whitespace after terminating quote"),
        ("CN=a<b", "Character '<' in AVA appears without escape"),
        ("CN=a\\", "Invalid trailing backslash"),
        (r"CN=a\q", "Invalid escaped character in AVA: 'q'"),
        ("=x", 'Invalid keyword ""'),
        ("FOO=x", 'Invalid keyword "FOO"'),
        ("CN=" + "x" * 9000, "too long"),
    ],
)
def test_faults_have_a_code_and_javas_words(text: str, words: str) -> None:
    """People search for what keytool says; programs look at the code."""
    with pytest.raises(OperationError, match=words) as caught:
        parse_name(text)
    assert ErrorCode.NAME_NOT_VALID == caught.value.code


def test_answers_become_a_name() -> None:
    """Empty answers are left out."""
    assert "CN=ia, C=CA" == build_name([("CN", "ia"), ("OU", ""), ("C", "CA")]).text()


@given(st.text(max_size=60))
def test_any_text_gives_a_name_or_that_error(text: str) -> None:
    """Nothing else leaves the parser."""
    try:
        parse_name(text).text()
    except OperationError as error:
        assert error.code is ErrorCode.NAME_NOT_VALID
