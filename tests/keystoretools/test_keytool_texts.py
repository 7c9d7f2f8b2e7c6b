"""Layouts of certificates, `-ext` and `-startdate`, held against the real keytool where there is one."""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import Extension, der, extend, make
from keystoretools.dname import parse_name
from keystoretools.keytool.ext import read_extensions
from keystoretools.keytool.extensions import extensions_text
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.layout import date, dump, pem, plain, timestamp
from keystoretools.keytool.texts import certificate_text
from keystoretools.keytool.validity import start_date

NOW = datetime(2026, 11, 20, 18, 0, 0, tzinfo=UTC)
ALL_KINDS = (
    "bc:c=ca:true,pathlen:3",
    "ku=digitalSignature,nonRepudiation,keyAgreement,decipherOnly",
    "eku=serverAuth,OCSPSigning,1.2.3.4,anyExtendedKeyUsage",
    "san=dns:*.a.example,ip:10.0.0.1,ip:2001:db8::1,email:x@y.z,uri:http://u/,oid:1.2.3",
    "ian=dns:iss",
    "aia=ocsp:uri:http://o/,caIssuers:uri:http://c/",
    "sia=caRepository:uri:http://r/",
    "crl=uri:http://crl/",
    "1.2.3.4.5=0c0568656c6c6f",
    "1.2.3.4.6",
)


def other_extensions() -> list[Extension]:
    """Kinds that -ext does not make: policies, constraints, an extension Java does not accept."""
    policies = x509.CertificatePolicies(
        [
            x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None),
            x509.PolicyInformation(x509.ObjectIdentifier("1.3.5.8"), ["http://cps/", x509.UserNotice(None, "hi")]),
        ]
    )
    network = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))
    host = x509.UniformResourceIdentifier(".evil.example")
    subtree = x509.NameConstraints([x509.DNSName("a.b"), network], [x509.RFC822Name("x.y"), host])
    fresh = x509.FreshestCRL([x509.DistributionPoint([x509.UniformResourceIdentifier("http://f/")], None, None, None)])
    found = [
        Extension(oid=one.oid.dotted_string, critical=False, value=one.public_bytes())
        for one in (
            policies,
            subtree,
            x509.PolicyConstraints(3, 1),
            fresh,
            x509.OCSPNoCheck(),
            x509.InhibitAnyPolicy(2),
        )
    ]
    netscape = der.encode(der.BIT_STRING, b"\x00\xc1")
    period = der.sequence(*(der.encode(tag, b"20260101000000Z") for tag in (0x80, 0x81)))
    return [
        *found,
        Extension(oid="2.16.840.1.113730.1.1", critical=False, value=netscape),
        Extension(oid="2.5.29.16", critical=False, value=period),
    ]


@pytest.mark.parametrize("rich", [False, True])
def test_every_extension_is_laid_out_as_keytool_does(
    rich: bool, tmp_path: Path, keytool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The whole text of a certificate with all kinds of extensions equals JDK 17's."""
    key = make.generate_key("RSA", bits=1024)
    extensions = [*read_extensions(ALL_KINDS), *(other_extensions() if rich else [])]
    made = make.self_signed(
        key, parse_name("CN=a+OU=b, GIVENNAME=g, SERIALNUMBER=5"), start=NOW, end=NOW, extensions=extensions
    )
    (tmp_path / "c.pem").write_text(pem("CERTIFICATE", made.der))
    assert keytool("-printcert", "-file", str(tmp_path / "c.pem")).stdout == certificate_text(made, UTC)


ODD_VALUES = [
    ("2.5.29.19", "3003010100"),
    ("2.5.29.19", "30060101ff0201ff"),
    ("2.5.29.19", "30090101ff02047fffffff"),
    ("2.5.29.19", "30030101ff0000"),
    ("2.5.29.19", "0500"),
    ("2.5.29.14", "3000"),
    ("2.5.29.14", "0404aa"),
    ("2.5.29.17", "3000"),
    ("2.5.29.17", "0500"),
    ("2.5.29.17", "30078605612062"),
    ("2.5.29.17", "30058603616263"),
    ("2.5.29.17", "300787050102030405"),
    ("2.5.29.17", "3012871000000000000000000000ffff0a010203"),
    ("2.5.29.17", "30058203c3bc78"),
    ("2.5.29.17", "3002a300"),
    ("2.5.29.30", "30023000"),
    ("2.5.29.31", "30023000"),
    ("2.5.29.36", "0500"),
    ("2.5.29.37", "3000"),
    ("2.5.29.46", "0500"),
    ("1.3.6.1.5.5.7.1.1", "3000"),
    ("1.3.6.1.5.5.7.1.1", "0500"),
]


@pytest.mark.parametrize("oids", [sorted({oid for oid, _ in ODD_VALUES})])
def test_odd_values_are_laid_out_as_keytool_does(
    oids: list[str], tmp_path: Path, keytool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """What Java reads leniently, and its words for what it does not read; those stand last, by number."""
    key = make.generate_key("EC")
    texts, expected = [], []
    for turn in range(max(sum(one == oid for one, _ in ODD_VALUES) for oid in oids)):
        values = {oid: [value for one, value in ODD_VALUES if one == oid] for oid in oids}
        odd = [
            Extension(oid=oid, critical=False, value=bytes.fromhex(found[turn]))
            for oid, found in values.items()
            if turn < len(found)
        ]
        made = make.self_signed(key, parse_name("CN=x"), start=NOW, end=NOW, extensions=odd)
        (tmp_path / "c.pem").write_text(pem("CERTIFICATE", made.der))
        texts.append(certificate_text(made, UTC))
        expected.append(keytool("-printcert", "-file", str(tmp_path / "c.pem")).stdout)
    assert expected == texts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("san=foo", "Illegal item foo in san=foo"),
        ("san", "Illegal value: san"),
        ("san=foo:x", "Unrecognized GeneralName type: foo"),
        ("san=ip:foo", "java.io.IOException: Invalid IPAddress: foo"),
        ("ku=ke", "command ke is ambiguous:\n     keyEncipherment keyAgreement keyCertSign"),
        ("ku=foo", "Unknown keyUsage type: foo"),
        ("eku=foo", "Unknown extendedkeyUsage type: foo"),
        ("bc=foo", "Illegal value: bc=foo"),
    ],
)
def test_a_wrong_ext_is_refused_in_keytools_words(text: str, words: str) -> None:
    """So that the line is found by whoever searches for it."""
    with pytest.raises(KeytoolError) as caught:
        read_extensions([text])
    assert words == caught.value.text


@given(st.text(alphabet="abcksuntipdme:=,.0123 é", max_size=30))
def test_any_ext_is_read_or_refused(text: str) -> None:
    """Only KeytoolError comes out."""
    with contextlib.suppress(KeytoolError):
        read_extensions([text])


def test_honored_takes_what_was_asked_for() -> None:
    """`all`, one by name, all but one; what -ext gives itself comes before."""
    names = extend.alternative_names([("dns", "a")])
    limits = extend.basic_constraints(is_authority=True)
    asked = [names, limits]
    assert [names, limits] == read_extensions(["honored=all"], asked)
    assert [limits] == read_extensions(["honored=bc"], asked)
    assert [names] == read_extensions(["honored=all,-bc"], asked)
    (only,) = read_extensions(["honored=san", "san=dns:b"], asked)
    assert extend.alternative_names([("dns", "b")]) == only
    assert [] == read_extensions([], asked)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+1y-2m+3d", datetime(2027, 9, 23, 18, tzinfo=UTC)),
        ("-1y", datetime(2025, 11, 20, 18, tzinfo=UTC)),
        ("+5H+1M-1S", datetime(2026, 11, 20, 23, 0, 59, tzinfo=UTC)),
        ("2026/01/02", datetime(2026, 1, 2, 18, tzinfo=UTC)),
        ("2026/01/02 10:11:12", datetime(2026, 1, 2, 10, 11, 12, tzinfo=UTC)),
        ("10:11:12", datetime(2026, 11, 20, 10, 11, 12, tzinfo=UTC)),
        (None, NOW),
    ],
)
def test_start_dates(text: str | None, moment: datetime) -> None:
    """Shifts and dates as keytool reads them; what is not given is that of now."""
    assert moment == start_date(text, NOW, UTC)


@pytest.mark.parametrize("text", ["", "1d", "+1x", "2026-01-02", "2026/13/02", "2026/1/2", "+999999y", "+1d "])
def test_what_is_no_start_date(text: str) -> None:
    """One sentence, never a date that was not meant."""
    with pytest.raises(KeytoolError, match="Illegal startdate value"):
        start_date(text, NOW, UTC)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_any_stored_date_is_shown(moment_ms: int) -> None:
    """Files hold dates of any year."""
    assert date(moment_ms, UTC)


@pytest.mark.parametrize(
    ("moment_ms", "shown"),
    [(0, "Jan 1, 1970"), (1795185841348, "Nov 20, 2026"), (2**63 - 1, "Aug 17, 292278994"), (10**15, "Sep 27, 33658")],
)
def test_dates_of_entries(moment_ms: int, shown: str) -> None:
    """Java's date of the same number of milliseconds."""
    assert shown == date(moment_ms, UTC)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        (0, "Fri Dec 31 23:59:59 UTC 9999"),
        (1, "Sat Jan 01 00:59:59 UTC+01:00 10000"),
        (-5, "Fri Dec 31 18:59:59 UTC-05:00 9999"),
    ],
)
def test_the_end_that_is_none(hours: int, shown: str) -> None:
    """99991231235959Z is shown in local time, also where the year has turned already."""
    assert shown == timestamp(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), timezone(timedelta(hours=hours)))


@given(st.lists(st.tuples(st.sampled_from([one.partition("=")[0].partition(":")[0] for one in ALL_KINDS[-2:]] + [
    "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.18", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.32",
    "2.5.29.35", "2.5.29.36", "2.5.29.37", "2.5.29.54", "1.3.6.1.5.5.7.1.1", "2.16.840.1.113730.1.1",
]), st.binary(max_size=40) | st.binary(max_size=30).map(lambda octets: der.sequence(octets)))))  # fmt: skip
def test_damaged_extensions_are_shown_too(items: list[tuple[str, bytes]]) -> None:
    """Whatever stands in them, the text comes out, without control characters."""
    text = extensions_text([Extension(oid=oid, critical=True, value=value) for oid, value in items])
    assert all(line.isprintable() for line in text.replace("\t", " ").split("\n"))


def test_a_dump_pads_its_last_line() -> None:
    """So that the letters stand below one another."""
    first, second = dump(bytes(range(0x70, 0x81)) + b"z{").splitlines()
    assert "0000: 70 71 72 73 74 75 76 77   78 79 7A 7B 7C 7D 7E 7F  pqrstuvwxyz....." == first
    assert first.index("pqr") == second.index(".z.")


@given(st.text())
def test_foreign_text_stays_on_its_line(text: str) -> None:
    """No line break, no terminal escape."""
    assert all(c.isprintable() or c == "\N{NO-BREAK SPACE}" for c in plain(text))
