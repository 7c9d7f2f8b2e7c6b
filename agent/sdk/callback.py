"""News from the platform about an event: its status, a delivery, somebody's response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from agent.errors import SenderError
from agent.event.apxml import Apxml
from agent.event.xml import parse_xml
from agent.sdk.values import MAX_XML_DEPTH, guess_value, local_name, text_of

TYPE: Final = "xmatters_callback_type"
MAPS: Final = ("additionaltokens", "eventproperties")
"""Fields that hold names and values: a Java map as XML, a JSON object, or a list of such objects."""
_ORDER: Final = ("comparator", "no-comparator")
"""What a sorted map of Java says about its order; no entries."""


@attrs.frozen
class Callback(Mapping[str, Any]):
    """What `on_callback` is given: a mapping of what the platform said, with the names in lower case.

    The fields in use are there as attributes, too, empty where the platform left them out: `type` (`status`,
    `deliveryStatus` or `response`), `eventidentifier`, `incident_id`, `status`, `deliverystatus`, `recipient`,
    `device`, `response`, `annotation`, `message`, `username`, `date`; `eventproperties` and `additionaltokens` are
    dicts. Example:

        def on_callback(message):
            if message.type == "response":
                context.send("tickets", json={"event": message.eventidentifier, "text": message.response})
    """

    _fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    @property
    def type(self) -> str:
        """`status`, `deliveryStatus`, `response`, or what else the platform calls it."""
        return str(self._fields.get(TYPE, ""))

    def __getattr__(self, name: str) -> Any:
        if name in MAPS:
            return self._fields.get(name, {})
        if name in NAMES:
            return self._fields.get(name, "")
        raise AttributeError(f"a callback has no {name!r}; its fields are {', '.join((*NAMES, *MAPS))}")


NAMES: Final = (
    "eventidentifier",
    "incident_id",
    "status",
    "deliverystatus",
    "recipient",
    "device",
    "response",
    "annotation",
    "message",
    "username",
    "date",
)


def callback_of(what: Apxml | Mapping[str, Any], *, note: Callable[[str], None] = lambda _: None) -> Callback:
    """Return the callback that a message holds, or a JSON object. `note` is told of maps that cannot be read."""
    pairs = ((token.key, token.value) for token in what) if isinstance(what, Apxml) else what.items()
    fields: dict[str, Any] = {str(name).lower(): value for name, value in pairs}
    if fields.get("annotation") in ("null", None) and "annotation" in fields:
        fields["annotation"] = ""
    for name in MAPS:
        if name in fields:
            fields[name] = _map(fields[name], name, note)
    return Callback(fields)


def is_callback(message: Apxml) -> bool:
    """Whether a message of the platform is news about an event."""
    return TYPE in message


def _map(value: Any, name: str, note: Callable[[str], None]) -> dict[str, Any]:
    text = value.strip() if isinstance(value, str) else ""
    if value is None or (isinstance(value, str) and text in ("", "null")):
        return {}
    try:
        return _java_map(text, name, note) if text.startswith("<") else _json_map(guess_value(text) if text else value)
    except ValueError as error:
        note(f"{name} cannot be read and is left empty: {error}")
        return {}


def _json_map(found: Any) -> dict[str, Any]:
    """An object, or a list of objects that each hold some of the names: the platform writes both."""
    if isinstance(found, dict):
        return found
    if isinstance(found, list) and all(isinstance(part, dict) for part in found):
        return {name: value for part in found for name, value in part.items()}
    raise ValueError(f"{found!r:.80} is neither XML nor a JSON object")


def _java_map(text: str, name: str, note: Callable[[str], None]) -> dict[str, Any]:
    """Read a map as XStream writes it: `<map><entry><string>name</string><string>value</string></entry>...</map>`, or
    `<properties><property name=".." value=".."/></properties>`. All values are texts; `<null/>` is an empty one.

    What else stands in it is passed over and told: one strange entry must not take the others along.
    """
    try:
        root = parse_xml(text.encode(), "utf-8", max_depth=MAX_XML_DEPTH)
    except SenderError as error:
        raise ValueError(error.sentence) from error
    found: dict[str, Any] = {}
    for entry in root:
        if not isinstance(entry.tag, str) or local_name(entry.tag) in _ORDER:
            continue
        pair = [part for part in entry if isinstance(part.tag, str)]
        if local_name(entry.tag) == "property" and entry.get("name"):
            found[str(entry.get("name"))] = entry.get("value", "")
        elif len(pair) == 2:
            found[text_of(pair[0])] = text_of(pair[1])
        else:
            note(f"{name}: <{local_name(entry.tag)}> is no entry with a name and a value, and is left out")
    return found
