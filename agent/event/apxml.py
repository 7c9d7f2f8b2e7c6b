"""APXML, the messages of the original agent: a method, an optional subclass, and a flat list of tokens.

    <transaction>
      <header><method>add</method><subclass>event</subclass></header>
      <data><agent_client_id>applications|pumps</agent_client_id><pump>P-101</pump></data>
    </transaction>

`docs/apxml.rst` tells what the original's documentation leaves open and what was chosen: the attribute `type` of a
token, and `<transaction-id>` in the header. `agent.event.apxmltext` reads and writes the XML.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import Final

import attrs

CLIENT_ID: Final = "agent_client_id"
PRIORITY: Final = "apia_priority"
PROCESS_GROUP: Final = "apia_process_group"
PASSWORD: Final = "apia_password"
LIST_DELIMITER: Final = "-list-item-delimiter"

DROPPED: Final = frozenset({CLIENT_ID, "agent_application_id", PASSWORD, PRIORITY, PROCESS_GROUP, "apia_source"})
"""The reserved tokens that do not become properties of an event."""

MAX_KEY: Final = 256
"""Characters of a key: they are words."""

_START: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_REST: Final = _START + "\\-.0-9\u00b7\u0300-\u036f\u203f-\u2040"
_KEY: Final = f"[{_START}][{_REST}]*"
"""An element's name without a colon (XML 1.0, section 2.3; Namespaces in XML, section 3)."""
_NOT_FIRST: Final = f"[^{_START}]"
_NOT_REST: Final = f"[^{_REST}]"
_NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Sets of so many characters take 3 ms each to compile; an agent without APXML need not wait for them."""
    return re.compile(pattern)


class TokenType(enum.StrEnum):
    """What a token's text is: `AUTO` becomes a number where it looks like one."""

    AUTO = "auto"
    STRING = "string"
    NUMERIC = "numeric"


@attrs.frozen
class Token:
    """One key and its value. Raises `ValueError` for a key that is no element name; `token_key` makes it one.

    A value that is no text becomes one as `token_text` says.
    """

    key: str
    value: str = ""
    type: TokenType = TokenType.AUTO

    def __attrs_post_init__(self) -> None:
        if len(self.key) > MAX_KEY or not _compiled(_KEY).fullmatch(self.key):
            raise ValueError(f"{self.key[:80]!r} cannot be the key of a token, which is the name of an XML element")
        if not isinstance(self.value, str):
            object.__setattr__(self, "value", token_text(self.value))

    @property
    def is_number(self) -> bool:
        """Whether the value is to be taken for a number."""
        return self.type is not TokenType.STRING and is_number(self.value)


def _last_of_each(tokens: Iterable[Token]) -> tuple[Token, ...]:
    return tuple({token.key.lower(): token for token in tokens}.values())


@attrs.frozen(kw_only=True)
class Apxml:
    """One message. Keys differ by more than their case; of two equal ones in `tokens`, the later replaced the earlier.

    `transaction_id` is empty where the message has none.
    """

    method: str
    subclass: str = ""
    transaction_id: str = ""
    tokens: tuple[Token, ...] = attrs.field(default=(), converter=_last_of_each)

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._by_key

    def token(self, key: str) -> Token | None:
        """Return the token of that key, in whatever case it is written."""
        return self._by_key.get(key.lower())

    def value(self, key: str, default: str = "") -> str:
        """Return the value of a token, `default` where there is none."""
        token = self._by_key.get(key.lower())
        return default if token is None else token.value

    def items(self, key: str) -> tuple[str, ...]:
        """Return the values of a token that holds a list: split at `<key>-list-item-delimiter`, without blanks around.

        Without that token, or when it is empty, the whole value is the only item; an empty value has no items.
        """
        value, delimiter = self.value(key), self.value(key + LIST_DELIMITER)
        if not delimiter:
            return (value,) if value else ()
        return tuple(item for item in (piece.strip() for piece in value.split(delimiter)) if item)

    def with_token(self, token: Token) -> Apxml:
        """Return the message with this token: at the place of the one it replaces, else at the end."""
        return attrs.evolve(self, tokens=(*self.tokens, token))

    def without(self, *keys: str) -> Apxml:
        """Return the message without these tokens."""
        unwanted = {key.lower() for key in keys}
        return attrs.evolve(self, tokens=tuple(token for token in self.tokens if token.key.lower() not in unwanted))

    @cached_property
    def _by_key(self) -> Mapping[str, Token]:
        return {token.key.lower(): token for token in self.tokens}


def token_key(text: str) -> str:
    """Return `text` as a key: lower case, what an element's name cannot hold written as `_`. Raises `ValueError`
    where nothing is left, or too much."""
    key = _compiled(_NOT_REST).sub("_", text.strip().lower())
    if key and _compiled(_NOT_FIRST).match(key):
        key = f"_{key}"[:MAX_KEY]
    if not key or len(key) > MAX_KEY:
        raise ValueError(f"{text[:80]!r} cannot be the key of a token, which has 1 to {MAX_KEY} characters")
    return key


def token_text(value: object) -> str:
    """Return a value as the text of a token: nothing for None, `true` and `false`, numbers as they are, lists and dicts
    as JSON. Raises `TypeError` for anything else."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool() | list() | tuple() | dict():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return str(value)
    raise TypeError(f"the value of a token is a {type(value).__name__}, expected a text")


def is_number(text: str) -> bool:
    """Whether a text looks like a number: digits, with a sign, a decimal point and an exponent where there are any."""
    return bool(_NUMBER.fullmatch(text))
