"""profiles: the three recipes are the ones that the programs in question read."""

from __future__ import annotations

from keystoretools import LEGACY, MODERN, PORTABLE, PROFILES


def test_names_are_keys() -> None:
    """A profile is found by the name it shows."""
    assert {"portable": PORTABLE, "modern": MODERN, "legacy": LEGACY} == PROFILES


def test_portable_has_the_check_that_old_java_knows() -> None:
    """AES with a SHA-1 MAC: Java before 8u301 and 11.0.12 has no HmacPBESHA256."""
    assert (True, "sha1") == (PORTABLE.pbes2, PORTABLE.mac)


def test_modern_differs_only_in_the_check() -> None:
    """SHA-256, as Java 17 writes."""
    assert (True, "sha256") == (MODERN.pbes2, MODERN.mac)
    assert PORTABLE.encryption_iterations == MODERN.encryption_iterations


def test_legacy_has_no_aes() -> None:
    """3DES and SHA-1 for Windows before Server 2019, with Java 8's counts."""
    assert (False, "sha1", 50_000, 100_000) == (
        LEGACY.pbes2,
        LEGACY.mac,
        LEGACY.encryption_iterations,
        LEGACY.mac_iterations,
    )


def test_counts_and_salts_suffice() -> None:
    """Java wants salts of 8 octets or more; counts are at least Java 17's."""
    for profile in PROFILES.values():
        assert min(profile.encryption_iterations, profile.mac_iterations) >= 10_000
        assert profile.salt_bytes == 20
        assert 10_000 <= profile.jceks_iterations <= 5_000_000
