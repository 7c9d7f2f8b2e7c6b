"""names: distinguished names as keytool prints them, and alternative names of every kind."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from keystoretools import AlternativeName, KeystoreError, Name, der
from keystoretools.dname import parse_name
from keystoretools.names import read_general_name


def test_every_keyword_of_keytool() -> None:
    """What keytool calls by name is called so here; the rest by its number."""
    text = (
        "UID=u, DC=d, STREET=s, OID.2.5.4.17=12345, EMAILADDRESS=a@b.c, T=Dr, DNQ=q, GENERATION=III, INITIALS=AL,"
        " SURNAME=Lee, GIVENNAME=Ann, SERIALNUMBER=1, CN=n, OU=ou, O=o, L=l, ST=st, C=CA"
    )
    assert text == parse_name(text).text()


def test_parts_of_several_attributes() -> None:
    """keytool sets blanks around the plus sign; aliases of PKCS#12 chain certificates have no blanks at all."""
    name = parse_name('SERIALNUMBER=12+CN="x, y", O=Ex + OU=Two, C=CA')
    assert ('SERIALNUMBER=12 + CN="x, y", O=Ex + OU=Two, C=CA', 'SERIALNUMBER=12+CN="x, y",O=Ex+OU=Two,C=CA') == (
        name.text(),
        name.text(","),
    )
    assert ("x, y", [1, 2, 2]) == (name.common_name, [len(rdn) for rdn in name.rdns])


def test_values_that_java_shows_in_its_own_way() -> None:
    """No text type: its octets; quotation marks around the whole are taken for keytool's own."""
    number = der.sequence(der.oid("2.5.4.5"), der.encode(0x12, b"123"))
    assert "SERIALNUMBER=#1203313233" == Name(der=der.sequence(der.set_of(number))).text()
    assert 'CN="a"' == parse_name('CN="\\"a\\""').text()
    assert 'CN="a \\" b"' == parse_name('CN="\\"a \\" b\\""').text()


def test_names_compare_without_case_and_blanks() -> None:
    """As RFC 5280 7.1 has it; the octets tell them apart all the same."""
    one, two = parse_name("CN=Example  Root, C=CA"), parse_name("cn=example root,c=ca")
    assert (True, False) == (one.comparable == two.comparable, one == two)


def test_alternative_names() -> None:
    """Each kind as text; what has no text as hex."""
    plain = {1: b"a@b.c", 2: b"ia.example.com", 6: b"http://x/"}
    found = [read_general_name(der.parse(der.encode(der.context(n, constructed=False), v))) for n, v in plain.items()]
    found.append(read_general_name(der.parse(der.encode(der.context(7, constructed=False), bytes([10, 0, 0, 1])))))
    found.append(read_general_name(der.parse(der.explicit(4, parse_name("CN=x").der))))
    found.append(read_general_name(der.parse(der.encode(der.context(8, constructed=False), b"\x2a\x03"))))
    found.append(read_general_name(der.parse(der.encode(der.context(7, constructed=False), b"\1\2"))))
    expected = [
        ("email", "a@b.c"),
        ("dns", "ia.example.com"),
        ("uri", "http://x/"),
        ("ip", "10.0.0.1"),
        ("dirname", "CN=x"),
        ("oid", "1.2.3"),
        ("other", "0102"),
    ]
    assert [AlternativeName(kind=kind, value=value) for kind, value in expected] == found


@given(st.binary(max_size=80))
def test_any_octets_give_a_name_or_a_documented_error(octets: bytes) -> None:
    """Damage is a KeystoreError for names, and `other` or a text for alternative names."""
    with contextlib.suppress(KeystoreError):
        assert isinstance(Name(der=der.sequence(octets)).text(), str)
    for number in range(9):
        element = der.parse(der.encode(der.context(number, constructed=False), octets))
        assert isinstance(read_general_name(element).value, str)
