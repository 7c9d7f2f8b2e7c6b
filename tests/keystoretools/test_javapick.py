"""javapick: the key that a real Java server would present is predicted."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import Format, Keystore, PrivateKeyEntry, TrustedCertificateEntry, open_keystore, save_keystore
from keystoretools.javapick import grown_size, hashtable_order, java_hash, java_order, java_would_pick
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity

KEY, CERTIFICATE = identity()

_PROGRAM = """
import java.io.*; import java.security.*; import java.util.*; import javax.net.ssl.*;
public class Pick {
    public static void main(String[] a) throws Exception {
        for (String f : a) {
            KeyStore k = KeyStore.getInstance(f.endsWith(".jks") ? "JKS" : f.endsWith(".jceks") ? "JCEKS" : "PKCS12");
            k.load(new FileInputStream(f), "changeit".toCharArray());
            KeyManagerFactory m = KeyManagerFactory.getInstance("SunX509");
            m.init(k, "changeit".toCharArray());
            System.out.println(String.join(" ", ((X509KeyManager) m.getKeyManagers()[0]).getServerAliases("EC", null)));
        }
    }
}
"""


def _store(kind: Format, aliases: list[str], trusted: int = 0) -> Keystore:
    entries = [PrivateKeyEntry(alias=alias, key=KEY, chain=(CERTIFICATE,), created_ms=1) for alias in aliases]
    others = [TrustedCertificateEntry(alias=f"ca{n}", certificate=CERTIFICATE, created_ms=1) for n in range(trusted)]
    return Keystore(format=kind, entries=(*entries, *others))


@pytest.mark.parametrize(
    "item", [one for one in manifest() if one.get("java", {}).get("kmf")], ids=lambda one: one["file"]
)
def test_recorded_picks(item: dict) -> None:
    """For every recorded store and key type: the alias Java chose, and the order behind it."""
    store = open_keystore((SAMPLES / item["file"]).read_bytes(), item["storepass"])
    truth = item["java"]["kmf"]
    if not truth["ok"]:
        assert java_would_pick(store).alias is None
        assert "Cannot recover key" in java_would_pick(store).reasons[0]
        return
    for key_type in ("RSA", "EC", "EdDSA", "DSA"):
        expected = truth.get(key_type, {"chosen": None})
        picked = java_would_pick(store, key_type, check_passwords=False)
        assert (key_type, picked.alias) == (key_type, expected["chosen"])
        assert picked.reasons


def test_against_java(tmp_path: Path) -> None:
    """Random stores of many sizes: the whole order equals that of the real key manager."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("no java here: not compared with the real one")
    chosen = random.Random(4711)
    words = ["server", "new-cert", "ssl", "mykey", "https", "apia", "tomcat", "ia", "Aa", "BB", "ключ", "x" * 40]
    stores = []
    for number in range(24):
        kind = [Format.JKS, Format.JCEKS][number % 2]
        names = chosen.sample(words, chosen.randint(1, len(words))) + [
            f"k{n}" for n in range(chosen.choice([0, 3, 9, 40]))
        ]
        folded = list(dict.fromkeys(name.lower() for name in names))
        chosen.shuffle(folded)
        store = _store(kind, folded, chosen.choice([0, 1, 6, 20]))
        entries = list(store.entries)
        chosen.shuffle(entries)
        stores.append(attrs.evolve(store, entries=tuple(entries)))
    files = []
    for number, store in enumerate(stores):
        if store.format is Format.JCEKS and len(store.private_keys) > 3:  # 0.1 s for each key
            store = stores[number] = attrs.evolve(store, format=Format.JKS)
        path = tmp_path / f"{number}.{store.format.value.lower()}"
        path.write_bytes(save_keystore(store, "changeit", now_ms=1))
        files.append(str(path))
    (tmp_path / "Pick.java").write_text(_PROGRAM, "utf-8")
    done = subprocess.run(
        [java, "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", str(tmp_path / "Pick.java"), *files],
        capture_output=True,
        timeout=120,
        check=True,
    )
    expected = done.stdout.decode("utf-8").splitlines()
    assert expected == [" ".join(entry.alias for entry in java_order(store)) for store in stores]


@pytest.mark.parametrize(
    ("others", "jks", "pkcs12"),
    [
        (["new-cert"], "new-cert", "new-cert"),
        (["mykey"], "apia", "apia"),
        (["ssl"], "apia", "apia"),
        (["cert"], "apia", "cert"),
        (["server", "new-cert"], "new-cert", "server"),
    ],
)
def test_known_aliases(others: list[str], jks: str, pkcs12: str) -> None:
    """The table of names that are met beside `apia`."""
    names = [*others, "apia"]
    assert java_would_pick(_store(Format.JKS, names), "EC").alias == jks
    assert java_would_pick(_store(Format.PKCS12, names), "EC").alias == pkcs12


def test_nothing_to_pick() -> None:
    """No key, or none of the type: no alias, and the reason."""
    assert java_would_pick(Keystore(format=Format.JKS)).alias is None
    assert "no RSA key" in java_would_pick(_store(Format.JKS, ["a"])).reasons[0]


def test_hash_of_java() -> None:
    """Known values of String.hashCode, also beyond the basic plane."""
    assert [java_hash(text) for text in ("", "a", "Aa", "BB", "apia")] == [0, 97, 2112, 2112, 3000711]
    assert java_hash("🔑") == (31 * 0xD83D + 0xDD11) & 0xFFFFFFFF


@given(st.lists(st.text(max_size=6), unique=True, max_size=60))
def test_a_table_that_has_grown_stays_so(aliases: list[str]) -> None:
    """With room for all from the start nothing is moved: within a place the last one stands first."""
    size = grown_size(len(aliases))
    assert len(aliases) <= size * 3 // 4
    found = hashtable_order(aliases, size)
    places = [java_hash(alias) % 2**31 % size for alias in found]
    assert sorted(places, reverse=True) == places
    for place in set(places):
        here = [alias for alias, its in zip(found, places, strict=True) if its == place]
        assert sorted(here, key=aliases.index, reverse=True) == here


@given(st.lists(st.text(max_size=6), unique=True, max_size=60))
def test_nothing_is_lost(aliases: list[str]) -> None:
    """Every alias is listed once."""
    assert sorted(hashtable_order(aliases)) == sorted(aliases)
