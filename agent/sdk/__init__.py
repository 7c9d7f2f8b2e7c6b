"""What an integration service may import: `from agent.sdk import context, RejectEvent, ...`. Nothing else is promised.

A service is one Python file with functions of these names, plain or `async`; at least one of those with an argument:

    def on_event(event: Event) -> None            each event, after its sender was answered
    def on_event(form: Form)                      the same as the platform takes it; what it returns is posted
    def on_input(apxml: Apxml)                    each APXML message; a message that it returns is sent
    def on_response(apxml: Apxml)                 answers and requests of the platform; likewise
    def on_callback(message: Callback)            news of the platform about an event
    def on_http(request: HttpRequest)             answers the sender itself; returns an HttpResponse, or None
    def remapped_data()                           which tokens become fields of the form
    def on_startup() -> None                      once, before the first event
    def on_shutdown() -> None                     once, after the last event
    def on_suspend(), on_resume(), on_interrupt() the operator holds the service back, or lets it go

A whole service:

    from agent.sdk import Event, RejectEvent, context

    def on_event(event: Event) -> None:
        pump = event.find("pump")
        if pump is None:
            raise RejectEvent("the event has no <pump>")
        context.log.info("pump %s reports", pump)
        context.send(json={"pump": pump})

`event` holds what an event says, `form` the same as the platform takes it, `callback` and `reply` what the platform
tells and is answered, `http` what a sender asks and is told, `soap` the envelopes around it, `values` turns XML into
JSON's types, `context` and `xmio` are the way out: what is sent, what is logged, and `dedup` whether the same came a
short while ago. `docs/services.rst` tells the rest.
"""

from typing import TYPE_CHECKING

from agent.event.apxml import Apxml, Token, TokenType
from agent.event.apxmltext import write_apxml
from agent.sdk.asking import Answer, Asked, RequestFailed
from agent.sdk.callback import Callback, callback_of
from agent.sdk.context import Context, context
from agent.sdk.dedup import Filter
from agent.sdk.event import Event
from agent.sdk.failures import RejectEvent, RetryableError
from agent.sdk.form import Form, callbacks_for, form_of
from agent.sdk.http import HttpRequest, HttpResponse
from agent.sdk.log import Log
from agent.sdk.reply import is_property_request, property_reply
from agent.sdk.services import ServiceRequest
from agent.sdk.values import guess_value, read_apxml, read_xml
from agent.sdk.xmio import xmio

if TYPE_CHECKING:
    # At run time it is imported by those who name it: workers start faster without.
    from agent.sdk import soap

SDK_VERSION = "1.4"
"""First number: services written for another one may break. Second: something was added."""

__all__ = [
    "SDK_VERSION",
    "Answer",
    "Apxml",
    "Asked",
    "Callback",
    "Context",
    "Event",
    "Filter",
    "Form",
    "HttpRequest",
    "HttpResponse",
    "Log",
    "RejectEvent",
    "RequestFailed",
    "RetryableError",
    "ServiceRequest",
    "Token",
    "TokenType",
    "callback_of",
    "callbacks_for",
    "context",
    "form_of",
    "guess_value",
    "is_property_request",
    "property_reply",
    "read_apxml",
    "read_xml",
    "soap",
    "write_apxml",
    "xmio",
]
