"""assemble: what belongs together is found, in whatever files and order it came."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    Budget,
    Contents,
    Format,
    Keystore,
    Limits,
    PrivateKeyEntry,
    read_anything,
    save_keystore,
    write_pem,
)
from keystoretools.assemble import assemble
from tests.keystoretools.authority import START, family, make

LEAF, MIDDLE, ROOT = family()
CHAIN = (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)
KEY_FILE = read_anything(write_pem(LEAF.key), name="ia.key")
CERTIFICATE_FILE = read_anything(write_pem(LEAF.certificate), name="ia.cer")
ISSUERS_FILE = read_anything(write_pem([ROOT.certificate, MIDDLE.certificate]), name="ca.pem")


def _codes(*contents: Contents) -> list[str]:
    return sorted(problem.code for problem in assemble(*contents).problems)


@pytest.mark.parametrize("files", list(itertools.permutations([KEY_FILE, CERTIFICATE_FILE, ISSUERS_FILE])))
def test_any_order_of_files(files: tuple[Contents, ...]) -> None:
    """Key, certificate and issuers from three files become one identity."""
    found = assemble(*files)
    (one,) = found.identities
    assert (one.key, one.chain.chain, one.found.place) == (LEAF.key, CHAIN, "ia.key, line 1")
    assert (found.trusted, found.lonely, found.bare_keys) == ((), (), ())
    assert one.entry("ia") == PrivateKeyEntry(alias="ia", key=LEAF.key, chain=CHAIN)


def test_certificate_without_its_key() -> None:
    """Refused with the sentence that says where the key is likely to be."""
    found = assemble(CERTIFICATE_FILE, ISSUERS_FILE)
    assert ([one.chain for one in found.lonely], found.identities, found.trusted) == ([CHAIN], (), ())
    (problem,) = found.problems
    assert (problem.code, problem.severity) == ("no-key-for-certificate", "error")
    assert "look on that machine" in problem.cure


def test_a_key_of_another_certificate() -> None:
    """Key and certificate that do not fit are said to be for different keys."""
    stranger = read_anything(write_pem(make("x").key), name="x.key")
    assert _codes(stranger, CERTIFICATE_FILE) == [
        "chain-incomplete",
        "key-certificate-mismatch",
        "no-key-for-certificate",
    ]


def test_a_missing_intermediate() -> None:
    """The gap is a problem with the issuer's name and address; a missing root is none."""
    (problem,) = assemble(KEY_FILE, CERTIFICATE_FILE).problems
    assert problem.code == "chain-incomplete"
    assert "CN=Test Issuing" in problem.sentence and "http://ca.example/issuing.cer" in problem.cure
    assert _codes(read_anything(write_pem([LEAF.key, LEAF.certificate, MIDDLE.certificate]))) == []


def test_wrong_order_in_one_file_is_sorted() -> None:
    """A file with root first is sorted, and that is said."""
    assert _codes(read_anything(write_pem([ROOT.certificate, MIDDLE.certificate, LEAF.certificate, LEAF.key]))) == [
        "chain-out-of-order"
    ]


def test_authorities_alone_are_to_be_trusted() -> None:
    """Without keys and server certificates, authorities are trusted certificates."""
    found = assemble(ISSUERS_FILE)
    assert (found.trusted, found.problems) == ((ROOT.certificate, MIDDLE.certificate), ())


def test_renewed_certificates() -> None:
    """Of two certificates for one key the newest is taken."""
    newer = make("ia.example.com", MIDDLE, signer=LEAF.signer, start=START.replace(month=3)).certificate
    found = assemble(KEY_FILE, CERTIFICATE_FILE, read_anything(newer.der), ISSUERS_FILE)
    (one,) = found.identities
    assert (one.leaf, one.older) == (newer, (LEAF.certificate,))
    assert "several-certificates" in [problem.code for problem in found.problems]


def test_a_key_and_its_request() -> None:
    """The key of a request whose certificate has not come is recognised, not called useless."""
    folder = Path(__file__).parent / "samples/files"
    request = read_anything((folder / "request.csr").read_bytes(), name="ia.csr")
    key = read_anything((folder / "rsa.pbes2-aes256.enc.pem").read_bytes(), ["changeme"], name="ia.key")
    found = assemble(request, key)
    sentences = [problem.sentence for problem in found.problems]
    assert any("belongs to the request for" in sentence for sentence in sentences)


def test_locked_keys_need_a_password() -> None:
    """A locked key, a locked store and a store read without password are named; their certificates are not lonely."""
    data = save_keystore(
        Keystore(format=Format.JKS, entries=(PrivateKeyEntry(alias="k", key=LEAF.key, chain=CHAIN),)), "storepass"
    )
    listed = assemble(read_anything(data, name="a.jks"))
    assert (listed.locked, listed.lonely) == (('a.jks, entry "k"',), ())
    assert [problem.code for problem in listed.problems] == ["needs-password"]
    opened = assemble(read_anything(data, ["storepass"], name="a.jks"))
    assert [one.chain.chain for one in opened.identities] == [CHAIN]
    later = assemble(read_anything(data, name="a.jks"), passwords=["storepass"])
    assert [one.found.alias for one in later.identities] == ["k"]


def test_keys_beyond_the_limit_are_not_tried() -> None:
    """A store of thousands of keys is described in moments: the rest is counted, and nobody is asked for a password."""
    entries = tuple(PrivateKeyEntry(alias=name, key=LEAF.key, chain=CHAIN) for name in ("a", "b", "c"))
    data = save_keystore(Keystore(format=Format.JKS, entries=entries), "storepass")
    found = assemble(read_anything(data, ["storepass"]), budget=Budget(limits=Limits(keys_tried=1)))
    assert (2, (), ()) == (found.untried, found.locked, found.lonely)
    assert ["a"] == [one.found.alias for one in found.identities]


def test_a_key_that_costs_too_much_is_not_called_locked() -> None:
    """Another password would not help: the sentence says what it would cost."""
    store = Keystore(format=Format.PKCS12, entries=(PrivateKeyEntry(alias="k", key=LEAF.key, chain=CHAIN),))
    contents = read_anything(save_keystore(store, "storepass"), ["storepass"], name="a.p12")
    found = assemble(contents, budget=Budget(limits=Limits(steps_in_all=100)))
    assert ((), ()) == (found.locked, found.lonely)
    (problem,) = [one for one in found.problems if one.code == "key-unusable"]
    assert 'The key "k" cannot be opened: The file costs too much to open' in problem.sentence


def test_the_same_key_twice_is_one() -> None:
    """A key given as PEM and inside a store is one identity."""
    assert len(assemble(KEY_FILE, KEY_FILE, CERTIFICATE_FILE, ISSUERS_FILE).identities) == 1


PARTS = [part for each in (KEY_FILE, CERTIFICATE_FILE, ISSUERS_FILE) for part in each.parts]
PARTS += read_anything(write_pem([make("x").key, make("y", ROOT).certificate])).parts


@given(st.lists(st.sampled_from(PARTS), max_size=8))
def test_nothing_is_lost(parts: list[object]) -> None:
    """Every certificate and key is in exactly one place."""
    contents = Contents(parts=tuple(parts))  # type: ignore[arg-type]
    found = assemble(contents)
    keys = [one.key for one in found.identities] + [one.key for one in found.bare_keys]
    assert sorted(set(map(id, keys))) == sorted(set(map(id, contents.keys)))
    placed = {one for each in found.identities for one in (*each.chain.chain, *each.older)}
    placed |= {*found.trusted, *(one for chain in found.lonely for one in chain.chain)}
    assert set(contents.certificates) - placed == set()
    assert attrs.asdict(found, recurse=False)


def test_many_keys_cost_little() -> None:
    """Hundreds of keys and certificates, and a heap of authorities of one name, are matched in a moment."""
    signer = make("seed").signer
    heap = [make("Same CA", authority=True, key_ids=False, signer=signer).certificate for _ in range(300)]
    pairs = [make(f"h{number}", ROOT) for number in range(300)]
    leaf = make("leaf", make("Same CA", authority=True, key_ids=False), key_ids=False).certificate
    contents = read_anything(write_pem([*heap, leaf, *(x for one in pairs for x in (one.certificate, one.key))]))
    start = time.process_time()
    assert len(assemble(contents).identities) == 300
    assert time.process_time() - start < 3
