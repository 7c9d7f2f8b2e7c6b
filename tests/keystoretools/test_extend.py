"""extend: extensions from values that people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import ErrorCode, OperationError, der
from keystoretools.extend import (
    alternative_names,
    basic_constraints,
    dotted,
    extended_key_usage,
    general_name,
    key_usage,
)
from keystoretools.names import read_general_name

KINDS = ("dns", "ip", "email", "uri", "oid", "dn", "foo")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("dns", "*.example.com"), ("ip", "10.0.0.1"), ("ip", "2001:db8::1"), ("email", "a@b.c"), ("uri", "http://x/")],
)
def test_what_is_written_is_read_again(kind: str, value: str) -> None:
    """By our own reader, with kind and text."""
    found = read_general_name(der.parse(general_name(kind, value)))
    assert (kind, value) == (found.kind, found.value)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("dns", "a_b", "DNSName components must consist of letters, digits, and hyphens"),
        ("dns", "", "DNSName components"),
        ("ip", "999", "Invalid IPAddress: 999"),
        ("oid", "9.9", "ObjectIdentifier"),
        ("foo", "x", "Unrecognized GeneralName type: foo"),
        ("email", "ü", "Only ASCII"),
    ],
)
def test_bad_values_have_a_code_of_their_own(kind: str, value: str, words: str) -> None:
    """Java's words in front; the code is that of a value, not of a damaged file."""
    with pytest.raises(OperationError, match=words) as caught:
        general_name(kind, value)
    assert ErrorCode.VALUE_NOT_VALID == caught.value.code


def test_usages_and_constraints() -> None:
    """The octets of RFC 5280's examples."""
    assert bytes.fromhex("030205a0") == key_usage(["digitalSignature", "keyEncipherment"]).value
    assert bytes.fromhex("03020780") == key_usage(["digitalSignature"]).value
    assert bytes.fromhex("300a06082b06010505070301") == extended_key_usage(["serverAuth"]).value
    assert bytes.fromhex("30060101ff020100") == basic_constraints(is_authority=True, path_length=0).value
    assert bytes.fromhex("3000") == basic_constraints(is_authority=False).value
    with pytest.raises(OperationError) as caught:
        key_usage(["drawing"])
    assert ErrorCode.VALUE_NOT_VALID == caught.value.code


@given(st.sampled_from(KINDS), st.text(max_size=30))
def test_any_value_gives_octets_or_a_documented_error(kind: str, value: str) -> None:
    """Also through the extension, and for dotted numbers."""
    for attempt in (lambda: alternative_names([(kind, value)]), lambda: dotted(value)):
        try:
            attempt()
        except OperationError as error:
            assert error.code in (ErrorCode.VALUE_NOT_VALID, ErrorCode.NAME_NOT_VALID)
