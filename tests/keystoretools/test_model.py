"""model: a keystore is changed by making a new one, and aliases are compared as Java does."""

from __future__ import annotations

import time

import pytest

from keystoretools import (
    Format,
    Keystore,
    OperationError,
    Password,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    fold_alias,
    open_keystore,
    save_keystore,
)
from tests.keystoretools.material import identity
from tests.keystoretools.test_jks import PASSWORD, small_store

KEY, CERTIFICATE = identity()


def test_aliases_are_compared_as_java_does() -> None:
    """English lower case: sharp s stays, dotted capital I becomes two characters."""
    assert fold_alias("Straße\u0130") == "straßei\u0307"
    store = small_store()
    assert "SERVER" in store
    assert store["Server"].alias == "server"


def test_an_alias_spelt_exactly_comes_first() -> None:
    """A file may hold Server and server; each is found by its own spelling."""
    one, two = (TrustedCertificateEntry(alias=alias, certificate=CERTIFICATE) for alias in ("Server", "server"))
    store = Keystore(format=Format.JKS, entries=(one, two))
    assert (store["Server"], store["server"], store["SERVER"]) == (one, two, one)


def test_refusals_have_codes() -> None:
    """Missing, existing, too long and keyless entries are told apart."""
    store = small_store()
    attempts = {
        "no-such-alias": lambda: store.remove("nobody"),
        "alias-exists": lambda: store.rename("ca", "SERVER"),
        "no-private-key": lambda: store.unlock("ca"),
        "alias-not-allowed": lambda: store.rename("ca", "ü" * 40_000),
    }
    for code, attempt in attempts.items():
        with pytest.raises(OperationError) as caught:
            attempt()
        assert caught.value.code == code


def test_changes_leave_the_old_store_alone() -> None:
    """rename keeps the place, remove keeps the rest, and the first store has not changed."""
    store = small_store()
    changed = store.rename("server", "ia-2026").remove("aes")
    assert [entry.alias for entry in changed] == ["ia-2026", "ca", "password"]
    assert [entry.alias for entry in store] == ["server", "ca", "aes", "password"]
    assert [entry.alias for entry in store.rename("server", "Server")] == ["Server", "ca", "aes", "password"]


def test_an_import_comes_under_the_store_password() -> None:
    """The key of a PFX opens with the store's password after the import (keytool: the PFX's)."""
    source = Keystore(format=Format.JKS, password=Password("pfx-password"))
    source = source.add(PrivateKeyEntry(alias="new", key=KEY, chain=(CERTIFICATE,), created_ms=1))
    source = open_keystore(save_keystore(source), "pfx-password")
    target = Keystore(format=Format.JKS, password=Password(PASSWORD)).import_(source, aliases={"NEW": "new-cert"})
    written = open_keystore(save_keystore(target), PASSWORD)
    assert written.locked_apart() == ()
    assert written.unlock("new-cert") == KEY


def test_a_new_store_password_takes_the_keys_along_unless_told_otherwise() -> None:
    """With keys_too=False the keys stay under the old password, as keytool has it."""
    store = open_keystore(save_keystore(small_store(Format.JKS)), PASSWORD)
    both = open_keystore(save_keystore(store.set_password("second")), "second")
    only = open_keystore(save_keystore(store.set_password("second", keys_too=False)), "second")
    shortcut = open_keystore(save_keystore(store, "second"), "second")
    assert (both.locked_apart(), only.locked_apart(), shortcut.locked_apart()) == ((), ("server",), ())
    assert only.unlock("server", PASSWORD) == KEY


def test_many_entries_are_added_in_one_go() -> None:
    """A store of a hundred thousand entries is imported in seconds: nothing is searched entry by entry."""
    many = tuple(TrustedCertificateEntry(alias=f"a{number}", certificate=CERTIFICATE) for number in range(100_000))
    source = Keystore(format=Format.JKS, entries=many)
    start = time.process_time()
    result = Keystore(format=Format.PKCS12, password=Password(PASSWORD)).import_(source)
    assert (100_000, "a99999") == (len(result), result["A99999"].alias)
    assert time.process_time() - start < 10


def test_adding_several_sees_those_added_before() -> None:
    """Twice the same alias in one go is refused, or the last one stands in the first one's place."""
    first, second, other = (
        TrustedCertificateEntry(alias=alias, certificate=CERTIFICATE, created_ms=at)
        for at, alias in enumerate(("ca", "CA", "other"))
    )
    store = Keystore(format=Format.JKS)
    with pytest.raises(OperationError, match="already in the keystore"):
        store.add_all([first, second])
    assert (second, other) == store.add_all([first, other, second], replace=True).entries
