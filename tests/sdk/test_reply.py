"""agent.sdk.reply: answers to the platform."""

from __future__ import annotations

import json

import pytest

from agent.sdk import Apxml, RejectEvent, Token, is_property_request, property_reply


def test_reply_to_a_request_for_properties() -> None:
    """Method RESPONSE, high priority, the request's id and the values as JSON text."""
    request = Apxml(method="REQUEST", transaction_id="9", tokens=(Token("xmattersrebrequestuuid", "u-1"),))
    reply = property_reply(request, {"city": ["Victoria", "Bürs"]})

    assert ("RESPONSE", "9") == (reply.method, reply.transaction_id)
    assert [
        ("apia_priority", "high"),
        ("xmattersRebRequestUuid", "u-1"),
        ("additionalTokens", '{"city": ["Victoria", "Bürs"]}'),
    ] == [(token.key, token.value) for token in reply]
    assert {"city": ["Victoria", "Bürs"]} == json.loads(reply.value("additionaltokens"))


def test_what_asks_for_no_properties() -> None:
    """A reply to it would go to nobody."""
    other = Apxml(method="OK")

    assert not is_property_request(other)
    with pytest.raises(RejectEvent, match="no token xmattersrebrequestuuid"):
        property_reply(other, {})
