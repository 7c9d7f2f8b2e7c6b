"""pkcs12_keys: when a key is carried, when it is locked anew."""

from __future__ import annotations

import os

import pytest

from keystoretools import (
    LEGACY,
    MODERN,
    PORTABLE,
    Budget,
    KeyEntry,
    LockedKey,
    Password,
    PasswordNeededError,
    PrivateKeyEntry,
    Profile,
    der,
    oids,
)
from keystoretools.javaprotection import protect_jks_key
from keystoretools.lockedkey import KeyForm
from keystoretools.pkcs12_keys import KeyLocker
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import PASSWORD, locked_key_of

CARRIED = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=locked_key_of())


def locker(
    password: str | None = PASSWORD,
    *,
    old: str | None = None,
    profile: Profile = PORTABLE,
    renew: bool = False,
) -> KeyLocker:
    return KeyLocker(
        password=None if password is None else Password(password),
        old_password=None if old is None else Password(old),
        profile=profile,
        renew=renew,
        random=os.urandom,
        budget=Budget(),
    )


def entry(key: object = CARRIED, **more: object) -> KeyEntry:
    return PrivateKeyEntry(alias="a", key=key, **more)  # type: ignore[arg-type]


def test_a_locked_key_is_carried() -> None:
    """Without a reason nothing is touched, and nothing is calculated."""
    one = locker("whatever")
    assert (CARRIED.octets, False) == one.locked(entry())
    assert 0 == one.budget.steps_spent


@pytest.mark.parametrize(("profile", "stays"), [(PORTABLE, True), (MODERN, True), (LEGACY, False)])
def test_a_profile_renews_what_it_would_do_otherwise(profile: Profile, stays: bool) -> None:
    """AES-256 with its key length written is what portable and modern want already."""
    octets, _ = locker(profile=profile, renew=True).locked(entry())
    assert stays == (octets == CARRIED.octets)


def test_java_protections_are_opened() -> None:
    """A JKS key does not fit into PKCS#12."""
    octets = protect_jks_key(identity()[0].pkcs8.reveal(), Password(PASSWORD), os.urandom)
    wrapped = der.sequence(der.algorithm(oids.JKS_PROTECTION), der.octet_string(octets))
    moved, _ = locker().locked(entry(LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=wrapped)))
    again = entry(LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=moved))
    assert identity()[0] == again.unlock(PASSWORD)


def test_an_open_key_needs_a_password() -> None:
    """Its own, else the store's."""
    with pytest.raises(PasswordNeededError):
        locker(None).locked(entry(identity()[0]))
    octets, _ = locker(None).locked(entry(identity()[0], key_password=Password("own")))
    assert identity()[0] == entry(LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=octets)).unlock("own")
