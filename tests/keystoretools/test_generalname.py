"""generalname: alternative names and identifiers that people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import ErrorCode, OperationError, der
from keystoretools.generalname import dotted, general_name
from keystoretools.names import read_general_name

KINDS = ("dns", "ip", "email", "uri", "oid", "dn", "foo")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("dns", "*.example.com"),
        ("dns", "a-.b"),
        ("ip", "10.0.0.1"),
        ("ip", "2001:db8::1"),
        ("email", "a@b.c"),
        ("uri", "http://x/%20"),
        ("uri", "urn:x"),
    ],
)
def test_what_is_written_is_read_again(kind: str, value: str) -> None:
    """By our own reader, with kind and text."""
    found = read_general_name(der.parse(general_name(kind, value)))
    assert (kind, value) == (found.kind, found.value)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("dns", "a_b", "DNSName components must consist of letters, digits, and hyphens"),
        ("dns", "", "DNSName must not be null or empty"),
        ("dns", "a b", "DNSName with blank components is not permitted"),
        ("dns", "b.", "DNSName may not begin or end with a ."),
        ("dns", "a..b", "DNSName with empty components are not permitted"),
        ("dns", "*", "DNSName components must begin with a letter, digit, or the first component can have only"),
        ("ip", "", "IPAddress cannot be null or empty"),
        ("ip", "999", "Invalid IPAddress: 999"),
        ("oid", "9.9", "Unable to create OIDName: java.io.IOException: ObjectIdentifier() -- First oid component"),
        ("oid", "1", "Unable to create OIDName: java.io.IOException: ObjectIdentifier() -- Must be at least two"),
        ("foo", "x", "Unrecognized GeneralName type: foo"),
        ("email", "ü", "Only ASCII is allowed here"),
        ("email", "", "RFC822Name may not be null or empty"),
        ("email", "a@", "RFC822Name may not end with @"),
        ("email", "a@.", "RFC822Name domain may not be just ."),
        ("uri", "x", "URI name must include scheme:x"),
        ("uri", "", "URI name must include scheme:"),
        ("uri", "x:", "invalid URI name:x:"),
        ("uri", "http://", "invalid URI name:http://"),
        ("uri", "http://a b", "invalid URI name:http://a b"),
        ("uri", "http://a/%zz", "invalid URI name:http://a/%zz"),
    ],
)
def test_bad_values_have_javas_words_and_a_code_of_their_own(kind: str, value: str, words: str) -> None:
    """The code is that of a value, not of a damaged file."""
    with pytest.raises(OperationError) as caught:
        general_name(kind, value)
    assert words == caught.value.sentence[: len(words)]
    assert ErrorCode.VALUE_NOT_VALID == caught.value.code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1..2", 'Invalid format: java.lang.NumberFormatException: For input string: ""'),
        ("1.99.2", "Second oid component is invalid "),
        ("1." + "2." * 40 + "3", "More than 31 components"),
    ],
)
def test_bad_identifiers_have_javas_words(text: str, words: str) -> None:
    """Which arc is wrong."""
    with pytest.raises(OperationError) as caught:
        dotted(text)
    assert f"ObjectIdentifier() -- {words}" == caught.value.sentence.partition(': "1.2.2')[0]


@given(st.sampled_from(KINDS), st.text(max_size=30))
def test_any_value_gives_octets_or_a_documented_error(kind: str, value: str) -> None:
    """Also for dotted numbers."""
    for attempt in (lambda: general_name(kind, value), lambda: dotted(value)):
        try:
            attempt()
        except OperationError as error:
            assert error.code in (ErrorCode.VALUE_NOT_VALID, ErrorCode.NAME_NOT_VALID)
