"""Answers to the platform as APXML: the values of a form's fields, for one who is filling it in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from agent.event.apxml import PRIORITY, Apxml, Token, TokenType
from agent.sdk.failures import RejectEvent

UUID: Final = "xmattersrebrequestuuid"

RESPONSE: Final = "RESPONSE"
"""The original's documentation has the name of this method, not its spelling; compared without regard to case."""


def is_property_request(message: Apxml) -> bool:
    """Whether the platform asks for the values of integrated properties."""
    return UUID in message


def property_reply(request: Apxml, values: Mapping[str, Any]) -> Apxml:
    """Return the answer to a request for integrated properties: `values` by the names of the form's fields.

    `on_response` returns it. Raises `RejectEvent` for a message that is no such request. Example:

        def on_response(apxml):
            if is_property_request(apxml):
                return property_reply(apxml, {"city": ["Victoria", "London"]})
    """
    uuid = request.value(UUID)
    if not uuid:
        raise RejectEvent(f"the message asks for no integrated properties: it has no token {UUID}")
    return Apxml(
        method=RESPONSE,
        subclass=request.subclass,
        transaction_id=request.transaction_id,
        tokens=(
            Token(PRIORITY, "high", TokenType.STRING),
            Token("xmattersRebRequestUuid", uuid, TokenType.STRING),
            Token("additionalTokens", json.dumps(dict(values), ensure_ascii=False, allow_nan=False), TokenType.STRING),
        ),
    )
