"""Keys, certificates and requests made here, against `cryptography` and against themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import KeystoreError, OperationError, UnsupportedError, der, extend, make
from keystoretools.dname import build_name, parse_name
from keystoretools.signature import signed_by
from keystoretools.signing import scheme_named

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=90)


@pytest.mark.parametrize(
    ("algorithm", "options", "signature"),
    [
        ("RSA", {"bits": 1024}, "SHA256withRSA"),
        ("EC", {}, "SHA256withECDSA"),
        ("EC", {"curve": "secp384r1"}, "SHA384withECDSA"),
        ("EC", {"curve": "secp521r1"}, "SHA512withECDSA"),
        ("Ed25519", {}, "Ed25519"),
        ("Ed448", {}, "Ed448"),
        ("DSA", {"bits": 1024}, "SHA256withDSA"),
    ],
)
def test_a_self_signed_certificate_holds(algorithm: str, options: dict[str, object], signature: str) -> None:
    """It carries its key, its signature fits, and another library reads it."""
    key = make.generate_key(algorithm, **options)  # type: ignore[arg-type]
    made = make.self_signed(key, parse_name("CN=a, C=CA"), start=START, end=END)
    assert (signature, True, True) == (made.signature_algorithm, key.fits(made), signed_by(made, made))
    assert (START, END) == (made.not_before, made.not_after)
    assert key.public_key.sha256 is not None and made.to_cryptography().version is x509.Version.v3
    asked = make.request(key, parse_name("CN=b"))
    assert (None, True) == (asked.problem, make.is_genuine(asked))


def test_a_request_that_was_changed_is_not_genuine() -> None:
    """One changed letter of the name, and the signature does not fit any more."""
    asked = make.request(make.generate_key("EC"), parse_name("CN=honest"))
    changed = type(asked)(asked.der.replace(b"honest", b"hanest"))
    assert False is make.is_genuine(changed)


def test_dates_from_2050_on_are_generalized() -> None:
    """RFC 5280: UTCTime until 2049."""
    end = datetime(2050, 1, 1, tzinfo=UTC)
    made = make.self_signed(make.generate_key("EC"), parse_name("CN=a"), start=START, end=end)
    assert end == made.not_after
    assert b"20500101000000Z" in made.der


def test_a_pss_signature_holds() -> None:
    """RSASSA-PSS with its parameters written."""
    key = make.generate_key("RSA", bits=1024)
    made = make.self_signed(key, parse_name("CN=a"), start=START, end=END, scheme=scheme_named("rsassa-pss"))
    assert True is signed_by(made, made)


def test_a_key_for_pss_only_signs_with_a_digest_of_its_strength() -> None:
    """Marked as such in key and certificate, and SHA-384 from 3073 bits on, as Java has it."""
    key = make.generate_key("RSASSA-PSS", bits=1024)
    made = make.self_signed(key, parse_name("CN=a"), start=START, end=END)
    assert ("RSASSA-PSS", "RSASSA-PSS") == (key.algorithm, made.public_key.algorithm if made.public_key else None)
    assert True is signed_by(made, made)
    assert ["SHA256", "SHA384", "SHA512"] == [
        scheme_named("RSASSA-PSS", bits=bits).digest for bits in (2048, 4096, 8192)
    ]


def test_a_key_signs_only_with_its_own_kind() -> None:
    """An EC key and an RSA algorithm: said, not tried."""
    key = make.generate_key("EC")
    with pytest.raises(OperationError, match="EC cannot sign with SHA256withRSA"):
        make.self_signed(key, parse_name("CN=a"), start=START, end=END, scheme=scheme_named("SHA256withRSA"))


@pytest.mark.parametrize(("algorithm", "options"), [("RSA", {"bits": 512}), ("EC", {"curve": "x"}), ("FOO", {})])
def test_other_keys_are_refused(algorithm: str, options: dict[str, object]) -> None:
    """Sizes and curves that nothing accepts any more."""
    with pytest.raises(UnsupportedError):
        make.generate_key(algorithm, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CN=host, O=X", "CN=host, O=X"),
        ('cn=a;o="Acme, Inc.";C=CA', 'CN=a, O="Acme, Inc.", C=CA'),
        (r"CN=a\, b, OU=\C3\84", 'CN="a, b", OU=Ä'),
        ("S=BC, OID.1.2.3=z, EMAIL=a@b.c", "ST=BC, OID.1.2.3=z, EMAILADDRESS=a@b.c"),
    ],
)
def test_names_are_read_as_keytool_reads_them(text: str, shown: str) -> None:
    """Quotation marks, escapes, other separators, keywords in any case."""
    assert shown == parse_name(text).text()


@pytest.mark.parametrize("text", ["", "foo", "CN=a,", "FOO=x", "=x", "CN=a,O"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """With Java's words at the beginning of the sentence."""
    with pytest.raises(OperationError, match=r"^(Incorrect AVA format|Invalid keyword|empty AVA in RDN)"):
        parse_name(text)


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Only KeystoreError comes out, and what is read can be shown."""
    try:
        name = parse_name(text)
    except KeystoreError:
        return
    assert isinstance(name.text(), str)


@given(st.text(min_size=1).filter(lambda text: "\ud800" > text[0] or text[0] > "\udfff"))
@settings(max_examples=50)
def test_a_built_name_holds_its_value(value: str) -> None:
    """Whatever somebody types at a question stands in the name."""
    assert value.encode("utf-8", "replace").decode() == build_name([("CN", value)]).common_name


def test_names_letters_decide_the_string_type() -> None:
    """PrintableString where it suffices, UTF8String else, IA5String for mail: as Java writes them."""
    assert der.encode(der.PRINTABLE_STRING, b"host-1") in parse_name("CN=host-1").der
    assert der.encode(der.UTF8_STRING, b"a_b") in parse_name("CN=a_b").der
    assert der.encode(der.IA5_STRING, b"a@b") in parse_name("EMAILADDRESS=a@b").der


def test_extensions_read_back_by_another_library() -> None:
    """Alternative names, constraints and usages as `cryptography` sees them."""
    made = make.self_signed(
        make.generate_key("EC"),
        parse_name("CN=a"),
        start=START,
        end=END,
        extensions=[
            extend.alternative_names([("dns", "*.a.example"), ("ip", "::1"), ("email", "a@b"), ("uri", "urn:x")]),
            extend.basic_constraints(is_authority=True, path_length=3, critical=True),
            extend.key_usage(["digitalSignature", "decipherOnly", "keyAgreement"]),
            extend.extended_key_usage(["serverAuth", "1.2.3.4"]),
        ],
    ).to_cryptography()
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["*.a.example"] == names.get_values_for_type(x509.DNSName)
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (True, 3, True) == (constraints.value.ca, constraints.value.path_length, constraints.critical)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (True, True, True, False) == (
        usage.digital_signature, usage.key_agreement, usage.decipher_only, usage.encipher_only
    )  # fmt: skip
    assert made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


@pytest.mark.parametrize(
    ("kind", "value"),
    [("dns", "a_b"), ("dns", ""), ("dns", "-a"), ("ip", "1.2.3"), ("oid", "1.99"), ("uri", "ä"), ("foo", "x")],
)
def test_names_no_certificate_can_have_are_refused(kind: str, value: str) -> None:
    """Before anything is signed."""
    with pytest.raises(OperationError):
        extend.general_name(kind, value)
