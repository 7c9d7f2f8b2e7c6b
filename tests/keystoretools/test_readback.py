"""Reading back: what a writer lost is noticed."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from keystoretools import (
    CorruptError,
    Format,
    Keystore,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    open_keystore,
    save_keystore,
)
from keystoretools.readback import require_same
from tests.keystoretools.material import identity

KEY, CERTIFICATE = identity()
OTHER_KEY, OTHER_CERTIFICATE = identity("other.example.com")
OWN = PrivateKeyEntry(alias="own", key=KEY, chain=(CERTIFICATE,), created_ms=1)
TRUSTED = TrustedCertificateEntry(alias="trusted", certificate=OTHER_CERTIFICATE, created_ms=1)


@pytest.mark.parametrize("format", [Format.JKS, Format.JCEKS, Format.PKCS12])
def test_what_was_written_is_accepted(format: Format) -> None:
    """In every format."""
    store = Keystore(format=format, entries=(OWN, TRUSTED))
    found = require_same(save_keystore(store, "changeit"), store, "changeit")
    assert {"own", "trusted"} == {entry.alias for entry in found}


@pytest.mark.parametrize(
    "written",
    [
        (OWN,),
        (OWN, TRUSTED, attrs.evolve(TRUSTED, alias="more")),
        (attrs.evolve(OWN, alias="renamed"), TRUSTED),
        (attrs.evolve(OWN, key=OTHER_KEY), TRUSTED),
        (attrs.evolve(OWN, chain=(CERTIFICATE, OTHER_CERTIFICATE)), attrs.evolve(TRUSTED, certificate=CERTIFICATE)),
    ],
)
def test_any_difference_is_refused(written: tuple) -> None:
    """An entry less or more, another name, another key, other certificates."""
    octets = save_keystore(Keystore(format=Format.JKS, entries=written), "changeit")
    with pytest.raises(CorruptError):
        require_same(octets, Keystore(format=Format.JKS, entries=(OWN, TRUSTED)), "changeit")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("jks/keypass-differs.jks", "storepass1"),
        ("p12/five-keys-mixed.p12", "changeit"),
        ("jceks/all-kinds.jceks", "changeit"),
    ],
)
def test_keys_that_stay_locked_are_no_hindrance(samples: Path, name: str, password: str) -> None:
    """They were carried over as they are."""
    store = open_keystore((samples / name).read_bytes(), password)
    assert len(store) == len(require_same(save_keystore(store), store))
