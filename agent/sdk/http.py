"""What a sender asks and is told, where a service answers its senders itself (`on_http`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import attrs
from attrs.validators import deep_mapping, ge, instance_of, le
from lxml import etree

from agent.errors import SenderError
from agent.event.xml import parse_xml
from agent.sdk.failures import RejectEvent
from agent.sdk.values import MAX_XML_DEPTH


@attrs.frozen(kw_only=True)
class HttpRequest:
    """The request, handed to `on_http`. Header names are lower case.

    `id` is the event id under which request and result are kept once the hook has returned. `path` is what followed
    the service's name in the URL, `/sub/path` or nothing; `query` the text behind `?`. Example:

        def on_http(request):
            ticket = request.xml.findtext("{*}ticket")
            context.send(json={"ticket": ticket})
            return HttpResponse(status=200, body="<ok/>", content_type="text/xml")
    """

    id: str
    service: str
    method: str
    path: str = ""
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = attrs.field(default=b"", repr=False)
    charset: str | None = None
    peer: str = ""

    def header(self, name: str, default: str = "") -> str:
        """Return the value of the first header field of that name, in any case, or `default`."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), default)

    @cached_property
    def text(self) -> str:
        """The body as text, in the encoding the sender declared or UTF-8; bytes that do not fit are replaced."""
        return self.body.decode(self.charset or "utf-8", errors="replace")

    @cached_property
    def xml(self) -> etree._Element:
        """The body's root element (lxml); raises `RejectEvent` where it is not XML. DOCTYPEs are refused."""
        try:
            return parse_xml(self.body, self.charset, max_depth=MAX_XML_DEPTH)
        except SenderError as error:
            raise RejectEvent(error.sentence) from error

    @cached_property
    def json(self) -> Any:
        """The body as JSON; raises `RejectEvent` where it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RejectEvent(f"the request's body is not JSON: {error}") from error


def _body(value: bytes | str | etree._Element) -> bytes:
    if isinstance(value, etree._Element):
        return etree.tostring(value, encoding="UTF-8", xml_declaration=True, with_tail=False)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"body is a {type(value).__name__}, expected text, bytes or an element of lxml")


@attrs.frozen(kw_only=True)
class HttpResponse:
    """What the sender is told. Text becomes UTF-8, and so does an element of lxml; `content_type` names what it is.

    Content-Length, Connection and the like are set by the agent. Example:

        HttpResponse(status=201, body='{"ticket": 7}', content_type="application/json", headers={"Location": "/7"})
    """

    status: int = attrs.field(default=200, converter=int, validator=[ge(200), le(599)])
    body: bytes = attrs.field(default=b"", converter=_body, repr=False)
    content_type: str = attrs.field(default="text/plain; charset=utf-8", validator=instance_of(str))
    headers: Mapping[str, str] = attrs.field(
        factory=dict, validator=deep_mapping(key_validator=instance_of(str), value_validator=instance_of(str))
    )
