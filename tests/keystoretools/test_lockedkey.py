"""lockedkey: keys in all protections open with their password and with nothing else."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    LEGACY,
    PORTABLE,
    Budget,
    CorruptError,
    KeystoreError,
    LockedKey,
    Password,
    Profile,
    UnsupportedError,
    WrongKeyPasswordError,
    der,
    oids,
    pbe,
)
from keystoretools.javaprotection import protect_jceks_octets, protect_jks_key
from keystoretools.lockedkey import (
    SECRET_KEY_OIDS,
    KeyForm,
    unlock_private_key,
    unlock_secret_key,
)
from tests.keystoretools.material import identity

SECRET = Password("changeit")
PLAIN = identity()[0].pkcs8.reveal()


def locked(identifier: bytes, octets: bytes) -> LockedKey:
    return LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=der.sequence(identifier, der.octet_string(octets)))


def jks(plain: bytes = PLAIN) -> LockedKey:
    return locked(der.algorithm(oids.JKS_PROTECTION), protect_jks_key(plain, SECRET, os.urandom))


def jceks(plain: bytes = PLAIN) -> LockedKey:
    octets, parameters = protect_jceks_octets(plain, SECRET, os.urandom, iterations=20)
    return locked(der.algorithm(oids.JCEKS_PROTECTION, parameters), octets)


def by(profile: Profile, plain: bytes = PLAIN) -> LockedKey:
    return locked(*pbe.encrypt(plain, SECRET, profile, os.urandom))


ALL = {"jks": jks(), "jceks": jceks(), "pbes2": by(PORTABLE), "3des": by(LEGACY)}


@pytest.mark.parametrize("key", ALL.values(), ids=ALL)
def test_the_right_password_opens(key: LockedKey) -> None:
    """Every protection gives the same key; a wrong password names the entry."""
    assert identity()[0] == unlock_private_key(key, SECRET, Budget())
    with pytest.raises(WrongKeyPasswordError) as caught:
        unlock_private_key(key, Password("wrong"), Budget(), alias="ia")
    assert "ia" == caught.value.alias
    assert repr(key.octets) not in repr(key)


def test_schemes_are_named() -> None:
    """By OID; sealed objects by their one algorithm; rubbish is corrupt."""
    assert [oids.JKS_PROTECTION, oids.JCEKS_PROTECTION, "1.2.840.113549.1.5.13", pbe.PBE_SHA1_3DES] == [
        key.scheme for key in ALL.values()
    ]
    assert "PBEWithMD5AndTripleDES" == LockedKey(form=KeyForm.SEALED_OBJECT, octets=b"").scheme
    with pytest.raises(CorruptError):
        _ = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=b"rubbish").scheme


def test_rubbish_inside_is_told_apart() -> None:
    """Behind a check value it is damage; behind mere padding the password was wrong, probably."""
    with pytest.raises(CorruptError):
        unlock_private_key(jks(b"no key"), SECRET, Budget())
    for key in (jceks(b"no key"), by(PORTABLE, b"no key")):
        with pytest.raises(WrongKeyPasswordError):
            unlock_private_key(key, SECRET, Budget())


@pytest.mark.parametrize(("oid", "name"), SECRET_KEY_OIDS.items())
def test_secret_keys_have_javas_names(oid: str, name: str) -> None:
    """PKCS#12 secret keys: SEQUENCE { 0, algorithm, octets }; unknown algorithms keep their OID."""
    for dotted, expected in ((oid, name), ("1.2.3.4", "1.2.3.4")):
        plain = der.sequence(der.integer(0), der.algorithm(dotted), der.octet_string(b"raw"))
        found = unlock_secret_key(jks(plain), SECRET, Budget())
        assert (expected, b"raw") == (found.algorithm, found.raw.reveal())


def test_unknown_algorithms_are_unsupported() -> None:
    """Named by their OID, with the alias."""
    with pytest.raises(UnsupportedError) as caught:
        unlock_private_key(locked(der.algorithm("1.2.3.4"), b"x"), SECRET, Budget(), alias="ia")
    assert ("1.2.3.4", "ia") == (caught.value.name, caught.value.alias)


@given(st.sampled_from(sorted(ALL)), st.data())
def test_damage_gives_documented_errors(name: str, draw: st.DataObject) -> None:
    """A changed octet opens no other key unnoticed where there is a check, and raises only KeystoreError."""
    damaged = bytearray(ALL[name].octets)
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= draw.draw(st.integers(1, 255))
    key = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=bytes(damaged))
    try:
        found = unlock_private_key(key, SECRET, Budget(steps_spent=15_500_000))
    except KeystoreError:
        return
    assert name != "jks" or found == identity()[0]
