"""From what a sender submits to the message a service gets: mapped input and constants of its descriptor. Pure.

A management system sends values, `["applications|pumps", "P-101", "high"]`; the descriptor says which tokens they are.
Whoever takes them in, the service gateway or the pick-up of what `apclient` has left in the home, does it with the
`InputRules` of the service, so that the same event is stored either way. Encrypted constants are not part of that: what
is stored must not hold secrets, so the host adds them with `add_constants` when it hands the message over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Protocol

import attrs
from lxml import etree

from agent.config.model import NO_CONSTANTS, Constant, MappedInput, ServiceConfig, ValueType
from agent.errors import SenderError
from agent.event import BodyKind, Event, Priority
from agent.event.apxml import (
    CLIENT_ID,
    PASSWORD,
    PRIORITY,
    PROCESS_GROUP,
    Apxml,
    Token,
    TokenType,
    is_number,
    token_key,
)
from agent.event.apxmltext import apxml_of, is_apxml, write_apxml
from agent.event.body import BodyReader
from agent.names import ServiceName
from agent.wire.marks import MAX_GROUP_BYTES

VALUES: Final = "map-data"
"""The only member of the JSON object in which values are sent."""

CONTENT_TYPE: Final = "application/xml"
READABLE_GROUP: Final = 64
"""Characters that are left of a process group that is too long, or that cannot be printed."""


class Valued(Protocol):
    """A constant, its value at hand: `agent.config.model.Constant`, or an encrypted one that was decrypted."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def type(self) -> ValueType: ...

    @property
    def overwrite(self) -> bool: ...


@attrs.frozen(kw_only=True)
class Submission:
    """A message that was taken in: as it is to be stored, and what it says about its place in the order.

    `priority` and `group` are None where the message does not say.
    """

    body: bytes
    priority: Priority | None
    group: str | None

    def put_into(self, event: Event) -> Event:
        """Return the event with this message in it. What the message says about its order wins over the transport."""
        return event._replace(
            body=self.body,
            kind=BodyKind.APXML,
            content_type=CONTENT_TYPE,
            charset=None,
            priority=event.priority if self.priority is None else self.priority,
            group=event.group if self.group is None else self.group,
        )


@attrs.frozen(kw_only=True)
class InputRules:
    """What a descriptor says about the messages of its service."""

    service: ServiceName
    mapped: MappedInput | None = None
    constants: tuple[Constant, ...] = ()

    @classmethod
    def of(cls, service: ServiceConfig) -> InputRules:
        return cls(service=service.name, mapped=service.mapped_input, constants=service.constants)

    def take_values(self, values: Sequence[str]) -> Submission:
        """Map the values of a command line; raise `SenderError` 400 where the descriptor cannot."""
        return self._take(self._map(values))

    def take_message(self, message: Apxml) -> Submission:
        """Take a ready-made message; raise `SenderError` 400 for one that is for another service."""
        named = message.value(CLIENT_ID)
        if named and client_id(named) != self.service.client_id:
            raise _refused(
                "other-service",
                f"The token {CLIENT_ID} is {named[:80]!r}, but the message was sent to {self.service.client_id}. Send "
                "it to the service that it names.",
            )
        return self._take(message.with_token(Token(CLIENT_ID, self.service.client_id)))

    def _map(self, values: Sequence[str]) -> Apxml:
        if not values or client_id(values[0]) != self.service.client_id:
            found = repr(values[0][:80]) if values else "missing"
            raise _refused(
                "other-service",
                f"The first value is {found}, but the values were sent to {self.service.client_id}. The first value is "
                'the name of the service, "domain|name".',
            )
        if self.mapped is None:
            raise _refused(
                "no-mapped-input",
                f"The descriptor of {self.service.client_id} has no <mapped-input>, so nothing says what the "
                f"{len(values) - 1} values mean. Add it to the descriptor, or send a ready-made message.",
            )
        tokens = [Token(CLIENT_ID, self.service.client_id)]
        for parameter, value in zip(self.mapped.parameters, values[1:], strict=False):
            token = token_of(parameter.name, value, parameter.type)
            if token.key != CLIENT_ID:  # that is the first value, whatever a parameter is called
                tokens.append(token)
        return Apxml(method=self.mapped.method, subclass=self.mapped.subclass, tokens=tuple(tokens))

    def _take(self, message: Apxml) -> Submission:
        # Who is meant is known by now, and the submitter's password has done its work: no constant brings it back.
        constants = [each for each in self.constants if each.name.lower() not in NO_CONSTANTS]
        whole = add_constants(message.without(PASSWORD), constants)
        return Submission(body=write_apxml(whole), priority=_priority(whole), group=_group(whole))


def add_constants(message: Apxml, constants: Iterable[Valued]) -> Apxml:
    """Return the message with these constants: added where the token is absent, replaced where they overwrite."""
    tokens = list(message.tokens)
    for constant in constants:
        token = token_of(constant.name, constant.value, constant.type)
        if constant.overwrite or token.key not in message:
            tokens.append(token)
    return attrs.evolve(message, tokens=tuple(tokens))


def client_id(text: str) -> str:
    """Return the service that a command line names as `domain|name`. Shells leave `^` or a backslash before the bar;
    without a bar, domain and name are the same."""
    domain, bar, name = text.replace("^|", "|").replace("\\|", "|").strip().partition("|")
    return f"{domain}|{name}" if bar else f"{domain}|{domain}"


def take_submission(reader: BodyReader, body: bytes, charset: str | None, rules: InputRules) -> Submission:
    """Take in the body of a submission: an APXML message, or values as JSON. Raises `SenderError` 400 or 415."""
    kind, root = reader.read(body, charset)
    if kind is BodyKind.XML and root is not None:
        return rules.take_message(apxml_of(root))
    return rules.take_values(_values(body))


def take_if_apxml(root: etree._Element | None, rules: InputRules) -> Submission | None:
    """Take in an event that turns out to be an APXML message; None for every other one."""
    return rules.take_message(apxml_of(root)) if root is not None and is_apxml(root) else None


def _values(body: bytes) -> Sequence[str]:
    try:
        found = json.loads(body)
    except ValueError:  # written in a charset that JSON does not have
        found = None
    match found:
        case {"map-data": [*values]} if len(found) == 1 and all(isinstance(value, str) for value in values):
            return values
    raise _refused(
        "bad-values",
        f'The JSON is not {{"{VALUES}": ["domain|name", "value", ..]}} with nothing but texts in it. Send that, or an '
        "APXML message.",
    )


def token_of(name: str, value: str, kind: ValueType) -> Token:
    """Return a value as a token. A numeric one that is no number becomes a string: an alarm must not be lost over an
    empty column."""
    is_text = kind is ValueType.STRING or (kind is ValueType.NUMERIC and not is_number(value))
    return Token(token_key(name), value, TokenType.STRING if is_text else TokenType(kind.value))


def _priority(message: Apxml) -> Priority | None:
    """`high`, or else normal: an unknown priority must not keep an alarm back."""
    said = message.value(PRIORITY).strip().lower()
    return (Priority.HIGH if said == "high" else Priority.NORMAL) if said else None


def _group(message: Apxml) -> str | None:
    """The group, any text in the original. One that no queue here can be named with is written in another way: equal
    ones stay equal, different ones different, and no alarm is lost over it."""
    group = message.value(PROCESS_GROUP).strip()
    if not group:
        return None
    octets = group.encode("utf-8", "replace")
    if len(octets) <= MAX_GROUP_BYTES and group.isprintable():
        return group
    readable = "".join(c if c.isprintable() and c.isascii() else "_" for c in group[:READABLE_GROUP])
    return f"{readable}~{sha256(octets).hexdigest()[:16]}"


def _refused(code: str, sentence: str) -> SenderError:
    return SenderError(code, sentence, status=400, title="The submission cannot be taken")
