"""The event, as a service sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs
from lxml import etree

from agent.errors import SenderError
from agent.event import BodyKind
from agent.event.apxml import Apxml, Token
from agent.event.apxmltext import apxml_of
from agent.event.charset import decide_codec, decode
from agent.event.xml import parse_xml
from agent.sdk.failures import RejectEvent
from agent.sdk.values import MAX_XML_DEPTH, local_name, text_of, to_properties

_XML = (BodyKind.XML, BodyKind.APXML)


@attrs.frozen(kw_only=True)
class Event:
    """One event, handed to `on_event`. It cannot be changed.

    What it says, read when first asked for: `xml` or `json`, `find`, `find_all`, `to_dict`, `text`, and `body`, the
    bytes as they were sent. Example, for `<event><host>db1</host><disk>sda</disk><disk>sdb</disk></event>`:

        event.find("host")      ->  "db1"
        event.find_all("disk")  ->  ["sda", "sdb"]
        event.to_dict()         ->  {"host": "db1", "disk": ["sda", "sdb"]}

    What is known about it:

    * `id`: the same in all attempts, in the log, in `iadmin event show`, and in the answer to the sender.
    * `attempt`: 1 the first time. More means that this event was begun before, and that it is not known how far the
      hook came then: a service that must not do a thing twice looks here.
    * `service`: `applications|sample-plan`.
    * `kind`: `xml` or `json`, or `apxml` for XML that is an APXML message.
    * `priority` (`normal` or `high`), `group`: events of one priority and process group come one at a time, in order
      of arrival.
    * `path`, `query`: what followed the service's name in the URL: `/sub/path` or nothing, and the text behind `?`.
    * `content_type`, `charset`: what the sender declared; the body was read by its bytes, not by these.
    * `received`: when it was stored (with time zone). `peer`: the address it came from.
    """

    id: str
    service: str
    received: datetime
    body: bytes = attrs.field(repr=False)
    kind: str = "xml"
    attempt: int = 1
    priority: str = "normal"
    group: str = ""
    path: str = ""
    query: str = ""
    content_type: str = ""
    charset: str | None = None
    peer: str = ""
    constants: Sequence[tuple[Token, bool]] = attrs.field(default=(), repr=False)
    """Of a message: the encrypted constants that it gets, and whether each takes the place of what is there."""

    @cached_property
    def apxml(self) -> Apxml:
        """The APXML message, with all constants of its service. Raises `RejectEvent` for an event that is none."""
        message = self.stored_apxml
        for token, is_overwriting in self.constants:
            if is_overwriting or token.key not in message:
                message = message.with_token(token)
        return message

    @cached_property
    def stored_apxml(self) -> Apxml:
        """The APXML message as it is stored, without the encrypted constants: so it may be told. Raises likewise."""
        if self.kind != BodyKind.APXML:
            raise RejectEvent(f"the event is {self.kind.upper()}, expected an APXML message")
        try:
            return apxml_of(self.xml)
        except SenderError as error:
            raise RejectEvent(error.sentence) from error

    @cached_property
    def xml(self) -> etree._Element:
        """The root element (lxml). Raises `RejectEvent` for an event that is JSON.

        The gateway refuses a DOCTYPE and limits depth and size, so no entity can be expanded here.
        """
        if self.kind not in _XML:
            raise RejectEvent(f"the event is {self.kind.upper()}, expected XML")
        try:
            return parse_xml(self.body, self.charset, max_depth=MAX_XML_DEPTH)
        except SenderError as error:
            raise RejectEvent(error.sentence) from error

    @cached_property
    def json(self) -> Any:
        """The JSON value. Raises `RejectEvent` for an event that is XML."""
        if self.kind != BodyKind.JSON:
            raise RejectEvent(f"the event is {self.kind.upper()}, expected JSON")
        try:
            # Bytes: json recognises UTF-8, UTF-16 and UTF-32, which is all that JSON may be written in.
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RejectEvent(f"the event is not JSON: {error}") from error

    @cached_property
    def text(self) -> str:
        """The body as text, in its own encoding. Raises `RejectEvent` where it does not fit that."""
        try:
            if self.kind in _XML:
                return decode(self.body, decide_codec(self.body, self.charset))
            return self.body.decode(json.detect_encoding(self.body))
        except (SenderError, UnicodeDecodeError) as error:
            raise RejectEvent(f"the event is not text: {error}") from error

    def find(self, path: str) -> str | None:
        """Return the text of the first element at `path`, or None when there is none.

        `path` holds names without namespaces from below the root, separated by `/`: `properties/city`. In JSON the
        names are keys, a list stands for all of its items, and a value that is no text is given as its JSON text.
        """
        return next(iter(self.find_all(path)), None)

    def find_all(self, path: str) -> Sequence[str]:
        """Return the texts of all elements at `path`, in document order. See `find`."""
        names = path.split("/")
        if self.kind == BodyKind.JSON:
            return [item if isinstance(item, str) else json.dumps(item) for item in _items_at(self.json, names)]
        return [text_of(element) for element in _elements_at(self.xml, names)]

    def to_dict(self) -> dict[str, Any]:
        """Return what stands below the root as a dict: for XML by `agent.sdk.values.to_properties`, JSON as it is.

        Raises `RejectEvent` for JSON that is no object. XML's texts stay text; see `guess_value` for their types.
        """
        if self.kind in _XML:
            return to_properties(self.xml)
        if not isinstance(self.json, dict):
            raise RejectEvent(f"the event is a JSON {type(self.json).__name__}, expected an object")
        return self.json


def _elements_at(root: etree._Element, names: Sequence[str]) -> list[etree._Element]:
    found = [root]
    for name in names:
        found = [child for parent in found for child in parent if _is_named(child, name)]
    return found


def _is_named(element: etree._Element, name: str) -> bool:
    # The tag of a comment or a processing instruction is a function.
    return isinstance(element.tag, str) and local_name(element.tag) == name


def _items_at(value: Any, names: Sequence[str]) -> list[Any]:
    found = _items(value)
    for name in names:
        found = [item for parent in found if isinstance(parent, dict) for item in _items(parent.get(name, []))]
    return found


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
