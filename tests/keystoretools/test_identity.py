"""identity: a named entry, or the only one, or an error that lists the candidates."""

from __future__ import annotations

import attrs
import pytest

from keystoretools import (
    ErrorCode,
    Format,
    Keystore,
    KeystoreError,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    UnsupportedError,
    open_keystore,
)
from keystoretools.identity import choose_identity
from tests.keystoretools.authority import NOW, family
from tests.keystoretools.conftest import SAMPLES
from tests.keystoretools.material import identity

LEAF, MIDDLE, ROOT = family()
KEY, OWN = identity()
DSA = open_keystore((SAMPLES / "p12/five-keys-mixed.p12").read_bytes(), "changeit")
CA = TrustedCertificateEntry(alias="ca", certificate=ROOT.certificate)


def _key(alias: str) -> PrivateKeyEntry:
    return PrivateKeyEntry(alias=alias, key=LEAF.key, chain=(LEAF.certificate, MIDDLE.certificate))


def _store(*entries: PrivateKeyEntry | TrustedCertificateEntry) -> Keystore:
    return Keystore(format=Format.JKS, entries=entries)


def test_the_named_one() -> None:
    """Whatever else is there, also the admin tool's own."""
    store = _store(_key("apia"), _key("new-cert"), _key("other"))
    assert choose_identity(store, "NEW-CERT", now=NOW).entry.alias == "new-cert"
    assert choose_identity(store, "apia", now=NOW).entry.alias == "apia"


def test_the_only_one_besides_apia() -> None:
    """It needs no name, and the reasons say why and until when it is valid."""
    found = choose_identity(_store(_key("apia"), _key("new-cert"), CA), now=NOW)
    assert found.entry.alias == "new-cert"
    assert found.reasons == (
        '"new-cert" is the only private key with a certificate, besides the admin tool\'s own "apia".',
        "It is valid until 2027-01-01.",
    )


def test_several_are_listed() -> None:
    """With names, expiry and what Java would have done."""
    with pytest.raises(KeystoreError) as caught:
        choose_identity(_store(_key("ssl"), _key("new-cert")), now=NOW)
    assert caught.value.code is ErrorCode.SEVERAL_IDENTITIES
    assert '"ssl" for ia.example.com, 10.0.0.5 (EC, valid until 2027-01-01)' in caught.value.sentence
    assert 'Java would have served "new-cert"' in caught.value.sentence


@pytest.mark.parametrize(
    ("store", "alias", "words"),
    [
        (_store(CA), None, "no private key"),
        (_store(_key("apia")), None, "admin tool's own"),
        (_store(CA, _key("k")), "ca", 'without its private key. Private keys are: "k"'),
        (_store(attrs.evolve(_key("k"), chain=())), "k", "no certificate"),
        (_store(attrs.evolve(_key("k"), chain=())), None, "no certificate"),
    ],
)
def test_what_cannot_be_presented(store: Keystore, alias: str | None, words: str) -> None:
    """No key, no certificate, only the admin tool's: each has its sentence."""
    with pytest.raises(KeystoreError, match=words) as caught:
        choose_identity(store, alias, now=NOW)
    assert caught.value.code is ErrorCode.NO_PRIVATE_KEY


def test_a_missing_alias() -> None:
    """The aliases that exist are named."""
    with pytest.raises(KeystoreError) as caught:
        choose_identity(_store(_key("k")), "x", now=NOW)
    assert caught.value.code is ErrorCode.NO_SUCH_ALIAS


def test_dsa_is_refused() -> None:
    """A DSA key is found out here, not in the first handshake."""
    store = DSA
    with pytest.raises(UnsupportedError, match="DSA"):
        choose_identity(store, "dsa", now=NOW)


def test_a_dsa_key_is_no_candidate_beside_one_that_works() -> None:
    """No client accepts it; alone it is refused by name, so that the reader knows why."""
    dsa = DSA["dsa"]
    assert isinstance(dsa, PrivateKeyEntry)
    found = choose_identity(_store(dsa, _key("web")), now=NOW)
    assert "web" == found.entry.alias
    assert f'besides "{dsa.alias}", whose DSA key no client accepts.' in found.reasons[0]
    with pytest.raises(UnsupportedError, match="DSA"):
        choose_identity(_store(dsa), now=NOW)
