"""chain: any heap of certificates becomes leaf, issuer, issuer; what is missing has a name."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import Certificate
from keystoretools.chain import is_self_signed, order
from tests.keystoretools.authority import Made, family, make

LEAF, MIDDLE, ROOT = (one.certificate for one in family())


@pytest.mark.parametrize("given_order", list(itertools.permutations([LEAF, MIDDLE, ROOT])))
def test_any_order_gives_the_chain(given_order: tuple[Certificate, ...]) -> None:
    """Leaf first, root last; only leaf, issuer, root counts as being in order."""
    found = order(given_order)
    assert (found.chain, found.missing_issuer, found.leftovers) == ((LEAF, MIDDLE, ROOT), None, ())
    assert found.was_in_order == (given_order == (LEAF, MIDDLE, ROOT))
    assert found.root_included and found.is_complete


def test_a_missing_intermediate_is_named() -> None:
    """The gap has the issuer's name, its key identifier and where to fetch it; the root is left over."""
    found = order([ROOT, LEAF])
    assert found.chain == (LEAF,)
    assert found.leftovers == (ROOT,)
    assert found.missing_issuer is not None
    assert found.missing_issuer.name.text() == "CN=Test Issuing"
    assert found.missing_issuer.key_id == MIDDLE.subject_key_id
    assert found.missing_issuer.urls == ("http://ca.example/issuing.cer",)


def test_duplicates_and_strangers() -> None:
    """A certificate given twice counts once; one of another family is left over."""
    stranger = make("other.example.com").certificate
    found = order([LEAF, stranger, LEAF, MIDDLE, ROOT, ROOT])
    assert (found.chain, found.leftovers) == ((LEAF, MIDDLE, ROOT), (stranger,))


def test_authorities_of_one_name_are_told_apart_by_signature() -> None:
    """Without key identifiers only the signature says which of two issuers of one name it was."""
    one = make("Same CA", authority=True, key_ids=False)
    two = make("Same CA", authority=True, key_ids=False, days=4000)
    leaf = make("leaf.example.com", one, key_ids=False).certificate
    assert order([two.certificate, leaf, one.certificate]).chain == (leaf, one.certificate)


def test_a_wrong_issuer_of_the_right_name_does_not_count() -> None:
    """An authority that was made anew with another key did not issue the old certificates."""
    one, two = (make("Same CA", authority=True) for _ in range(2))
    leaf = make("leaf.example.com", one).certificate
    found = order([leaf, two.certificate])
    assert (found.chain, found.leftovers) == ((leaf,), (two.certificate,))


def test_the_key_chooses_the_leaf() -> None:
    """With a key the chain starts at its newest certificate, one of an authority before a self-signed one."""
    leaf, middle, root = family()
    own = make("ia.example.com", signer=leaf.signer).certificate
    other = make("zz.example.com", middle).certificate
    found = order([other, own, ROOT, LEAF, MIDDLE], key=leaf.key.public_key)
    assert (found.chain, found.leftovers) == ((LEAF, MIDDLE, ROOT), (other, own))
    assert order([other], key=root.key.public_key).chain == ()


def test_circles_end() -> None:
    """Two authorities that issued each other do not loop."""
    one, two = make("A", authority=True, key_ids=False), make("B", authority=True, key_ids=False)
    crossed_one = _crossed("A", one, two)
    crossed_two = _crossed("B", two, one)
    assert len(order([crossed_one, crossed_two]).chain) == 2


def _crossed(common: str, owner: Made, by: Made) -> Certificate:
    return make(common, by, signer=owner.signer, authority=True, key_ids=False).certificate


def test_self_signed() -> None:
    """Roots are, leaves and intermediates are not, nor is what cannot be read."""
    assert [is_self_signed(one) for one in (LEAF, MIDDLE, ROOT, Certificate(b"0"))] == [False, False, True, False]


@given(st.lists(st.sampled_from([LEAF, MIDDLE, ROOT, Certificate(b"\x30\x03abc"), Certificate(b"")]), max_size=8))
def test_nothing_is_lost(certificates: list[Certificate]) -> None:
    """Every certificate is in the chain or left over, once."""
    found = order(certificates)
    assert sorted({one.der for one in certificates}) == sorted(one.der for one in found.chain + found.leftovers)
