"""pkcs12_write: three profiles, untouched entries octet for octet, and what Java and OpenSSL make of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import (
    LEGACY,
    MODERN,
    PORTABLE,
    Certificate,
    ErrorCode,
    Format,
    Keystore,
    OperationError,
    Password,
    PasswordNeededError,
    PrivateKeyEntry,
    Profile,
    SecretBytes,
    SecretKey,
    SecretKeyEntry,
    TrustedCertificateEntry,
    UnsupportedError,
    WrongKeyPasswordError,
    der,
    open_keystore,
    save_keystore,
)
from keystoretools.pkcs12_state import Pkcs12State
from tests.keystoretools.authority import family
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import (
    FAST,
    PASSWORD,
    attribute,
    bag,
    certificate_bag,
    clear_content,
    clear_key_bag,
    content_info,
    encrypted_content,
    encrypted_key,
    key_bag,
    locked_key_of,
    pkcs12,
)

ITEMS = [i for i in manifest() if i.get("type") in ("PKCS12", "JKS", "JCEKS") and i["should_open"]]
KEY = locked_key_of()
CERTIFICATE = identity()[1].der
OTHER = identity("other.example.com")[1].der
FRIENDLY_MS = 1_700_000_000_123
MICROSOFT = attribute("1.3.6.1.4.1.311.17.1", der.bmp_string("Microsoft Enhanced Cryptographic Provider"))


def sample(item: dict[str, Any]) -> Keystore:
    """A sample with all its keys under the store's password."""
    store = open_keystore((SAMPLES / item["file"]).read_bytes(), item["storepass"])
    for alias, password in item["keypass"].items():
        store = store.set_key_password(alias, None, old=password)
    return store


def small_store() -> Keystore:
    """Two keys, a secret, a stored password, a trusted certificate."""
    key, certificate = identity()
    other_key, other = identity("other.example.com")
    secret = SecretKey(algorithm="AES", raw=SecretBytes(bytes(range(16))))
    stored = SecretKey(algorithm="PBEWithMD5AndDES", raw=SecretBytes(b"hunter2"))
    store = Keystore(format=Format.PKCS12, password=Password(PASSWORD))
    store = store.add(PrivateKeyEntry(alias="Server", key=key, chain=(certificate,), created_ms=FRIENDLY_MS))
    store = store.add(PrivateKeyEntry(alias="other", key=other_key, chain=(other,)))
    store = store.add(SecretKeyEntry(alias="aes", key=secret))
    store = store.add(SecretKeyEntry(alias="stored", key=stored))
    return store.add(TrustedCertificateEntry(alias="ca", certificate=certificate))


def certificates_of(entry: object) -> tuple[Certificate, ...]:
    if isinstance(entry, PrivateKeyEntry):
        return entry.chain
    return (entry.certificate,) if isinstance(entry, TrustedCertificateEntry) else ()


def same_content(one: Keystore, two: Keystore) -> None:
    """Aliases, certificates, keys."""
    assert {entry.alias.lower() for entry in one} == {entry.alias for entry in two}
    for entry in one:
        assert certificates_of(entry) == certificates_of(two[entry.alias])
        if not isinstance(entry, TrustedCertificateEntry):
            assert one.unlock(entry.alias) == two.unlock(entry.alias)


@pytest.mark.parametrize(
    ("item", "profile"),
    [
        (item, profile)
        for item in ITEMS
        for profile in (None, PORTABLE, MODERN, LEGACY)
        if profile is None or item["type"] != "JCEKS"  # its keys cost half a second each
    ],
    ids=lambda value: value["file"] if isinstance(value, dict) else getattr(value, "name", "none"),
)
def test_every_sample_becomes_pkcs12_and_back(item: dict[str, Any], profile: Profile | None) -> None:
    """Keys, chains, secrets and what has a date in both formats survive, in every profile."""
    store = sample(item)
    again = open_keystore(save_keystore(store, format=Format.PKCS12, profile=profile), item["storepass"])
    assert again.verified
    same_content(store, again)
    for entry in store.private_keys:
        if entry.created_ms is not None:
            assert entry.created_ms == again[entry.alias].created_ms


@pytest.mark.parametrize(
    ("profile", "cipher", "mac"),
    [
        (None, "PBES2 AES-256, PBKDF2-HMAC-SHA256, 10000 iterations", "HMAC-SHA1, 10000 iterations"),
        (PORTABLE, "PBES2 AES-256, PBKDF2-HMAC-SHA256, 10000 iterations", "HMAC-SHA1, 10000 iterations"),
        (MODERN, "PBES2 AES-256, PBKDF2-HMAC-SHA256, 10000 iterations", "HMAC-SHA256, 10000 iterations"),
        (LEGACY, "PBE-SHA1-3DES, 50000 iterations", "HMAC-SHA1, 100000 iterations"),
    ],
)
def test_the_profiles_are_what_they_say(profile: Profile | None, cipher: str, mac: str) -> None:
    """The recipe that old Java, new Java and OpenSSL read; the key length is written, salts have 20 octets."""
    state = open_keystore(save_keystore(small_store(), profile=profile), PASSWORD).state
    assert isinstance(state, Pkcs12State)
    assert state.mac is not None
    assert (cipher, mac, 20) == (state.certificate_cipher, state.mac.words, len(state.mac.salt))


@pytest.mark.parametrize("profile", [PORTABLE, MODERN, LEGACY], ids=lambda profile: str(profile.name))
def test_the_real_keytool_opens_everything_with_one_password(
    profile: Profile, tmp_path: Path, keytool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """All entries are listed, and every key opens with the store's password when they are copied."""
    path = tmp_path / "store.p12"
    path.write_bytes(save_keystore(small_store(), profile=profile, now_ms=FRIENDLY_MS))
    copy = keytool(
        *("-importkeystore", "-noprompt", "-srckeystore", str(path), "-srcstorepass", PASSWORD),
        *("-destkeystore", str(tmp_path / "copy"), "-deststoretype", "PKCS12", "-deststorepass", PASSWORD),
    )
    assert "5 entries successfully imported, 0 entries failed" in copy.stderr, copy.stdout
    copied = open_keystore((tmp_path / "copy").read_bytes(), PASSWORD)
    same_content(small_store(), copied)
    listed = keytool("-list", "-keystore", str(path), "-storepass", PASSWORD, "-alias", "server").stdout
    assert listed.startswith("server, Nov 14, 2023, PrivateKeyEntry")


@pytest.mark.parametrize("profile", [PORTABLE, MODERN, LEGACY], ids=lambda profile: str(profile.name))
def test_openssl_opens_it_without_legacy(profile: Profile, tmp_path: Path) -> None:
    """OpenSSL 3 verifies the file and gives out both keys, without its legacy provider."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here: not compared with the real one")
    path = tmp_path / "store.p12"
    path.write_bytes(save_keystore(small_store(), profile=profile))
    done = subprocess.run(
        [program, "pkcs12", "-in", str(path), "-passin", "pass:" + PASSWORD, "-nodes"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, 2) == (done.returncode, done.stdout.count("BEGIN PRIVATE KEY")), done.stderr


@pytest.mark.parametrize("item", [i for i in ITEMS if i["type"] == "PKCS12"], ids=lambda i: str(i["file"]))
def test_untouched_entries_stay_octet_for_octet(item: dict[str, Any]) -> None:
    """Another entry is renamed, removed, added: encrypted keys, dates and attributes of the rest stay."""
    store = sample(item)
    added = store.add(TrustedCertificateEntry(alias="a new one", certificate=identity()[1]))
    again = open_keystore(save_keystore(added), item["storepass"])
    for entry in store:
        assert entry == again[entry.alias]
    before, after = store.state, again.state
    assert isinstance(before, Pkcs12State)
    assert isinstance(after, Pkcs12State)
    kept = {original.bag.raw for original in after.originals}
    # bags that leave their name or their certificate to their place in the file get them written down
    complete = [o.bag for o in before.originals if o.bag.name is not None and o.bag.local_id is not None]
    assert all(one.raw in kept for one in complete)


def test_an_existing_file_keeps_its_algorithms() -> None:
    """As in Java; only RC2 becomes 3DES, at the same count."""
    for name, password, cipher, mac in [
        ("p12/keytool-jdk17.p12", "alarmpoint", "PBES2 AES-256", "HMAC-SHA256, 10000"),
        ("p12/keytool-jdk8u504.p12", "alarmpoint", "PBE-SHA1-3DES, 50000", "HMAC-SHA1, 100000"),
        ("openssl/default.pfx", "changeit", "PBES2 AES-256, PBKDF2-HMAC-SHA256, 2048", "HMAC-SHA256, 2048"),
    ]:
        store = open_keystore((SAMPLES / name).read_bytes(), password)
        state = open_keystore(save_keystore(store), password).state
        assert isinstance(state, Pkcs12State)
        assert state.mac is not None
        assert state.certificate_cipher.startswith(cipher)
        assert state.mac.words.startswith(mac)


def odd_file() -> bytes:
    """What other programs leave: Microsoft attributes, a CRL bag, a nested bag, an unknown content."""
    crl = bag("1.2.840.113549.1.12.10.1.4", der.sequence(der.oid("1.2.3"), der.explicit(0, der.octet_string(b"crl"))))
    nested = bag("1.2.840.113549.1.12.10.1.6", der.sequence())
    return pkcs12(
        clear_content(key_bag(KEY, name="Srv", key_id=b"\1\0\0\0", more=[MICROSOFT]), nested),
        encrypted_content(certificate_bag(CERTIFICATE, name="Srv", key_id=b"\1\0\0\0"), crl),
        content_info("1.2.3.4", der.octet_string(b"somebody's")),
    )


def test_what_nobody_understands_survives() -> None:
    """Unknown bags, attributes and contents are in the file after other entries changed."""
    store = open_keystore(odd_file(), PASSWORD).add(TrustedCertificateEntry(alias="ca", certificate=Certificate(OTHER)))
    data = save_keystore(store)
    again = open_keystore(data, PASSWORD)
    for part in (b"somebody's", MICROSOFT, der.oid("1.2.840.113549.1.12.10.1.6"), "Srv".encode("utf-16-be")):
        assert part in data
    assert isinstance(again.state, Pkcs12State)
    assert any(b"crl" in one.raw for one in again.state.unknown)
    renamed = open_keystore(save_keystore(again.rename("srv", "new")), PASSWORD)
    assert ["1.3.6.1.4.1.311.17.1", "1.2.840.113549.1.9.21"] == [one.oid for one in renamed["new"].attributes]
    assert (CERTIFICATE,) == tuple(one.der for one in certificates_of(renamed["new"]))


def test_a_key_whose_password_nobody_gave_is_carried() -> None:
    """Its octets are the same after a rename, and its own password opens it."""
    foreign = encrypted_key(identity()[0].pkcs8.reveal(), "its own")
    store = open_keystore(pkcs12(clear_content(key_bag(foreign, name="a", key_id=b"x"))), PASSWORD)
    for profile in (None, LEGACY):
        again = open_keystore(save_keystore(store.rename("a", "b"), profile=profile), PASSWORD)
        assert ("b",) == again.locked_apart()
        assert identity()[0] == again.unlock("b", "its own")


def test_a_new_store_password_takes_every_key_along() -> None:
    """Also when the caller asked for keys_too=False: keytool knows no other way, and a server needs it."""
    data = save_keystore(small_store(), profile=FAST)
    for keys_too in (True, False):
        changed = open_keystore(data, PASSWORD).set_password("another", keys_too=keys_too)
        again = open_keystore(save_keystore(changed), "another")
        assert () == again.locked_apart()
    assert () == open_keystore(save_keystore(open_keystore(data, PASSWORD), "third"), "third").locked_apart()


def test_a_new_store_password_fails_for_a_key_of_another() -> None:
    """As keytool does, naming the entry."""
    foreign = encrypted_key(identity()[0].pkcs8.reveal(), "its own")
    store = open_keystore(pkcs12(clear_content(key_bag(foreign, name="a", key_id=b"x"))), PASSWORD)
    with pytest.raises(WrongKeyPasswordError) as caught:
        save_keystore(store.set_password("another"))
    assert "a" == caught.value.alias


def test_an_import_comes_under_the_stores_password() -> None:
    """The key of a PFX with another password opens with the store's, and its certificate is visible to Java."""
    source = open_keystore(
        pkcs12(
            clear_content(key_bag(encrypted_key(identity()[0].pkcs8.reveal(), "pfx"), name="k", key_id=b"x")),
            encrypted_content(certificate_bag(OTHER), password="pfx"),
            password="pfx",
        ),
        "pfx",
    )
    store = Keystore(format=Format.PKCS12, password=Password(PASSWORD)).import_(source)
    again = open_keystore(save_keystore(store), PASSWORD)
    assert () == again.locked_apart()
    assert [True, True] == [entry.java_sees_it for entry in again]


def test_passwordless_files_stay_so() -> None:
    """Java's form without a password, as its trust store has been since 18."""
    data = pkcs12(clear_content(certificate_bag(CERTIFICATE, name="ca", trusted=True)), password=None)
    store = open_keystore(data).add(TrustedCertificateEntry(alias="two", certificate=Certificate(OTHER)))
    again = open_keystore(save_keystore(store))
    assert ["ca", "two"] == [entry.alias for entry in again]
    assert isinstance(again.state, Pkcs12State)
    assert again.state.is_passwordless
    with pytest.raises(PasswordNeededError):
        save_keystore(store.add(PrivateKeyEntry(alias="k", key=identity()[0])))
    protected = open_keystore(save_keystore(store, PASSWORD), PASSWORD)
    assert protected.verified


def test_a_key_in_the_clear_stays_where_it_was() -> None:
    """In an encrypted content it is not brought out; a profile encrypts it, and Java sees it from then on."""
    pkcs8 = identity()[0].pkcs8.reveal()
    store = open_keystore(pkcs12(encrypted_content(clear_key_bag(pkcs8, name="k", key_id=b"x"))), PASSWORD)
    for changed in (store, store.rename("k", "new")):
        data = save_keystore(changed)
        assert pkcs8 not in data
        assert not open_keystore(data, PASSWORD).entries[0].java_sees_it
    again = open_keystore(save_keystore(store, profile=PORTABLE), PASSWORD)
    assert again["k"].java_sees_it
    assert identity()[0] == again.unlock("k")


def test_what_cannot_be_written_is_said() -> None:
    """Non-ASCII passwords, aliases that differ by case only, secret keys without identifier, no password."""
    store = small_store()
    with pytest.raises(OperationError) as caught:
        save_keystore(store, "pässwört")
    assert "password-not-ascii" == caught.value.code
    twice = attrs.evolve(store, entries=(*store.entries, attrs.evolve(store.entries[0], alias="SERVER")))
    with pytest.raises(OperationError) as caught:
        save_keystore(twice)
    assert "alias-exists" == caught.value.code
    odd = SecretKeyEntry(alias="odd", key=SecretKey(algorithm="Skipjack", raw=SecretBytes(b"x")))
    with pytest.raises(UnsupportedError, match="Skipjack"):
        save_keystore(store.add(odd))
    with pytest.raises(PasswordNeededError):
        save_keystore(attrs.evolve(store, password=None))


def test_keys_of_the_same_moment_keep_their_certificates() -> None:
    """Two keys with one date, one without certificates: it does not get the other's."""
    store = Keystore(format=Format.PKCS12, password=Password(PASSWORD))
    key, certificate = identity()
    store = store.add(PrivateKeyEntry(alias="a", key=key, chain=(certificate,), created_ms=7))
    store = store.add(PrivateKeyEntry(alias="b", key=identity("other.example.com")[0], created_ms=7))
    again = open_keystore(save_keystore(store, profile=FAST), PASSWORD)
    assert [(7, 1), (7, 0)] == [(entry.created_ms, len(entry.chain)) for entry in again.private_keys]


aliases = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=30)
@given(st.lists(aliases, max_size=4, unique_by=lambda alias: alias.lower()), st.integers(-(2**63), 2**63 - 1))
def test_any_alias_and_date_comes_back(names: list[str], created_ms: int) -> None:
    """Empty, control characters, astral characters; negative and absurd dates; in lower case."""
    store = Keystore(format=Format.PKCS12, password=Password("pw"))
    for name in names:
        store = store.add(PrivateKeyEntry(alias=name, key=identity()[0], created_ms=created_ms))
    again = open_keystore(save_keystore(store, profile=FAST), "pw")
    assert [(name.lower(), created_ms) for name in names] == [(e.alias, e.created_ms) for e in again]


operations = st.lists(st.tuples(st.sampled_from("rnda"), st.integers(0, 9)), max_size=4)


@settings(max_examples=30)
@given(operations)
def test_any_change_gives_a_file_with_the_same_content(steps: list[tuple[str, int]]) -> None:
    """Rename, remove, re-date, add in any order: what is read back is what was meant."""
    store = open_keystore(FIVE, PASSWORD)
    for step, number in steps:
        if not len(store):
            break
        alias = store.entries[number % len(store)].alias
        if step == "r":
            store = store.rename(alias, f"renamed-{number}") if f"renamed-{number}" not in store else store
        elif step == "n":
            store = store.remove(alias)
        elif step == "d" and isinstance(store[alias], PrivateKeyEntry):
            store = store.add(attrs.evolve(store[alias], created_ms=number), replace=True)
        elif step == "a" and f"added-{number}" not in store:
            entry = TrustedCertificateEntry(alias=f"added-{number}", certificate=Certificate(OTHER))
            store = store.add(entry)
    same_content(store, open_keystore(save_keystore(store), PASSWORD))


FIVE = save_keystore(open_keystore((SAMPLES / "p12/five-keys-mixed.p12").read_bytes(), PASSWORD))


def test_thousands_of_keys_of_one_date_keep_apart() -> None:
    """Each gets a localKeyID of its own, which stays short; the date moves by less than their number."""
    key, certificate = identity()
    aged = PrivateKeyEntry(alias="k", key=key, chain=(certificate,), created_ms=1_700_000_000_000)
    one = open_keystore(save_keystore(Keystore(format=Format.PKCS12, entries=(aged,)), "changeit"), "changeit")
    (entry,) = one.entries
    many = tuple(attrs.evolve(entry, alias=f"k{number}") for number in range(300))
    again = open_keystore(save_keystore(attrs.evolve(one, entries=many), "changeit"), "changeit")
    assert {f"k{number}" for number in range(300)} == {found.alias for found in again.private_keys}
    assert all(found.chain == entry.chain for found in again.private_keys)
    assert all(0 <= (found.created_ms or 0) - 1_700_000_000_000 < 300 for found in again.private_keys)


def test_a_chain_with_a_gap_is_named_and_not_cut() -> None:
    """The file has no order of certificates, and what is behind the gap would be lost: the missing one is named."""
    leaf, _, root = family()
    entry = PrivateKeyEntry(alias="k", key=leaf.key, chain=(leaf.certificate, root.certificate), created_ms=1)
    with pytest.raises(OperationError, match=r"issued by .*CN=Test Issuing.* is missing") as caught:
        save_keystore(Keystore(format=Format.PKCS12, entries=(entry,)), "changeit")
    assert (ErrorCode.CHAIN_INCOMPLETE, "k") == (caught.value.code, caught.value.alias)
    assert save_keystore(Keystore(format=Format.JKS, entries=(entry,)), "changeit")
