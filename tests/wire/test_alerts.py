"""What the TLS alert of a far end means."""

from __future__ import annotations

import pytest

from agent.wire.alerts import MEANINGS, meaning_of


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("tlsv13 alert certificate required", "wants a client certificate"),
        ("tls alert handshake failure", "or wants a client certificate"),
        ("sslv3 alert handshake failure", "or wants a client certificate"),
        ("tlsv1 alert unknown ca", "who issued our client certificate"),
        ("ssl/tls alert certificate expired", "our client certificate has expired"),
        ("ssl/tls alert bad certificate", "does not accept our client certificate"),
        ("tlsv1 alert protocol version", "no TLS 1.2 or newer"),
        ("tlsv1 unrecognized name", "no host of this name"),
    ],
)
def test_all_spellings_of_openssl_are_known(reason: str, words: str) -> None:
    """Each version has put other words before them."""
    meaning = meaning_of(reason)
    assert meaning is not None
    assert words in meaning.sentence
    assert meaning.cure


def test_no_meaning_hides_another() -> None:
    """The first that fits counts, so none may be the end of another; what is no alert has none."""
    assert [] == [(one, other) for one in MEANINGS for other in MEANINGS if one != other and one.endswith(other)]
    assert meaning_of("wrong version number") is None
