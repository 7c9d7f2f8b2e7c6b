"""SOAP 1.1 and 1.2: envelopes and faults, read from untrusted bytes and written.

    from agent.sdk import context, soap

    @soap.answering
    def on_http(envelope):
        ticket = envelope.find("ticket")
        if ticket is None:
            raise soap.Fault("the notification has no <ticket>")
        context.send(json={"ticket": ticket})
        return "<accepted xmlns='urn:example:tickets'/>"

Whoever speaks 1.1 is answered in 1.1, and in 1.2 likewise. Sources: the SOAP 1.1 note of the W3C; SOAP 1.2 part 1
(second edition), section 5, and part 2, section 7; RFC 3902 for the parameter `action`.
"""

from __future__ import annotations

import functools
import inspect
import re
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
from lxml import etree

from agent.errors import SenderError
from agent.event.xml import parse_xml
from agent.sdk.context import call_in_hand, context
from agent.sdk.failures import RejectEvent, RetryableError
from agent.sdk.http import HttpRequest, HttpResponse
from agent.sdk.soapfault import (
    NAMESPACES,
    V11,
    V12,
    VERSIONS,
    Fault,
    Xml,
    element_of,
    elements_of,
    fault_element,
    fault_headers,
    fault_in,
)
from agent.sdk.values import MAX_XML_DEPTH, local_name, text_of

CONTENT_TYPES: Final = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}

OURS: Final = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
"""Whom a header block may be for and be for us: nobody named, the next one on the way, or the last one."""

RETRY_S: Final = 30.0
"""Retry-After of a fault that may pass, where the hook named none."""

_ACTION: Final = re.compile(r'(?:^|;)\s*action\s*=\s*(?:"([^"]*)"|([^";\s]+))', re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Envelope:
    """A SOAP message. `version` is `1.1` or `1.2`; `action` the SOAPAction, without its quotes, or empty.

    `body` is the element within the body (None where it is empty), `headers` are the header's blocks, `request` is what
    it came in. The elements are lxml's.
    """

    version: str
    body: etree._Element | None = None
    headers: tuple[etree._Element, ...] = ()
    action: str = ""
    request: HttpRequest | None = None

    @property
    def operation(self) -> str:
        """The name of the element within the body, without its namespace; empty where there is none."""
        return "" if self.body is None else local_name(self.body.tag)

    def find(self, path: str) -> str | None:
        """Return the text of the first element at `path` below the one within the body; None where there is none.

        `path` holds names without namespaces, separated by `/`, as in `Event.find`. References within the body are
        followed.
        """
        found = [] if self.body is None else [self.body]
        for name in path.split("/"):
            inside = [child for parent in found for child in elements_of(parent)]
            found = [self._meant(child) for child in inside if local_name(child.tag) == name]
        return text_of(found[0]) if found else None

    def _meant(self, element: etree._Element) -> etree._Element:
        """What an element stands for: Axis 1 writes `<number href="#id0"/>`, and the value behind the operation, as
        `<multiRef id="id0">` (SOAP 1.1, section 5.4.1)."""
        href = element.get("href", "")
        body = None if self.body is None else self.body.getparent()
        if not href.startswith("#") or body is None:
            return element
        return next((each for each in elements_of(body) if each.get("id") == href[1:]), element)

    def raise_for_fault(self) -> None:
        """Raise the `Fault` that the body holds, if it holds one: for answers of SOAP services."""
        if self.body is not None and self.body.tag == f"{{{NAMESPACES[self.version]}}}Fault":
            raise fault_in(self.body, self.version)


def read(request: HttpRequest, *, understands: Iterable[str] = ()) -> Envelope:
    """Read the envelope that a request holds. `understands` are header blocks, as `{namespace}name`, that the service
    minds. Raises `Fault` for what is no envelope, and for a block that must be understood and is not."""
    content_type = request.header("content-type")
    action = request.header("soapaction").strip().strip('"') or _action_in(content_type)
    return parse(request.body, charset=request.charset, action=action, understands=understands, request=request)


def parse(
    data: bytes,
    *,
    charset: str | None = None,
    action: str = "",
    understands: Iterable[str] | None = None,
    request: HttpRequest | None = None,
) -> Envelope:
    """Read an envelope from bytes; raises `Fault`. `understands` None: do not look, for answers to our own requests."""
    try:
        root = parse_xml(data, charset, max_depth=MAX_XML_DEPTH)
    except SenderError as error:
        raise Fault(f"the body is no SOAP envelope: {error.sentence}") from error
    namespace, _, name = root.tag.rpartition("}")
    if name != "Envelope":
        raise Fault(f"the root element is <{name[:80]}>, expected a SOAP <Envelope>")
    version = VERSIONS.get(namespace.lstrip("{"))
    if version is None:
        raise Fault(
            f"the envelope's namespace is {namespace.lstrip('{')[:200]!r}, expected {V11} (SOAP 1.1) or {V12} (1.2)",
            code="version-mismatch",
            version="1.1",
        )
    header, body = _child(root, namespace, "Header"), _child(root, namespace, "Body")
    if body is None:
        raise Fault("the envelope has no <Body>", version=version)
    blocks = tuple(elements_of(header)) if header is not None else ()
    if understands is not None:
        _check_understood(blocks, frozenset(understands), version)
    return Envelope(
        version=version, body=next(iter(elements_of(body)), None), headers=blocks, action=action, request=request
    )


def write(
    body: Xml | None,
    *,
    version: str = "1.1",
    headers: Iterable[Xml] = (),
) -> bytes:
    """Write an envelope around `body`, XML that is an element or its text. Raises `ValueError` for what is no XML."""
    namespace = NAMESPACES[version]
    envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap": namespace})
    blocks = [element_of(block) for block in headers]
    if blocks:
        etree.SubElement(envelope, f"{{{namespace}}}Header").extend(blocks)
    inner = etree.SubElement(envelope, f"{{{namespace}}}Body")
    if body is not None and body not in ("", b""):
        inner.append(element_of(body))
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def respond(
    envelope: Envelope,
    body: Xml | None = None,
    *,
    headers: Iterable[Xml] = (),
) -> HttpResponse:
    """The answer to a request, in its version."""
    data = write(body, version=envelope.version, headers=headers)
    return HttpResponse(body=data, content_type=CONTENT_TYPES[envelope.version])


def refuse(fault: Fault, *, version: str = "", after_s: float | None = None) -> HttpResponse:
    """The answer that a fault is. 1.2 has 400 for a wrong request and 500 for the rest, 1.1 always 500.

    `version` is that of the request; 1.1 where it is not known. `after_s` becomes `Retry-After`.
    """
    version = fault.version or version or "1.1"
    status = 400 if version == "1.2" and fault.code == "sender" else 500
    headers = {} if after_s is None else {"Retry-After": str(max(1, round(after_s)))}
    data = write(fault_element(fault, version), version=version, headers=fault_headers(fault, version))
    return HttpResponse(status=status, body=data, content_type=CONTENT_TYPES[version], headers=headers)


def answering(hook: Callable[[Envelope], Any] | None = None, *, understands: Iterable[str] = ()) -> Callable[..., Any]:
    """Make `on_http` of a function that takes an `Envelope` and returns the body of the answer, or an `HttpResponse`.

    The function may be `async`. Whatever it raises becomes a fault, and what it has sent is dropped, because the sender
    will come again: a `Fault` says so itself, `RejectEvent` blames the sender, `RetryableError` and all else blame us.
    All else is logged with its traceback, and the sender is told no more than the id to look for. A request that is no
    POST gets 405.
    """
    if hook is None:
        return functools.partial(answering, understands=understands)
    wanted = tuple(understands)

    async def on_http_async(request: HttpRequest) -> HttpResponse:
        envelope = _envelope(request, wanted)
        if isinstance(envelope, HttpResponse):
            return envelope
        try:
            return _answer(envelope, await hook(envelope))
        except Exception as error:
            return _refused(error, request, envelope.version)

    def on_http(request: HttpRequest) -> HttpResponse:
        envelope = _envelope(request, wanted)
        if isinstance(envelope, HttpResponse):
            return envelope
        try:
            return _answer(envelope, hook(envelope))
        except Exception as error:
            return _refused(error, request, envelope.version)

    return on_http_async if inspect.iscoroutinefunction(hook) else on_http


def _envelope(request: HttpRequest, understands: Iterable[str]) -> Envelope | HttpResponse:
    if request.method != "POST":
        return HttpResponse(status=405, body="SOAP requests are POSTed here.\n", headers={"Allow": "POST"})
    try:
        return read(request, understands=understands)
    except Fault as fault:
        return _refused(fault, request, fault.version)


def _answer(envelope: Envelope, returned: Any) -> HttpResponse:
    return returned if isinstance(returned, HttpResponse) else respond(envelope, returned)


def _refused(error: Exception, request: HttpRequest, version: str) -> HttpResponse:
    """Make a fault of what was raised, and drop what was sent."""
    after_s = None
    if isinstance(error, Fault):
        fault = error
    elif isinstance(error, RejectEvent):
        fault = Fault(error.reason)
    elif isinstance(error, RetryableError):
        fault, after_s = Fault(error.reason, code="receiver"), error.after_s or RETRY_S
    else:
        for line in traceback.format_exception(error):
            context.log.error("%s", line.rstrip())
        sentence = f"the service has failed; its operator finds the reason under the id {request.id}"
        fault, after_s = Fault(sentence, code="receiver"), RETRY_S
    call = call_in_hand()
    if call is not None:
        call.requests.clear()
        call.remembered.clear()
    context.log.warning("answered with a SOAP fault (%s): %s", fault.code, fault.reason)
    return refuse(fault, version=version, after_s=after_s)


def _action_in(content_type: str) -> str:
    found = _ACTION.search(content_type)
    return "" if found is None else found[1] or found[2] or ""


def _check_understood(blocks: Iterable[etree._Element], understands: frozenset[str], version: str) -> None:
    namespace = NAMESPACES[version]
    told = "actor" if version == "1.1" else "role"
    strange = [
        block.tag
        for block in blocks
        if block.get(f"{{{namespace}}}mustUnderstand", "").strip() in ("1", "true")
        and block.get(f"{{{namespace}}}{told}", "").strip() in OURS
        and block.tag not in understands
    ]
    if strange:
        fault = Fault(
            f"the header block {strange[0]} must be understood, and this service does not know it",
            code="must-understand",
            version=version,
        )
        fault.not_understood = tuple(strange)
        raise fault


def _child(root: etree._Element, namespace: str, name: str) -> etree._Element | None:
    return next((child for child in elements_of(root) if child.tag == f"{namespace}}}{name}"), None)
