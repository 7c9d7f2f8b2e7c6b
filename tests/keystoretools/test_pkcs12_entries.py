"""pkcs12_entries: entries as Java finds them, and what Java does not see."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import (
    Keystore,
    LimitError,
    Limits,
    PrivateKeyEntry,
    SecretKeyEntry,
    TrustedCertificateEntry,
    der,
    open_keystore,
)
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import (
    PASSWORD,
    certificate_bag,
    clear_content,
    clear_key_bag,
    encrypted_key,
    key_bag,
    locked_key_of,
    pkcs12,
    secret_bag,
)

KEY = locked_key_of()
CERTIFICATE = identity()[1].der
OTHER = identity("other.example.com")[1].der
SECRET = encrypted_key(
    der.sequence(der.integer(0), der.algorithm("2.16.840.1.101.3.4.1", None), der.octet_string(bytes(16)))
)


def read(*bags: bytes) -> Keystore:
    return open_keystore(pkcs12(clear_content(*bags)), PASSWORD)


def seen(store: Keystore) -> list[tuple[str, str, int]]:
    """(alias, kind, certificates) of what Java sees."""
    return [
        (one.alias, type(one).__name__[0], len(one.chain) if isinstance(one, PrivateKeyEntry) else 0)
        for one in store
        if one.java_sees_it
    ]


def test_names_are_folded_and_numbers_given() -> None:
    """Aliases in lower case; nameless entries are numbered among those that Java sees."""
    store = read(
        key_bag(KEY, key_id=b"a"),
        certificate_bag(OTHER),
        key_bag(KEY, name="SERVER\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", key_id=b"b"),
        secret_bag(SECRET, key_id=b"c"),
        certificate_bag(CERTIFICATE, trusted=True),
    )
    assert [("1", "P", 0), ("serveri\u0307", "P", 0), ("2", "S", 0), ("3", "T", 0)] == seen(store)


def test_the_certificate_of_a_key() -> None:
    """Same id and name before same id before same name; trusted ones never."""
    by_id = certificate_bag(OTHER, key_id=b"x", name="else")
    by_name = certificate_bag(CERTIFICATE, name="SRV")
    key = key_bag(KEY, name="srv", key_id=b"x")
    both = certificate_bag(CERTIFICATE, name="Srv", key_id=b"x")
    for bags, expected in [
        ((key, by_id, by_name), OTHER),
        ((key, by_name), CERTIFICATE),
        ((key, both, by_id), CERTIFICATE),
        ((by_name, by_id, key), OTHER),
    ]:
        entry = read(*bags)["srv"]
        assert isinstance(entry, PrivateKeyEntry)
        assert [expected] == [one.der for one in entry.chain]
    lonely = read(key, certificate_bag(CERTIFICATE, key_id=b"x", name="ca", trusted=True))["srv"]
    assert isinstance(lonely, PrivateKeyEntry)
    assert () == lonely.chain


def test_the_first_key_without_id_gets_the_first_certificate() -> None:
    """Old OpenSSL files without attributes: key content first, certificates in another."""
    data = pkcs12(clear_content(key_bag(KEY)), clear_content(certificate_bag(CERTIFICATE)))
    assert [("1", "P", 1)] == seen(open_keystore(data, PASSWORD))


def test_java_does_not_see_everything() -> None:
    """Keys in the clear, unmarked certificates and a second key without id are listed, and called invisible."""
    pkcs8 = identity()[0].pkcs8.reveal()
    store = read(
        key_bag(KEY, name="one"),
        key_bag(KEY, name="two"),
        clear_key_bag(pkcs8, name="clear", key_id=b"x"),
        certificate_bag(OTHER, name="leftover"),
    )
    assert [("one", "P", 0)] == seen(store)
    assert ["one", "two", "clear", "leftover"] == [entry.alias for entry in store]
    assert store.unlock("clear").pkcs8.reveal() == pkcs8  # type: ignore[union-attr]
    codes = ["java-ignores-key", "java-ignores-key", "java-ignores-certificate"]
    assert codes == [note.code for note in store.notes]


def test_dates_come_from_the_local_key_id() -> None:
    """Java's `Time <ms>`; other ids stay attributes, impossible dates are none."""
    ids = {b"Time 1700000000123": 1_700_000_000_123, b"Time -5": -5, b"Time 007": 7, b"x": None}
    ids |= {b"Time 99999999999999999999": None, b"Time --5": None, b"Time ": None}
    for key_id, expected in ids.items():
        entry = read(key_bag(KEY, name="a", key_id=key_id))["a"]
        assert (expected, expected is None) == (entry.created_ms, bool(entry.attributes))


def test_the_last_of_two_equal_names_counts() -> None:
    """As in Java, in the place of the first, with a note."""
    store = read(
        key_bag(KEY, name="a", key_id=b"1"),
        secret_bag(SECRET, name="b", key_id=b"2"),
        certificate_bag(OTHER, name="A", trusted=True),
    )
    assert [("a", "T", 0), ("b", "S", 0)] == seen(store)
    assert ["duplicate-alias"] == [note.code for note in store.notes]
    assert isinstance(store["b"], SecretKeyEntry)
    assert isinstance(store["A"], TrustedCertificateEntry)


def test_chains_are_bounded() -> None:
    """Thousands of keys that share a long chain do not multiply into memory."""
    bags = [key_bag(KEY, name=str(n), key_id=b"x") for n in range(20)]
    leaf = certificate_bag(CERTIFICATE, key_id=b"x")
    data = pkcs12(clear_content(*bags[:10]), clear_content(*bags[10:], leaf))
    with pytest.raises(LimitError, match="chains together"):
        open_keystore(data, PASSWORD, limits=Limits(der_elements=19))


names = st.sampled_from([None, None, "a", "A", "b", "1", "2", ""])
ids = st.sampled_from([None, None, b"x", b"y", b"01", b"Time 1700000000123", b"Time abc"])
bags = st.one_of(
    st.builds(lambda name, key_id: key_bag(KEY, name=name, key_id=key_id), names, ids),
    st.builds(lambda name, key_id: secret_bag(SECRET, name=name, key_id=key_id), names, ids),
    st.builds(
        lambda octets, name, key_id, trusted: certificate_bag(octets, name=name, key_id=key_id, trusted=trusted),
        st.sampled_from([CERTIFICATE, OTHER]),
        names,
        ids,
        st.sampled_from([False, False, True]),
    ),
)
files = st.lists(st.lists(bags, max_size=5), max_size=3)

DUMP: Final = """
import java.io.*; import java.security.*; import java.security.cert.Certificate; import java.util.*;
public class Dump { public static void main(String[] arguments) throws Exception {
  for (String file : arguments) {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = new FileInputStream(file)) { store.load(in, "changeit".toCharArray()); }
    StringBuilder line = new StringBuilder();
    for (String alias : Collections.list(store.aliases())) {
      Certificate[] chain = store.getCertificateChain(alias);
      line.append(alias).append(store.isKeyEntry(alias) ? "=K" : "=T");
      line.append(chain == null ? 0 : chain.length).append(";");
    }
    System.out.println(line);
} } }
"""


def test_java_finds_the_same_entries(tmp_path: Path) -> None:
    """Aliases, order, kinds and chain lengths of a hundred odd files equal those of the Java that is here."""
    if shutil.which("javac") is None or shutil.which("java") is None:
        pytest.skip("no javac here: not compared with the real Java")
    expected: list[str] = []
    paths: list[str] = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(files)
    def collect(contents: list[list[bytes]]) -> None:
        data = pkcs12(*(clear_content(*content) for content in contents if content))
        path = tmp_path / f"{len(paths)}.p12"
        path.write_bytes(data)
        paths.append(str(path))
        found = seen(open_keystore(data, PASSWORD))
        expected.append("".join(f"{alias}={'T' if kind == 'T' else 'K'}{count};" for alias, kind, count in found))

    collect()
    (tmp_path / "Dump.java").write_text(DUMP, "utf-8")
    subprocess.run(["javac", "Dump.java"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        ["java", "-Dstdout.encoding=UTF-8", "-cp", str(tmp_path), "Dump", *paths],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert expected == done.stdout.splitlines()
