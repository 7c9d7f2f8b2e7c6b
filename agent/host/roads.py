"""Which hook an event is for, and what is made of what the hook returns. Runs in the worker process.

    comes from the platform   news: `on_callback`, or else `on_response`; everything else: `on_response`
    an APXML message          `on_input`, or else `on_event`
    every other event         `on_event`

From the platform comes what was posted to the service's own URL (its path is `/response`), and a message with tokens
that only the platform writes. `on_event` takes a `Form` where its parameter says so, by its name (`form`) or its type,
otherwise the `Event`; then it also gets what no other hook is there for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from agent.event import BodyKind
from agent.event.apxml import Apxml
from agent.sdk.callback import callback_of, is_callback
from agent.sdk.context import Call, context
from agent.sdk.event import Event
from agent.sdk.failures import RejectEvent, WrongReturn
from agent.sdk.form import CALLBACK_KINDS, FIELDS, Form, callbacks_for, choice_of, form_of, posted
from agent.sdk.reply import is_property_request
from agent.sdk.xmio import xmio

PLATFORM_PATHS: Final = frozenset({"/response", "/callback"})
"""What follows the service's name in the URL where the platform posts; the first stands for the service's own URL."""

Hook: TypeAlias = Callable[..., Any]


@attrs.frozen
class Road:
    """A hook, what it is called with, and what is done with what it returns. Without a hook: why there is none."""

    hook: str
    argument: Any = None
    then: Callable[[Any], None] = lambda _: None
    nobody: str = ""


class Roads:
    """The hooks of one service, and who is called for what. `finished` waits for what an `async` hook returns."""

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        *,
        settings: Mapping[str, Any],
        finished: Callable[[Any], Any],
        collected: Callable[[], Call | None] = lambda: None,
    ) -> None:
        self._hooks = hooks
        self._finished = finished
        self._collected = collected
        self._kinds = callback_kinds(settings.get("CALLBACKS", ()))
        self._takes_form = "on_event" in hooks and takes_form(hooks["on_event"])
        self._is_plain = not ({"on_input", "on_response", "on_callback"} & hooks.keys() or self._takes_form)

    def find(self, event: Event) -> Road:
        """Return the road of an event. Raises `RejectEvent` for one that cannot be read, or that no hook takes."""
        if self._is_plain:
            return self._to_event(event)
        message = _message_in(event)
        if self.is_platforms(event):
            return self._from_platform(event, message)
        if message is not None and "on_input" in self._hooks:
            return Road("on_input", message, lambda returned: send_reply("on_input", returned))
        if self._takes_form:
            return self._to_form(event, message)
        return self._to_event(event)

    def is_platforms(self, event: Event) -> bool:
        """Whether the platform has posted it, to a service that takes such. Raises `RejectEvent` as `find` does."""
        if self._is_plain:
            return False
        if event.path in PLATFORM_PATHS:
            return True
        message = _message_in(event)
        return message is not None and is_from_platform(message)

    def _to_event(self, event: Event) -> Road:
        if "on_event" not in self._hooks:
            kinds = "APXML messages" if "on_input" in self._hooks else "what the platform posts"
            raise RejectEvent(f"the service defines no on_event: it takes {kinds} only")
        return Road("on_event", event)

    def _to_form(self, event: Event, message: Apxml | None) -> Road:
        remapped: Mapping[str, str] = FIELDS
        if "remapped_data" in self._hooks:
            remapped = choice_of(self._finished(self._hooks["remapped_data"]()))
        form = form_of(event if message is None else message, remapped=remapped, note=context.log.debug)
        form.event = event
        form.callbacks = callbacks_for(self._kinds, service=event.service, agent_id=context.agent_id)

        def post(returned: Any) -> None:
            said = posted(returned, form)
            if said is not None:
                try:
                    xmio.post(said)
                except (TypeError, ValueError) as error:
                    raise WrongReturn(f"what on_event returned cannot be posted: {error}") from error
                return
            call = self._collected()
            if call is None or not call.requests:
                context.log.info("on_event returned %r, so nothing is sent", returned)

        return Road("on_event", form, post)

    def _from_platform(self, event: Event, message: Apxml | None) -> Road:
        said: Apxml | Mapping[str, Any] = event.to_dict() if message is None else message
        is_news = message is None or is_callback(message)
        if is_news and "on_callback" in self._hooks:
            return Road("on_callback", callback_of(said, note=context.log.warning))
        if message is not None and "on_response" in self._hooks:
            return Road("on_response", message, lambda returned: send_reply("on_response", returned))
        if "on_event" in self._hooks and not self._takes_form:
            return Road("on_event", event)
        return Road("", nobody=_nobody(message))


def callback_kinds(value: object) -> tuple[str, ...]:
    """Check the script's `CALLBACKS`. Raises `ValueError` or `TypeError`."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"CALLBACKS is {value!r:.80}, expected a list such as ['status', 'response']")
    for kind in value:
        if kind not in CALLBACK_KINDS:
            raise ValueError(f"CALLBACKS holds {kind!r:.80}, expected {', '.join(CALLBACK_KINDS)}")
    return tuple(value)


def takes_form(hook: Hook) -> bool:
    """Whether `on_event` wants the form: its parameter has that type, or that name and not the type `Event`."""
    try:
        first = next(iter(inspect.signature(hook).parameters.values()), None)
    except (ValueError, TypeError):
        return False
    if first is None:
        return False
    # With `from __future__ import annotations` the type is its own text.
    kind = first.annotation.strip().rpartition(".")[2] if isinstance(first.annotation, str) else first.annotation
    return kind in (Form, "Form") or (first.name == "form" and kind not in (Event, "Event"))


def is_from_platform(message: Apxml) -> bool:
    """Whether a message has the tokens that only the platform writes."""
    return (
        is_callback(message)
        or is_property_request(message)
        or message.value("apia_source").lower().startswith("xmatters")
    )


def send_reply(hook: str, returned: object) -> None:
    """Send the message that `on_input` or `on_response` returned. Raises `WrongReturn` for anything else."""
    if returned is None or returned is False:
        return
    if not isinstance(returned, Apxml):
        raise WrongReturn(f"{hook} returned a {type(returned).__name__}, expected an Apxml or None")
    context.send_apxml(returned)


def _message_in(event: Event) -> Apxml | None:
    return event.apxml if event.kind == BodyKind.APXML else None


def _nobody(message: Apxml | None) -> str:
    if message is None or is_callback(message):
        return "the service has no on_callback for what the platform tells; it is dropped"
    code = message.value("error_code")
    said = f"the platform answered {message.method}" + (f" with error code {code}" if code else "")
    return f"{said}; the service has no on_response for it, so it is dropped"
