"""entries: what every format's entries have in common."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    LockedKey,
    Password,
    PasswordNeededError,
    PrivateKeyEntry,
    SecretBytes,
    SecretKey,
    SecretKeyEntry,
    TrustedCertificateEntry,
    WrongKeyPasswordError,
    fold_alias,
)
from keystoretools.entries import moment
from keystoretools.lockedkey import KeyForm
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import PASSWORD, locked_key_of

KEY, CERTIFICATE = identity()
LOCKED = PrivateKeyEntry(alias="ia", key=LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=locked_key_of()))


@pytest.mark.parametrize(
    ("created_ms", "expected"),
    [
        (None, None),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1000, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (1_795_185_841_348, datetime(2026, 11, 20, 14, 44, 1, 348_000, tzinfo=UTC)),
        (2**63 - 1, None),
        (-(2**63), None),
    ],
)
def test_dates_are_aware_or_unknown(created_ms: int | None, expected: datetime | None) -> None:
    """Zero and negative ones occur; what no date can hold is unknown, for every kind of entry."""
    secret = SecretKey(algorithm="AES", raw=SecretBytes(b"k"))
    for entry in (
        attrs.evolve(LOCKED, created_ms=created_ms),
        SecretKeyEntry(alias="s", key=secret, created_ms=created_ms),
        TrustedCertificateEntry(alias="t", certificate=CERTIFICATE, created_ms=created_ms),
    ):
        assert expected == entry.created


def test_a_locked_key_opens_with_what_is_given_or_its_own_password() -> None:
    """Text or Password; without any it says which entry wants one."""
    assert KEY == LOCKED.unlock(PASSWORD) == LOCKED.unlock(Password(PASSWORD))
    assert KEY == attrs.evolve(LOCKED, key_password=Password(PASSWORD)).unlock()
    with pytest.raises(PasswordNeededError) as needed:
        LOCKED.unlock()
    with pytest.raises(WrongKeyPasswordError) as wrong:
        LOCKED.unlock("another")
    assert ("ia", "ia") == (needed.value.alias, wrong.value.alias)


def test_an_open_key_needs_no_password() -> None:
    """Whatever is given is not looked at."""
    assert KEY == PrivateKeyEntry(alias="x", key=KEY).unlock("anything")
    secret = SecretKey(algorithm="AES", raw=SecretBytes(b"k"))
    assert secret == SecretKeyEntry(alias="x", key=secret).unlock()


def test_nothing_secret_is_shown() -> None:
    """Neither octets of keys nor passwords, open or locked."""
    entry = PrivateKeyEntry(alias="x", key=KEY, key_password=Password("geheim99"))
    assert "geheim99" not in repr(entry)
    assert KEY.pkcs8.reveal()[-20:].hex() not in repr(entry) and repr(KEY.pkcs8.reveal()[-20:])[2:-1] not in repr(entry)


@given(st.one_of(st.none(), st.integers()))
def test_any_number_is_a_date_or_none(created_ms: int | None) -> None:
    """Files hold 64 bits of anything."""
    found = moment(created_ms)
    assert found is None or found.tzinfo is UTC


@given(st.text(max_size=20))
def test_folding_twice_changes_nothing(alias: str) -> None:
    """An alias that was folded when it was stored is found by the same folding."""
    assert fold_alias(alias) == fold_alias(fold_alias(alias))
