"""Replies of a CA, joined to the key they were made for."""

from __future__ import annotations

import pytest

from keystoretools import ErrorCode, OperationError, PrivateKeyEntry
from keystoretools.reply import completed, join
from tests.keystoretools.authority import family, make


def entry(certificate: object = None) -> PrivateKeyEntry:
    """A key with a self-signed certificate, waiting for its reply."""
    leaf, _, _ = family()
    waiting = make("ia.example.com", signer=leaf.signer).certificate
    return PrivateKeyEntry(alias="server", key=leaf.key, chain=(waiting,))


def test_a_chain_in_any_order_is_put_in_order() -> None:
    """Root first, leaf last: joined as leaf, intermediate, root; the root is asked about."""
    leaf, middle, root = (one.certificate for one in family())
    joined = join(entry(), [root, leaf, middle, leaf], [])
    assert ((leaf, middle, root), root, None) == (joined.chain, joined.untrusted_top, joined.missing)


def test_a_trusted_root_is_not_asked_about() -> None:
    """The store has it: nothing to ask."""
    leaf, middle, root = (one.certificate for one in family())
    assert None is join(entry(), [leaf, middle, root], [root]).untrusted_top


def test_a_chain_without_its_root_is_completed_from_the_store() -> None:
    """Leaf and intermediate came; the root is trusted, and put behind them."""
    leaf, middle, root = (one.certificate for one in family())
    joined = join(entry(), [leaf, middle], [root])
    assert ((leaf, middle, root), None, None) == (joined.chain, joined.untrusted_top, joined.missing)


def test_a_single_certificate_needs_trusted_issuers() -> None:
    """With them it is completed, without them refused by the name of the missing one."""
    leaf, middle, root = (one.certificate for one in family())
    assert (leaf, middle, root) == join(entry(), [leaf], [root, middle]).chain
    with pytest.raises(OperationError, match="CN=Test Issuing") as caught:
        join(entry(), [leaf], [root])
    assert ErrorCode.CHAIN_INCOMPLETE is caught.value.code


def test_a_gap_is_reported() -> None:
    """Leaf and root without the intermediate: kept as keytool keeps them, and named."""
    leaf, middle, root = (one.certificate for one in family())
    joined = join(entry(), [leaf, root], [])
    assert ((leaf, root), (root,)) == (joined.chain, joined.unrelated)
    assert joined.missing is not None and middle.subject == joined.missing.name


def test_a_reply_for_another_key_is_refused() -> None:
    """Both keys are in the sentence, so that somebody can find the right entry."""
    other = make("other.example.com").certificate
    with pytest.raises(OperationError, match="answers another request") as caught:
        join(entry(), [other], [])
    assert ErrorCode.KEY_DOES_NOT_MATCH is caught.value.code


def test_the_same_certificate_again_is_refused() -> None:
    """Nothing would change."""
    waiting = entry()
    with pytest.raises(OperationError, match="already"):
        join(waiting, [waiting.chain[0]], [])


def test_a_certificate_of_a_trusted_issuer_is_trusted() -> None:
    """keytool adds it without asking; one that leads nowhere is asked about."""
    leaf, middle, root = (one.certificate for one in family())
    assert (leaf, middle, root) == completed(leaf, [middle, root])
    assert None is completed(leaf, [root])
