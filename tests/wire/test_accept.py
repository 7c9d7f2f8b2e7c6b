"""The form in which a sender wants its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.accept import wants_xml


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        (b"", False),
        (b"*/*", False),
        (b"application/xml", True),
        (b"text/xml", True),
        (b"TEXT/XML; q=0.2", True),
        (b"application/json, application/xml", False),
        (b"application/json;q=0.5, application/xml", True),
        (b"application/json;q=0.5, application/xml;q=0.4", False),
        (b"application/xml;q=0", False),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        (b"text/*", False),
        (b"text/*, application/json;q=0.1", False),
        (b"application/problem+xml", True),
        (b"application/xml;q=nonsense", False),
        (b"application/xml;q=7", False),
    ],
)
def test_quality_decides_and_json_wins_a_draw(accept: bytes, xml: bool) -> None:
    """The better quality wins; JSON wins a draw and whatever cannot be understood."""
    assert xml == wants_xml(accept)


@given(st.binary(max_size=80))
def test_never_raises(accept: bytes) -> None:
    """A header that makes no sense is no reason to fail: the event is stored by then."""
    assert wants_xml(accept) in (True, False)
