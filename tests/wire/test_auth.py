"""agent.wire.auth: who may send, as far as the head tells."""

from __future__ import annotations

import base64

import pytest

from agent.access import OPEN, Access, Account, CertificatePattern, Senders
from agent.credential import PasswordHash, hash_token, show_key
from agent.secret import Secret
from agent.wire.auth import Gate, Passed, Refused, Unproven, Unsigned, Verdict
from agent.wire.authorization import Signature
from agent.wire.clientcert import ClientCertificate
from agent.wire.signature import make_mac

HASH = str(PasswordHash(4, 8, 1, b"s" * 16, PasswordHash(4, 8, 1, b"s" * 16, bytes(32))._scrypt(b"secret")))
TOKEN = "t" * 30
KEY = b"k" * 32
ACCOUNTS = (
    Account(name="ems", secret=Secret(HASH)),
    Account(name="old", secret=Secret("clear text")),
    Account(name="crm", secret=Secret(hash_token(TOKEN))),
    Account(name="plant7", secret=Secret(show_key(KEY))),
)
EVERYTHING = Access(
    senders=(Senders(accounts=ACCOUNTS),),
    networks=("10.1.0.0/16", "2001:db8::/32"),
    certificates=(CertificatePattern(subject="CN=plant*, O=Example"), CertificatePattern(name="dns:*.example.com")),
)


def judge(
    access: Access = EVERYTHING,
    authorization: bytes = b"",
    peer: str = "192.0.2.7",
    certificate: ClientCertificate | None = None,
) -> Verdict:
    return Gate(access).judge(authorization=authorization, peer=peer, certificate=certificate)


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def certificate(subject: str = "", *names: tuple[str, str], fingerprint: str = "ab") -> ClientCertificate:
    return ClientCertificate(subject=subject, issuer="CN=CA", names=names, fingerprint=fingerprint)


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        ("ems", "secret", True),
        ("ems", "Secret", False),
        ("old", "clear text", True),
        ("old", "clear", False),
        ("nobody", "secret", False),
        ("crm", TOKEN, False),
        ("plant7", show_key(KEY), False),
    ],
)
def test_passwords(user, password, right):
    """Hashed or not; what is no password cannot be used as one; a user who does not exist is checked as well."""
    verdict = judge(authorization=basic(user, password))
    assert isinstance(verdict, Unproven)
    assert (user, right) == (verdict.account, verdict.is_right())


def test_a_user_who_does_not_exist_costs_as_much():
    """The costs of the decoy are those of the real hashes, so that the time tells no names."""
    (decoy,) = judge(authorization=basic("nobody", "x")).hashes
    assert (4, 8, 1) == (decoy.log_cost, decoy.block_size, decoy.parallel)


def test_two_lines_of_one_name():
    """While a password is changed, the old and the new one are good."""
    both = (Account(name="ems", secret=Secret("old")), Account(name="ems", secret=Secret("new")))
    access = Access(senders=(Senders(accounts=both),))
    assert [True, True, False] == [
        judge(access, basic("ems", password)).is_right() for password in ("old", "new", "oldnew")
    ]


def test_tokens():
    """The token tells who it is; a wrong one is a failure, and where there are no tokens it is nothing."""
    assert Passed("crm") == judge(authorization=b"Bearer " + TOKEN.encode())
    assert Refused("a bearer token") == judge(authorization=b"Bearer wrong")
    assert Refused() == judge(Access(networks=("10.0.0.0/8",)), b"Bearer wrong")


def signed(key: bytes, name: str = "plant7") -> tuple[bytes, bytes]:
    mac = make_mac(key=key, made_s=5, nonce=b"n", method="POST", target=b"/x", body=b"<e/>")
    return b"HMAC-SHA256 key=%b, ts=5, nonce=n, mac=%b" % (name.encode(), mac.hex().encode()), mac


def test_signatures():
    """Decided when the body is here."""
    field, mac = signed(KEY)
    verdict = judge(authorization=field)
    assert Unsigned("plant7", Signature("plant7", 5, b"n", mac), (KEY,), 300) == verdict
    assert verdict.is_right(method="POST", target=b"/x", body=b"<e/>")
    assert not verdict.is_right(method="POST", target=b"/x", body=b"<f/>")


def test_the_key_of_nobody_opens_nothing():
    """What is computed with for an account that does not exist is known to everybody who reads the source."""
    field, _ = signed(bytes(32), "nobody")
    verdict = judge(authorization=field)
    assert isinstance(verdict, Unsigned)
    assert not verdict.is_right(method="POST", target=b"/x", body=b"<e/>")


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.1.2.3", Passed("10.1.2.3")),
        ("::ffff:10.1.2.3", Passed("::ffff:10.1.2.3")),
        ("2001:db8::7", Passed("2001:db8::7")),
        ("2001:db9::7", Refused()),
        ("10.2.0.1", Refused()),
        ("unknown", Refused()),
    ],
)
def test_networks(peer, expected):
    """IPv4 counts also where it comes mapped into IPv6."""
    assert expected == judge(peer=peer)


@pytest.mark.parametrize(
    ("shown", "passes"),
    [
        (certificate("CN=plant7, O=Example"), True),
        (certificate("cn=Plant12, O=Example"), True),
        (certificate("CN=plant7, O=Evil, O=Example"), False),
        (certificate("CN=plant7, O=Example, OU=x"), False),
        (certificate("O=x", ("dns", "a.example.com")), True),
        (certificate("O=x", ("dns", "a.b.example.com")), False),
        (certificate("O=x", ("email", "a.example.com")), False),
        (None, False),
    ],
)
def test_certificates(shown, passes):
    """Patterns fit whole; an asterisk stays within one attribute of the subject, or one label of a name."""
    assert passes == isinstance(judge(certificate=shown), Passed)


@pytest.mark.parametrize("pattern", ["CN=plant*, O=Example", "CN=plant*,O=Example", "O=Example, CN=plant*"])
def test_a_subject_may_be_written_in_either_order(pattern):
    """As the certificate has it, or as other programs show it; all its attributes count in both."""
    access = Access(certificates=(CertificatePattern(subject=pattern),))
    fits = {
        subject: isinstance(judge(access, certificate=certificate(subject)), Passed)
        for subject in ("CN=plant7, O=Example", "O=Example, CN=plant7", "CN=plant7", "O=Example, CN=plant7, C=CA")
    }
    assert [True, True, False, False] == list(fits.values())


def test_a_comma_within_a_value():
    """It stands in quotes, as the subject is shown."""
    access = Access(certificates=(CertificatePattern(subject='CN=a, O="Example, Inc."'),))
    assert isinstance(judge(access, certificate=certificate('O="Example, Inc.", CN=a')), Passed)
    assert Refused() == judge(access, certificate=certificate("O=Example, CN=a"))


def test_all_of_a_pattern_must_fit():
    """Subject and fingerprint together narrow it."""
    access = Access(certificates=(CertificatePattern(subject="CN=a", fingerprint="ab"),))
    assert Passed("CN=a") == judge(access, certificate=certificate("CN=a", fingerprint="ab"))
    assert Refused() == judge(access, certificate=certificate("CN=a", fingerprint="cd"))


def test_credentials_from_elsewhere_do_not_count():
    """`from` narrows the accounts of a file; the token of one file is nothing from another place."""
    access = Access(senders=(Senders(accounts=ACCOUNTS, sources=("10.0.0.0/8",)),))
    assert Passed("crm") == judge(access, b"Bearer " + TOKEN.encode(), peer="10.0.0.1")
    assert Refused("a bearer token") == judge(access, b"Bearer " + TOKEN.encode())
    assert not judge(access, basic("ems", "secret")).is_right()


def test_an_open_gate():
    """`<none/>` lets everybody in, whatever they show."""
    assert Passed() == judge(OPEN, b"Bearer wrong")


def test_the_refusal_names_what_is_accepted():
    """401 with a challenge for each kind of credentials; nothing in it depends on what was shown."""
    error = Gate(EVERYTHING).refusal()
    assert 401 == error.status
    assert (
        "Requests are taken here with user and password (HTTP Basic), a bearer token, a signature (HMAC-SHA256), a "
        "permitted client certificate or a permitted address; this one does not have what it takes."
    ) == error.sentence
    assert (
        ("WWW-Authenticate", 'Basic realm="integration-agent", charset="UTF-8"'),
        ("WWW-Authenticate", 'Bearer realm="integration-agent"'),
        ("WWW-Authenticate", 'HMAC-SHA256 realm="integration-agent"'),
    ) == error.headers


def test_where_no_credentials_help():
    """403 without a challenge: sending a password would be in vain."""
    error = Gate(Access(networks=("10.0.0.0/8",))).refusal()
    assert (403, ()) == (error.status, error.headers)
    assert "Requests are taken here only with a permitted address; this one does not have it." == error.sentence
