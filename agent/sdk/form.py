"""The form: an event as the platform takes it, and how it comes from what a management system said.

{"properties": {"pump": "P-101", "severity": "high"}, "recipients": "oncall-pumps", "priority": "high",
 "responses": [..], "conferences": [..], "callbacks": [{"url": "ia://pumps", "type": "status", "iaId": "plant7"}]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from agent.event.apxml import DROPPED, LIST_DELIMITER, Apxml
from agent.sdk.event import Event
from agent.sdk.failures import WrongReturn
from agent.sdk.values import guess_value

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {"conferences": "xmconferences", "priority": "xmpriority", "recipients": "recipients", "responses": "xmresponses"}
)
"""Fields beside the properties, and the tokens that they come from; `remapped_data` names others."""

CALLBACK_KINDS: Final = ("status", "deliveryStatus", "response")
"""What the platform sends news of."""


@attrs.define(kw_only=True)
class Form:
    """An event on its way to the platform; `on_event(form)` changes it and returns it, or returns None to drop it.

    `properties` are the values of the plan's form. `recipients`, `priority`, `responses` and `conferences` are as the
    sender wrote them, None where it did not. `callbacks` says what the platform shall tell the service later. `event`
    is what the form was made from; changing the form does not change it. Example:

        def on_event(form):
            form.properties["site"] = "plant-7"
            form.recipients = [{"targetName": "oncall-pumps"}]
            return form
    """

    properties: dict[str, Any] = attrs.field(factory=dict)
    recipients: Any = None
    priority: Any = None
    responses: Any = None
    conferences: Any = None
    callbacks: list[dict[str, str]] = attrs.field(factory=list)
    event: Event | None = attrs.field(default=None, repr=False, eq=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what is posted: the properties, and what else there is."""
        fields = {name: getattr(self, name) for name in (*FIELDS, "callbacks")}
        return {"properties": self.properties, **{name: value for name, value in fields.items() if _is_said(value)}}


def callbacks_for(kinds: Iterable[str], *, service: str, agent_id: str) -> list[dict[str, str]]:
    """Return the `callbacks` of a form: one for each kind of news.

    `service` is an agent client id; the platform knows services by their name alone. The agent's id is always given:
    without it, the platform drops what it cannot deliver at once.
    """
    name = service.rpartition("|")[2]
    return [{"url": f"ia://{name}", "type": kind, "iaId": agent_id} for kind in kinds]


def form_of(
    what: Apxml | Event, *, remapped: Mapping[str, str] = FIELDS, note: Callable[[str], None] = lambda _: None
) -> Form:
    """Return the form of a message or of an event.

    Of a message, four tokens are fields and the others properties, with their keys in lower case; tokens that are about
    the message's road are left out. Of an event, `properties` are its properties where it has such an element or key,
    otherwise everything that is no field. Texts get the types that their sender wrote into them (`guess_value`). A
    token with a `-list-item-delimiter` is a list. `note` is told of texts that look like JSON and are none.
    """
    if isinstance(what, Apxml):
        found: dict[str, Any] = {key: _typed(value, key, note) for key, value in _tokens(what)}
        event = None
    else:
        event = what
        said = what.to_dict()
        inner = said.get("properties")
        found = {name: _typed(value, name, note) for name, value in said.items()}
        if isinstance(inner, dict):
            properties = found.pop("properties")
            fields = {name: _pop(found, name, token) for name, token in _choice(remapped)}
            return Form(properties=properties, event=event, **fields)
    fields = {name: _pop(found, name if event else token, token) for name, token in _choice(remapped)}
    return Form(properties=found, event=event, **fields)


def choice_of(returned: object) -> Mapping[str, str]:
    """Check what `remapped_data` returned: tokens by field; what it leaves out keeps its default.

    Raises `WrongReturn`.
    """
    if not isinstance(returned, Mapping):
        raise WrongReturn(
            f"remapped_data returned {returned!r:.80}, expected a dict such as {{'priority': 'severity'}}"
        )
    for field, token in returned.items():
        if field not in FIELDS:
            raise WrongReturn(f"remapped_data names the field {field!r:.80}, expected one of {', '.join(FIELDS)}")
        if not isinstance(token, str) or not token:
            raise WrongReturn(f"remapped_data gives {token!r:.80} for {field}, expected the name of a token")
    return {**FIELDS, **{field: token.lower() for field, token in returned.items()}}


def posted(returned: object, form: Form) -> dict[str, Any] | None:
    """What `on_event(form)` wants to be posted: a form or a dict, `True` for the form itself, else nothing.

    Raises `WrongReturn` for anything that is neither.
    """
    if isinstance(returned, Form):
        return returned.to_dict()
    if isinstance(returned, dict):
        return returned or None
    if returned is True:
        return form.to_dict()
    if not returned:
        return None
    raise WrongReturn(f"on_event returned a {type(returned).__name__}, expected the form, a dict or None")


def _choice(remapped: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return iter({**FIELDS, **remapped}.items())


def _tokens(message: Apxml) -> Iterator[tuple[str, Any]]:
    for token in message:
        key = token.key.lower()
        if key in DROPPED or key.endswith(LIST_DELIMITER):
            continue
        is_list = bool(message.value(key + LIST_DELIMITER))
        yield key, list(message.items(key)) if is_list else token.value


def _typed(value: Any, name: str, note: Callable[[str], None]) -> Any:
    if isinstance(value, dict):
        return {key: _typed(part, key, note) for key, part in value.items()}
    if isinstance(value, list):
        return [_typed(part, name, note) for part in value]
    if not isinstance(value, str):
        return value
    guessed = guess_value(value)
    if guessed is value and value[:1] + value[-1:] in ("[]", "{}"):
        note(f"the value of {name} looks like JSON and is none, so it is taken as text: {value[:200]}")
    return guessed


def _pop(found: dict[str, Any], name: str, token: str) -> Any:
    """Take a field out of what was said, under its own name or that of its token; None where it is nowhere."""
    return next((found.pop(key) for key in (token, name) if key in found), None)


def _is_said(value: Any) -> bool:
    return value is not None and value not in ("", [])
