"""findings: each trap has its code, one sentence and a cure."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from keystoretools import (
    Certificate,
    Format,
    Keystore,
    Password,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    der,
    open_keystore,
    read_anything,
    save_keystore,
    write_pem,
)
from keystoretools.certificate_findings import _odd_kind
from keystoretools.findings import CODES, Finding, findings
from tests.keystoretools.authority import NOW, START, Made, family, make, rsa_key
from tests.keystoretools.conftest import SAMPLES, manifest

LEAF, MIDDLE, ROOT = family()
CHAIN = (LEAF.certificate, MIDDLE.certificate)


def _entry(made: Made, *issuers: Made, alias: str = "server") -> PrivateKeyEntry:
    chain = (made.certificate, *(one.certificate for one in issuers))
    return PrivateKeyEntry(alias=alias, key=made.key, chain=chain, created_ms=1)


def _store(*entries: PrivateKeyEntry | TrustedCertificateEntry, password: str = "T0p-Secret") -> Keystore:
    store = Keystore(format=Format.JKS, entries=entries)
    return open_keystore(save_keystore(store, password), password)


def _codes(store: Keystore, **options: object) -> set[str]:
    return {one.code for one in findings(store, now=NOW, **options)}  # type: ignore[arg-type]


def _find(store: Keystore, code: str, **options: object) -> Finding:
    (found,) = [one for one in findings(store, now=NOW, **options) if one.code == code]  # type: ignore[arg-type]
    return found


def test_a_good_store_has_nothing_to_cure() -> None:
    """A complete identity gives information at most."""
    found = findings(_store(_entry(LEAF, MIDDLE)), now=NOW, host_names=["ia.example.com", "10.0.0.5"])
    assert [one.code for one in found] == ["weak-store-protection"]
    assert found[0].severity == "info"


@pytest.mark.parametrize(
    ("made", "code", "severity"),
    [
        (make("a.example", MIDDLE, names=("a.example",), days=10), "expired", "error"),
        (make("a.example", MIDDLE, names=("a.example",), days=160), "expires-soon", "warning"),
        (make("a.example", MIDDLE, names=("a.example",), start=NOW + timedelta(days=3)), "not-yet-valid", "error"),
        (make("a.example", MIDDLE), "no-alternative-names", "warning"),
        (make("a.example", names=("a.example",)), "self-signed", "info"),
        (make("a.example", MIDDLE, names=("a.example",), authority=True), "ca-as-server", "warning"),
        (
            make("a.example", MIDDLE, names=("a.example",), usage=(x509.ExtendedKeyUsageOID.CLIENT_AUTH,)),
            "no-server-usage",
            "error",
        ),
        (make("a.example", MIDDLE, names=("a.example",), signer=rsa_key(1024)), "weak-key", "error"),
    ],
)
def test_the_certificate(made: Made, code: str, severity: str) -> None:
    """Dates, names, usage and strength of what the server presents."""
    found = _find(_store(_entry(made, *([] if code == "self-signed" else [MIDDLE]))), code)
    assert (found.severity, found.alias) == (severity, "server")
    assert found.cure


def test_days_are_counted() -> None:
    """Expiry says how many days ago, or in how many."""
    old = make("a.example", MIDDLE, names=("a.example",), days=10)
    assert f"{(NOW - START).days - 10} days ago" in _find(_store(_entry(old, MIDDLE)), "expired").sentence


def test_host_names() -> None:
    """A name the clients use and the certificate lacks is an error with the names it has."""
    found = _find(_store(_entry(LEAF, MIDDLE)), "host-not-covered", host_names=["ia", "ia.example.com"])
    assert '"ia"' in found.sentence and "covers ia.example.com, 10.0.0.5" in found.sentence
    assert found.cure.endswith("iadmin keystore request server --name ia")


def test_chains() -> None:
    """Missing issuer, gap, wrong order, and a root that need not be there are told apart."""
    assert _find(_store(_entry(LEAF)), "chain-incomplete").severity == "warning"
    gap = _find(_store(_entry(LEAF, ROOT)), "chain-gap")
    assert gap.severity == "error" and "CN=Test Issuing" in gap.sentence and '"Test Root" follows' in gap.sentence
    assert "chain-out-of-order" in _codes(_store(_entry(LEAF, ROOT, MIDDLE)))
    assert _find(_store(_entry(LEAF, MIDDLE, ROOT)), "root-included").severity == "info"
    assert not {"chain-incomplete", "chain-gap", "root-included"} & _codes(_store(_entry(LEAF, MIDDLE)))


def test_an_issuer_that_lies_beside_is_named() -> None:
    """A chain that could be completed from the trusted certificates says so."""
    trusted = TrustedCertificateEntry(alias="ca", certificate=MIDDLE.certificate)
    assert "in the same keystore" in _find(_store(_entry(LEAF), trusted), "chain-incomplete").cure


def test_the_key_password_trap() -> None:
    """A key under another password is an error with the command that mends it."""
    store = open_keystore((SAMPLES / "jks/keypass-differs.jks").read_bytes(), "storepass1")
    found = _find(store, "key-password-differs")
    assert (found.severity, found.alias) == ("error", "server")
    assert "iadmin keystore passwd --key server" in found.cure


def test_mismatch() -> None:
    """A certificate of another key is found, with both fingerprints."""
    wrong = attrs.evolve(_entry(LEAF, MIDDLE), key=make("x").key)
    assert _find(_store(wrong), "key-certificate-mismatch").severity == "error"


def test_several_identities() -> None:
    """Two keys: which is presented must be said; what Java would have done is told when it differs."""
    store = _store(_entry(LEAF, MIDDLE, alias="ssl"), _entry(LEAF, MIDDLE, alias="new-cert"))
    assert "several-identities" in _codes(store)
    assert "several-identities" not in _codes(store, alias="ssl")
    assert '"new-cert"' in _find(store, "java-would-serve-other", alias="ssl").sentence
    assert "java-would-serve-other" not in _codes(store, alias="new-cert")


def test_a_server_certificate_as_trusted() -> None:
    """keytool's trap: a leaf imported under a new alias has no key."""
    store = _store(TrustedCertificateEntry(alias="new", certificate=LEAF.certificate))
    assert "without its private key" in _find(store, "no-key-for-certificate").sentence


def test_names_and_passwords() -> None:
    """Aliases that cannot be typed, aliases Java cannot find, and passwords that everybody knows."""
    store = _store(_entry(LEAF, MIDDLE, alias="Server"), _entry(LEAF, MIDDLE, alias="a\nb"), password="changeit")
    odd = [one for one in findings(store, now=NOW) if one.code == "odd-alias"]
    assert ["cannot find it" in one.sentence for one in odd] == [True, False]
    assert "default-password" in _codes(store)


def test_without_a_password() -> None:
    """What was not checked is said."""
    store = open_keystore((SAMPLES / "jks/ia-default.keystore").read_bytes())
    assert "not-checked" in _codes(store)


@pytest.mark.parametrize(
    ("file", "expected", "absent"),
    [
        ("openssl/default.pfx", {"old-java-cannot-read", "windows-cannot-read"}, set()),
        ("openssl/legacy.pfx", {"weak-store-protection"}, {"old-java-cannot-read", "windows-cannot-read"}),
        ("p12/keytool-jdk17.p12", {"old-java-cannot-read", "windows-cannot-read"}, {"weak-store-protection"}),
        ("p12/keytool-jdk8u504.p12", {"weak-store-protection"}, {"old-java-cannot-read"}),
        ("openssl/nokeys.pfx", {"java-ignores-certificate"}, set()),
    ],
)
def test_other_programs(file: str, expected: set[str], absent: set[str]) -> None:
    """Which Java and which Windows read a PKCS#12 file follows from its algorithms."""
    (item,) = [one for one in manifest() if one["file"] == file]
    codes = _codes(open_keystore((SAMPLES / file).read_bytes(), item["storepass"]))
    assert (expected - codes, absent & codes) == (set(), set())


def test_dsa() -> None:
    """A DSA key is an error: no handshake will ever succeed."""
    store = open_keystore((SAMPLES / "p12/five-keys-mixed.p12").read_bytes(), "changeit")
    assert _find(store, "dsa-key").alias == "dsa"


@pytest.mark.parametrize(
    ("signer", "words"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "an Ed25519 key"),
        (ec.generate_private_key(ec.SECP256K1()), "an EC key on the curve secp256k1"),
    ],
)
def test_a_key_that_not_every_client_takes(signer: object, words: str) -> None:
    """Sound, but not for every browser and every Java."""
    made = make("a.example", MIDDLE, names=("a.example",), signer=signer)  # type: ignore[arg-type]
    assert f"has {words}: browsers and many" in _find(_store(_entry(made, MIDDLE)), "unusual-key").sentence


def test_a_curve_in_numbers_is_told() -> None:
    """Java blames the password for such a file; the arithmetic of the curve does not matter, only how it is written."""
    named = make("a.example", names=("a.example",), signer=ec.generate_private_key(ec.SECP256R1())).certificate
    public = named.public_key
    assert public is not None
    numbers = der.sequence(der.oid("1.2.840.10045.2.1"), der.sequence(der.integer(1)))
    spelled = attrs.evolve(public, der=der.sequence(numbers, der.bit_string(public.point)), curve=None)
    assert "not named but spelled out in numbers" in str(_odd_kind(spelled))
    assert None is _odd_kind(public)


def test_an_unreadable_certificate_is_a_finding() -> None:
    """Rubbish where a certificate should be does not stop the others."""
    store = _store(TrustedCertificateEntry(alias="x", certificate=Certificate(b"\x30\x03abc")), _entry(LEAF, MIDDLE))
    assert _find(store, "unreadable-certificate").alias == "x"


def test_contents() -> None:
    """Files are judged like stores, after they were put together."""
    old = make("a.example", MIDDLE, names=("a.example",), days=10)
    contents = read_anything(write_pem([old.key, old.certificate]))
    codes = [one.code for one in findings(contents, now=NOW, host_names=["b.example"])]
    assert codes == ["expired", "host-not-covered", "chain-incomplete"]


def test_stores_inside_contents() -> None:
    """A store that was sent is judged as such: its key password, what Java ignores; apia needs no host name."""
    data = (SAMPLES / "jks/keypass-differs.jks").read_bytes()
    codes = {one.code for one in findings(read_anything(data, ["storepass1"]), now=NOW)}
    assert {"key-password-differs", "needs-password"} <= codes
    data = (SAMPLES / "openssl/nokeys.pfx").read_bytes()
    (ignored,) = [one for one in findings(read_anything(data, ["changeit"]), now=NOW) if "java" in one.code[:4]]
    assert "3 of 3 entries" in ignored.sentence
    stock = read_anything((SAMPLES / "jks/ia-default.keystore").read_bytes(), ["alarmpoint"])
    assert "host-not-covered" not in {one.code for one in findings(stock, now=NOW, host_names=["ia.example.com"])}


def test_one_of_several_identities_must_cover_a_name() -> None:
    """A name that another identity covers is no finding; one that none covers is one for each."""
    other = make("b.example", names=("b.example",))
    contents = read_anything(write_pem([LEAF.key, *CHAIN, other.key, other.certificate]))
    asked = {
        host: [one.code for one in findings(contents, now=NOW, host_names=[host])].count("host-not-covered")
        for host in ("ia.example.com", "b.example", "c.example")
    }
    assert asked == {"ia.example.com": 0, "b.example": 0, "c.example": 2}


def test_codes_are_known_and_sentences_are_plain() -> None:
    """Every recorded file gives known codes, printable sentences and no password."""
    for item in manifest():
        if item["hostile"] or item["type"] == "BCFKS":
            continue
        contents = read_anything((SAMPLES / item["file"]).read_bytes(), [item["storepass"] or "nothing"])
        for what in (contents, *contents.stores):
            for one in findings(what, now=NOW):
                assert one.code in CODES | {
                    "trailing-octets",
                    "no-integrity-check",
                    "unknown-entry",
                    "alias-not-for-java",
                }
                assert one.sentence.isprintable() and one.sentence.endswith((".", ")"))
                assert Password(item["storepass"] or "nothing").reveal() not in one.sentence + one.cure
