"""pbe: every password-based scheme, against OpenSSL and within its limits."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    LEGACY,
    PORTABLE,
    Budget,
    CorruptError,
    KeystoreError,
    LimitError,
    Limits,
    OperationError,
    Password,
    UnsupportedError,
    WrongKeyPasswordError,
    cbc,
    der,
    pbe,
)
from tests.keystoretools.material import identity

PLAIN = identity()[0].pkcs8.reveal()
SECRET = "open sesame"
# openssl pkcs8 -topk8 arguments, and what `describe` begins with.
SCHEMES = {
    "-v1 PBE-SHA1-RC4-128": "PBE-SHA1-RC4-128, 2048",
    "-v1 PBE-SHA1-RC4-40": "PBE-SHA1-RC4-40, 2048",
    "-v1 PBE-SHA1-3DES": "PBE-SHA1-3DES, 2048",
    "-v1 PBE-SHA1-2DES": "PBE-SHA1-2DES, 2048",
    "-v1 PBE-SHA1-RC2-128": "PBE-SHA1-RC2-128, 2048",
    "-v1 PBE-SHA1-RC2-40": "PBE-SHA1-RC2-40, 2048",
    "-v1 PBE-MD5-DES": "PBE-MD5-DES, 2048",
    "-v1 PBE-SHA1-DES": "PBE-SHA1-DES, 2048",
    "-v1 PBE-MD5-RC2-64": "PBE-MD5-RC2, 2048",
    "-v1 PBE-SHA1-RC2-64": "PBE-SHA1-RC2, 2048",
    "-v2 aes-128-cbc": "PBES2 AES-128, PBKDF2-HMAC-SHA256, 2048 iterations (key length not written)",
    "-v2 aes-192-cbc -v2prf hmacWithSHA1": "PBES2 AES-192, PBKDF2-HMAC-SHA1, 2048",
    "-v2 aes-256-cbc -v2prf hmacWithSHA512": "PBES2 AES-256, PBKDF2-HMAC-SHA512, 2048",
    "-v2 aes-256-cbc -v2prf hmacWithSHA512-256": "PBES2 AES-256, PBKDF2-HMAC-SHA512/256, 2048",
    "-v2 des-ede3-cbc": "PBES2 3DES, PBKDF2-HMAC-SHA256",
    "-v2 des-cbc": "PBES2 DES, PBKDF2-HMAC-SHA256",
    "-v2 camellia-256-cbc": "PBES2 CAMELLIA-256, PBKDF2",
    "-v2 rc2-40-cbc": "PBES2 RC2-40, PBKDF2",
    "-v2 rc2-64-cbc": "PBES2 RC2-64, PBKDF2",
    "-v2 rc2-cbc": "PBES2 RC2-128, PBKDF2",
    "-scrypt": "PBES2 AES-256, scrypt N=16384, r=8, p=1",
}


def by_openssl(arguments: str, password: str = SECRET) -> tuple[der.Element, bytes]:
    """(AlgorithmIdentifier, octets) of an EncryptedPrivateKeyInfo that OpenSSL made of PLAIN."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here: not compared with the real one")
    done = subprocess.run(
        [
            *(program, "pkcs8", "-topk8", "-inform", "DER", "-outform", "DER", "-passout", "env:SECRET"),
            *("-provider", "legacy", "-provider", "default", *arguments.split()),
        ],
        input=PLAIN,
        capture_output=True,
        timeout=60,
        env={**os.environ, "SECRET": password},
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this openssl cannot: {done.stderr[-200:]!r}")
    parts = der.parse(done.stdout).sequence(2)
    return parts[0], parts[1].octet_string()


@pytest.mark.parametrize(("arguments", "words"), SCHEMES.items())
def test_what_openssl_encrypts_is_read(arguments: str, words: str) -> None:
    """Each scheme opens, is described, and a wrong password is told."""
    identifier, octets = by_openssl(arguments)
    assert der.parse(PLAIN).sequence(3)[2].raw in pbe.decrypt(identifier, octets, Password(SECRET), Budget())
    assert pbe.describe(identifier).upper().startswith(words.upper())
    try:
        wrong = pbe.decrypt(identifier, octets, Password("wrong"), Budget(), alias="ia")
    except WrongKeyPasswordError as error:
        assert error.alias == "ia"
    else:
        assert wrong != PLAIN  # RC4 has no padding, and rubbish is well padded once in 256 times


@pytest.mark.parametrize("arguments", ["-v1 PBE-SHA1-3DES", "-v1 PBE-SHA1-RC4-128", "-v2 aes-256-cbc"])
@pytest.mark.parametrize("password", ["", "pässwörd", "\N{KEY}"])
def test_odd_passwords(arguments: str, password: str) -> None:
    """Empty, accented and astral passwords are encoded as OpenSSL encodes them."""
    identifier, octets = by_openssl(arguments, password)
    found = pbe.decrypt(identifier, octets, Password(password), Budget())
    assert der.parse(PLAIN).sequence(3)[2].raw in found


@pytest.mark.parametrize("profile", [PORTABLE, LEGACY])
def test_what_is_written_opens_again(profile: object) -> None:
    """Both ways of writing give the plain text back, with fresh salts."""
    assert isinstance(profile, type(PORTABLE))
    one, two = (pbe.encrypt(PLAIN, Password(SECRET), profile, os.urandom) for _ in range(2))
    assert one != two
    assert PLAIN == pbe.decrypt(der.parse(one[0]), one[1], Password(SECRET), Budget())


def test_the_key_length_is_written() -> None:
    """Java before 8u301 takes the field behind the count for it, whatever it is."""
    identifier, _ = pbe.encrypt(PLAIN, Password(SECRET), PORTABLE, os.urandom)
    pbkdf2 = der.parse(identifier).sequence(2)[1].sequence(2)[0].sequence(2)[1].sequence(4)
    assert [10_000, 32] == [value.integer() for value in pbkdf2[1:3]]
    assert bytes.fromhex("300C06082A864886F70D02090500") == pbkdf2[3].raw


def test_passwords_that_java_cannot_type_are_not_written() -> None:
    """A non-ASCII password is refused by its own code."""
    with pytest.raises(OperationError) as caught:
        pbe.encrypt(PLAIN, Password("pässwörd"), PORTABLE, os.urandom)
    assert "password-not-ascii" == caught.value.code


def pbes2_with(derivation: bytes, cipher: bytes | None = None) -> der.Element:
    aes = der.algorithm("2.16.840.1.101.3.4.1.42", der.octet_string(bytes(16)))
    return der.parse(der.algorithm("1.2.840.113549.1.5.13", der.sequence(derivation, cipher or aes)))


def pbkdf2(*values: int, salt: bytes = bytes(8)) -> bytes:
    inside = der.sequence(der.octet_string(salt), *map(der.integer, values))
    return der.algorithm("1.2.840.113549.1.5.12", inside)


def scrypt(*values: int) -> bytes:
    inside = der.sequence(der.octet_string(bytes(8)), *map(der.integer, values))
    return der.algorithm("1.3.6.1.4.1.11591.4.11", inside)


PKCS12 = "1.2.840.113549.1.12.1.3"
HOSTILE = {
    "count of a billion": pbes2_with(pbkdf2(10**9)),
    "count just above": pbes2_with(pbkdf2(5_000_001)),
    "count of a thousand bits": pbes2_with(pbkdf2(1 << 1000)),
    "count of zero": pbes2_with(pbkdf2(0)),
    "negative count": pbes2_with(pbkdf2(-1)),
    "salt of 4 MB": pbes2_with(pbkdf2(1000, salt=bytes(4_000_000))),
    "scrypt memory": pbes2_with(scrypt(2**20, 8, 1)),
    "scrypt parallel": pbes2_with(scrypt(2**10, 1, 65)),
    "scrypt block": pbes2_with(scrypt(2, 2**40, 1)),
    "scrypt work": pbes2_with(scrypt(2**18, 8, 64)),
    "pkcs12 count": der.parse(der.algorithm(PKCS12, der.sequence(der.octet_string(bytes(8)), der.integer(10**9)))),
    "pbes1 count": der.parse(
        der.algorithm("1.2.840.113549.1.5.3", der.sequence(der.octet_string(bytes(8)), der.integer(2**31)))
    ),
    "pkcs12 salt": der.parse(der.algorithm(PKCS12, der.sequence(der.octet_string(bytes(1025)), der.integer(1)))),
}


@pytest.mark.parametrize("identifier", HOSTILE.values(), ids=HOSTILE)
def test_absurd_numbers_are_refused_before_work(identifier: der.Element) -> None:
    """Each is a LimitError within a fraction of a second, and is described all the same."""
    start = time.process_time()
    with pytest.raises(LimitError):
        pbe.decrypt(identifier, bytes(32), Password("x"), Budget())
    assert pbe.describe(identifier)
    assert time.process_time() - start < 0.5


def test_the_sum_of_all_counts_is_bounded() -> None:
    """Many keys at the ceiling share one budget; the refusal names the sum."""
    budget = Budget(steps_spent=Limits().steps_in_all)
    with pytest.raises(LimitError, match="costs too much to open: with an iteration count for a key it comes to"):
        pbe.decrypt(pbes2_with(pbkdf2(1)), bytes(32), Password("x"), budget)


@pytest.mark.parametrize(
    ("identifier", "error"),
    [
        (pbes2_with(scrypt(3, 8, 1)), CorruptError),
        (pbes2_with(pbkdf2(1, 16)), CorruptError),
        (pbes2_with(pbkdf2(1), der.algorithm("1.2.3", der.octet_string(b""))), UnsupportedError),
        (pbes2_with(der.algorithm("1.2.3", der.sequence(der.octet_string(b""), b"\2\1\1"))), UnsupportedError),
        (der.parse(der.algorithm("1.2.3.4")), UnsupportedError),
        (der.parse(der.sequence()), CorruptError),
        (pbes2_with(pbkdf2(1), der.algorithm("1.3.14.3.2.7", der.octet_string(b"short"))), CorruptError),
    ],
)
def test_damage_and_the_unknown_are_told_apart(identifier: der.Element, error: type[KeystoreError]) -> None:
    """Unknown algorithms are unsupported, impossible parameters are corrupt."""
    with pytest.raises(error):
        pbe.decrypt(identifier, bytes(32), Password("x"), Budget())


@pytest.mark.parametrize("size", [0, 1, 15, 17])
def test_lengths_that_no_cipher_gives_are_corrupt(size: int) -> None:
    """Cipher text is whole blocks."""
    with pytest.raises(CorruptError):
        pbe.decrypt(pbes2_with(pbkdf2(1)), bytes(size), Password("x"), Budget())


@given(st.data())
def test_damaged_identifiers_give_documented_errors(draw: st.DataObject) -> None:
    """Changing any octet of an AlgorithmIdentifier raises KeystoreError or gives octets; never more."""
    profile = draw.draw(st.sampled_from([PORTABLE, LEGACY]))
    identifier, octets = pbe.encrypt(b"\x30\x00", Password("x"), profile, os.urandom)
    damaged = bytearray(identifier)
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        element = der.parse(bytes(damaged))
        assert isinstance(pbe.describe(element), str)
        budget = Budget(steps_spent=15_500_000)  # damage can make the count large
        assert isinstance(pbe.decrypt(element, octets, Password("x"), budget), bytes)
    except KeystoreError:
        pass


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("1.2.840.113549.1.12.1.1", 1),  # RC4-128: 16 octets
        ("1.2.840.113549.1.12.1.3", 3),  # 3DES: 24 octets, and 8 of vector
        ("1.2.840.113549.1.12.1.6", 2),  # RC2-40: 5 octets, and 8 of vector
        ("1.2.840.113549.1.5.3", 1),  # PBKDF1 gives both at once
    ],
)
def test_old_schemes_pay_for_each_digest(name: str, steps: int) -> None:
    """What is charged follows from the lengths of key and vector, so that no scheme is a cheaper attack."""
    budget, octets = Budget(), bytes(64)
    identifier = der.parse(der.algorithm(name, der.sequence(der.octet_string(b"saltsalt"), der.integer(1000))))
    with contextlib.suppress(WrongKeyPasswordError):
        pbe.decrypt(identifier, octets, Password("secret"), budget)
    slow = {"1.2.840.113549.1.12.1.1": 32, "1.2.840.113549.1.12.1.6": 384}.get(name, 0)
    assert 1000 * steps + slow == budget.steps_spent


def test_many_contents_under_a_slow_cipher_are_refused() -> None:
    """RC2 is ours and slow: its octets count, a single content at the ceiling passes, a second one does not."""
    budget = Budget()
    budget.work(2 * cbc.SLOW_CIPHER_BYTES * 3, "octets under a slow cipher")
    parameters = der.sequence(der.octet_string(b"saltsalt"), der.integer(1))
    identifier = der.parse(der.algorithm("1.2.840.113549.1.12.1.6", parameters))
    with pytest.raises(LimitError, match="slow cipher"):
        pbe.decrypt(identifier, bytes(cbc.SLOW_CIPHER_BYTES), Password("x"), budget)
