"""extend: extensions from values that people type."""

from __future__ import annotations

import pytest

from keystoretools import ErrorCode, OperationError
from keystoretools.extend import alternative_names, basic_constraints, extended_key_usage, key_usage


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


def test_alternative_names_are_a_sequence_of_names() -> None:
    """And one that is none stops them all."""
    assert bytes.fromhex("3009820161870401020304") == alternative_names([("dns", "a"), ("ip", "1.2.3.4")]).value
    with pytest.raises(OperationError, match="DNSName"):
        alternative_names([("dns", "a"), ("dns", "")])
