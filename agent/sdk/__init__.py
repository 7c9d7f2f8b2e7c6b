"""What an integration service may import: `from agent.sdk import context, RejectEvent, ...`. Nothing else is promised.

A service is one Python file with functions of these names, plain or `async`; at least one of the first two:

    def on_event(event: Event) -> None            each event, after its sender was answered
    def on_http(request: HttpRequest)             answers the sender itself; returns an HttpResponse, or None
    def on_startup() -> None                      once, before the first event
    def on_shutdown() -> None                     once, after the last event

A whole service:

    from agent.sdk import Event, RejectEvent, context

    def on_event(event: Event) -> None:
        pump = event.find("pump")
        if pump is None:
            raise RejectEvent("the event has no <pump>")
        context.log.info("pump %s reports", pump)
        context.send(json={"pump": pump})

`event` holds what an event says, `http` what a sender asks and is told, `values` turns XML into JSON's types,
`context` is the way out: what is sent, what is logged, and `dedup` whether the same came a short while ago.
`docs/services.rst` tells the rest.
"""

from agent.sdk.asking import Answer, Asked, RequestFailed
from agent.sdk.context import Context, Log, context
from agent.sdk.dedup import Filter
from agent.sdk.event import Event
from agent.sdk.failures import RejectEvent, RetryableError
from agent.sdk.http import HttpRequest, HttpResponse
from agent.sdk.values import guess_value

SDK_VERSION = "1.2"
"""First number: services written for another one may break. Second: something was added."""

__all__ = [
    "SDK_VERSION",
    "Answer",
    "Asked",
    "Context",
    "Event",
    "Filter",
    "HttpRequest",
    "HttpResponse",
    "Log",
    "RejectEvent",
    "RequestFailed",
    "RetryableError",
    "context",
    "guess_value",
]
