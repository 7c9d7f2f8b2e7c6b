"""store: any format in by its content, the same format out, nothing unchecked."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    Budget,
    Format,
    Keystore,
    KeystoreError,
    LimitError,
    Limits,
    MangledError,
    NotAKeystoreError,
    Password,
    PasswordNeededError,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    UnsupportedError,
    open_keystore,
    save_keystore,
)
from tests.keystoretools.conftest import SAMPLES
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import FAST

PASSWORD = "changeit"
WRITTEN = (Format.JKS, Format.JCEKS, Format.PKCS12)


def store_of(kind: Format) -> Keystore:
    key, certificate = identity()
    store = Keystore(format=kind, password=Password(PASSWORD))
    store = store.add(PrivateKeyEntry(alias="server", key=key, chain=(certificate,), created_ms=7))
    return store.add(TrustedCertificateEntry(alias="ca", certificate=certificate, created_ms=8))


def trust_store(kind: Format) -> bytes:
    return save_keystore(store_of(kind).remove("server"), profile=FAST)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("wrap", [bytes, base64.b64encode], ids=["plain", "base64"])
def test_the_format_is_told_by_content_and_stays(kind: Format, wrap: object) -> None:
    """What is saved without a word about the format has the one it had, also out of a base64 text."""
    assert callable(wrap)
    store = open_keystore(wrap(save_keystore(store_of(kind), profile=FAST)), PASSWORD)
    assert (kind, True) == (store.format, store.verified)
    assert kind == open_keystore(save_keystore(store), PASSWORD).format


@pytest.mark.parametrize("source", WRITTEN)
@pytest.mark.parametrize("target", WRITTEN)
def test_every_format_becomes_every_other(source: Format, target: Format) -> None:
    """Keys, certificates and the key's date survive; all under the one password."""
    store = open_keystore(save_keystore(store_of(source), profile=FAST), PASSWORD)
    again = open_keystore(save_keystore(store, format=target, profile=FAST), PASSWORD)
    assert (target, ()) == (again.format, again.locked_apart())
    assert identity()[0] == again.unlock("server")
    assert (7, store_of(source)["server"].chain) == (  # type: ignore[union-attr]
        again["server"].created_ms,
        again["server"].chain,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize("kind", WRITTEN)
def test_an_unchecked_store_is_not_saved(kind: Format) -> None:
    """Read without its password: saving would vouch for octets that nobody checked."""
    store = open_keystore(trust_store(kind))
    for attempt in (store, store.set_password("new password")):
        with pytest.raises(PasswordNeededError):
            save_keystore(attempt, "new password")


@pytest.mark.parametrize("kind", [Format.JKS, Format.JCEKS])
def test_a_trust_store_of_unknown_password_can_be_taken_over(kind: Format) -> None:
    """Deliberately: its entries are imported into a new store."""
    old = open_keystore(trust_store(kind))
    new = Keystore(format=Format.PKCS12, password=Password("known now")).import_(old)
    assert "ca" in open_keystore(save_keystore(new), "known now")


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_password_is_needed(kind: Format) -> None:
    """A new store without one is not saved."""
    empty = Keystore(format=kind)
    with pytest.raises(PasswordNeededError):
        save_keystore(empty)
    assert () == open_keystore(save_keystore(empty, PASSWORD), PASSWORD).entries


def test_a_new_password_takes_the_keys_along() -> None:
    """save_keystore(store, new) changes what was under the old one."""
    for kind in WRITTEN:
        store = open_keystore(save_keystore(store_of(kind), profile=FAST), PASSWORD)
        assert () == open_keystore(save_keystore(store, "another"), "another").locked_apart()


def test_what_is_not_written_is_said() -> None:
    """BKS is read only."""
    with pytest.raises(UnsupportedError, match="BKS"):
        save_keystore(Keystore(format=Format.BKS, password=Password("x")))


def test_what_is_no_keystore_is_named() -> None:
    """With what it looks like."""
    with pytest.raises(NotAKeystoreError) as caught:
        open_keystore((SAMPLES / "hostile/html-login.pfx").read_bytes(), PASSWORD)
    assert "web page (HTML)" == caught.value.looks_like


def test_text_mode_damage_is_named() -> None:
    """Every line feed became CR LF: the cure is another transfer, not another password."""
    for kind in WRITTEN:
        store = store_of(kind).add(TrustedCertificateEntry(alias="\n" * 20, certificate=identity()[1]))
        data = save_keystore(store, profile=FAST)
        with pytest.raises(MangledError):
            open_keystore(data.replace(b"\n", b"\r\n"), PASSWORD)


def test_large_files_are_refused_at_once() -> None:
    """Before detection looks at them."""
    with pytest.raises(LimitError):
        open_keystore(bytes(1000), PASSWORD, limits=Limits(file_bytes=999))


def test_one_budget_covers_a_whole_command() -> None:
    """Opening spends from the budget that is handed in."""
    budget = Budget()
    open_keystore(save_keystore(store_of(Format.PKCS12), profile=FAST), PASSWORD, budget=budget)
    assert 2000 == budget.steps_spent


@given(st.binary(max_size=300))
def test_any_octets_give_documented_errors(data: bytes) -> None:
    """Nothing but KeystoreError comes out of any input."""
    for start in (b"", b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce", b"\x30\x80\x02\x01\x03\x30"):
        try:
            open_keystore(start + data, PASSWORD)
        except KeystoreError as error:
            assert error.sentence


def test_new_entries_are_dated_by_the_caller() -> None:
    """A JKS needs a date for each entry; there is no clock in the library."""
    store = Keystore(format=Format.JKS).add(TrustedCertificateEntry(alias="ca", certificate=identity()[1]))
    assert 7 == open_keystore(save_keystore(store, PASSWORD, now_ms=7), PASSWORD)["ca"].created_ms
