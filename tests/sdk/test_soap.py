"""agent.sdk.soap: envelopes and faults of SOAP 1.1 and 1.2."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from agent.sdk import HttpRequest, HttpResponse, RejectEvent, RetryableError, context, soap
from agent.sdk.context import calling

TICKET = "<t:ticket xmlns:t='urn:t'><t:number>7</t:number></t:ticket>"


def envelope(body: str = TICKET, header: str = "", namespace: str = soap.V11) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def request(body: bytes | None = None, *, method: str = "POST", **headers: str) -> HttpRequest:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(
        id="id-1", service="a|b", method=method, headers=named, body=envelope() if body is None else body
    )


def block(more: str, namespace: str = soap.V11) -> str:
    return f'<s:Header><x:Security xmlns:x="urn:x" {more}/></s:Header>'


@pytest.mark.parametrize(
    ("namespace", "headers", "version", "action"),
    [
        (soap.V11, {"soapaction": '"urn:Change"', "content_type": "text/xml"}, "1.1", "urn:Change"),
        (soap.V12, {"content_type": 'application/soap+xml; action="urn:Change"; charset=utf-8'}, "1.2", "urn:Change"),
        (soap.V12, {"content_type": "application/soap+xml;charset=utf-8;action=urn:Change"}, "1.2", "urn:Change"),
        (soap.V11, {}, "1.1", ""),
    ],
)
def test_both_versions_are_read(namespace: str, headers: dict[str, str], version: str, action: str) -> None:
    """By the envelope, whatever the content type says; the action from where its version has it."""
    found = soap.read(request(envelope(namespace=namespace), **headers))

    assert (version, action, "ticket", "7", None) == (
        found.version,
        found.action,
        found.operation,
        found.find("number"),
        found.find("nothing"),
    )


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (b"", "sender", "the body is no SOAP envelope: "),
        (b"{}", "sender", "the body is no SOAP envelope: "),
        (b"<event/>", "sender", "the root element is <event>, expected a SOAP <Envelope>"),
        (envelope(namespace="urn:soap:9"), "version-mismatch", "the envelope's namespace is 'urn:soap:9', expected"),
        (b"<Envelope/>", "version-mismatch", "the envelope's namespace is '', expected"),
        (f'<e:Envelope xmlns:e="{soap.V12}"/>'.encode(), "sender", "the envelope has no <Body>"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>' + envelope("&x;"), "sender", "the body is no SOAP envelope: "),
    ],
)
def test_what_is_no_envelope(body: bytes, code: str, sentence: str) -> None:
    """Each with its own fault and its own sentence."""
    with pytest.raises(soap.Fault) as caught:
        soap.read(request(body))

    assert (code, True) == (caught.value.code, caught.value.reason.startswith(sentence))


@pytest.mark.parametrize(
    ("namespace", "more", "is_refused"),
    [
        (soap.V11, 's:mustUnderstand="1"', True),
        (soap.V11, 's:mustUnderstand="0"', False),
        (soap.V11, "", False),
        (soap.V11, 's:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"', True),
        (soap.V11, 's:mustUnderstand="1" s:actor="urn:somebody-else"', False),
        (soap.V12, 's:mustUnderstand="true"', True),
        (soap.V12, f's:mustUnderstand="true" s:role="{soap.V12}/role/ultimateReceiver"', True),
        (soap.V12, f's:mustUnderstand="true" s:role="{soap.V12}/role/none"', False),
    ],
)
def test_blocks_that_must_be_understood(namespace: str, more: str, is_refused: bool) -> None:
    """Those for us, unless the service says that it does; in 1.2 the answer names them."""
    asked = request(envelope(header=block(more, namespace), namespace=namespace))
    response = soap.answering(lambda _: None)(asked)
    minded = soap.answering(understands=["{urn:x}Security"])(lambda _: None)(asked)

    assert (500 if is_refused else 200, 200) == (response.status, minded.status)
    if is_refused:
        assert b"soap:MustUnderstand" in response.body
        assert (namespace == soap.V12) == (b'NotUnderstood xmlns:x="urn:x" qname="x:Security"' in response.body)


def test_answer_in_the_version_of_the_request() -> None:
    """Envelope and content type; the body may be an element, its text, or nothing."""
    for namespace, version in soap.VERSIONS.items():
        asked = request(envelope(namespace=namespace))
        for body in (etree.fromstring("<a/>"), "<a/>", b"<a/>"):
            response = soap.answering(lambda _, body=body: body)(asked)
            again = soap.parse(response.body)
            assert (200, version, "a") == (response.status, again.version, again.operation)
            assert soap.CONTENT_TYPES[version] == response.content_type
    assert soap.parse(soap.answering(lambda _: None)(request()).body).body is None


@pytest.mark.parametrize(
    ("error", "namespace", "status", "code", "reason", "retry_after"),
    [
        (soap.Fault("no <a> & b"), soap.V11, 500, "Client", "no <a> & b", None),
        (soap.Fault("no <a> & b"), soap.V12, 400, "Sender", "no <a> & b", None),
        (RejectEvent("never"), soap.V12, 400, "Sender", "never", None),
        (RetryableError("later", after_s=7), soap.V11, 500, "Server", "later", "7"),
        (RetryableError("later"), soap.V12, 500, "Receiver", "later", "30"),
        (KeyError("secret"), soap.V11, 500, "Server", "under the id id-1", "30"),
        (soap.Fault("bad \x00 byte"), soap.V11, 500, "Client", "bad \ufffd byte", None),
    ],
)
def test_what_is_raised_becomes_a_fault(
    error: Exception, namespace: str, status: int, code: str, reason: str, retry_after: str | None
) -> None:
    """Plain and async; what was sent is dropped, because the sender will come again."""

    def plain(_: soap.Envelope) -> None:
        context.send(json=1)
        raise error

    async def awaited(_: soap.Envelope) -> None:
        plain(_)

    async def run() -> HttpResponse:
        answer: HttpResponse = await soap.answering(awaited)(request(envelope(namespace=namespace)))
        return answer

    with calling() as call:
        responses = [soap.answering(plain)(request(envelope(namespace=namespace))), asyncio.run(run())]

    for response in responses:
        with pytest.raises(soap.Fault) as caught:
            soap.parse(response.body).raise_for_fault()
        assert (status, retry_after) == (response.status, response.headers.get("Retry-After"))
        assert f"soap:{code}<" in response.body.decode()
        assert reason in caught.value.reason
        assert b"secret" not in response.body
    assert [] == call.requests


def test_detail_and_version_mismatch() -> None:
    """A detail is XML; whoever speaks an unknown version is told in 1.1 which there are."""
    response = soap.refuse(soap.Fault("no", detail="<d>why</d>"), version="1.2")
    with pytest.raises(soap.Fault, match="no: why"):
        soap.parse(response.body).raise_for_fault()
    mismatch = soap.answering(lambda _: None)(request(envelope(namespace="urn:soap:9")))

    assert (500, "1.1") == (mismatch.status, soap.parse(mismatch.body).version)
    assert b'SupportedEnvelope qname="soap12:Envelope"' in mismatch.body


def test_other_methods() -> None:
    """A browser that looks what is there."""
    response = soap.answering(lambda _: None)(request(method="GET"))

    assert (405, {"Allow": "POST"}) == (response.status, response.headers)


def test_writing_what_is_no_xml() -> None:
    """The author's own mistake, in the author's own line."""
    with pytest.raises(ValueError, match="'<a' is no XML element"):
        soap.write("<a")
    with pytest.raises(ValueError, match="code is 'Client', expected sender, receiver"):
        soap.Fault("no", code="Client")
    with pytest.raises(ValueError, match="'not xml' is no XML element"):
        soap.Fault("no", detail="not xml")


@pytest.mark.parametrize("returned", ["no xml", "<a", 5, ["<a/>"]])
def test_what_a_hook_may_not_return(returned: Any) -> None:
    """The sender hears a fault of ours, and the reason stays in the log."""
    response = soap.answering(lambda _: returned)(request())

    assert 500 == response.status
    assert b"soap:Server" in response.body


def test_headers_are_written() -> None:
    """Blocks of the answer."""
    found = soap.parse(soap.write("<a/>", version="1.2", headers=['<h xmlns="urn:h"/>']))

    assert ["{urn:h}h"] == [each.tag for each in found.headers]


@given(st.binary(max_size=300))
def test_any_bytes_are_an_envelope_or_a_fault(body: bytes) -> None:
    """Whatever is posted, the answer is a SOAP fault and no exception."""
    response: Any = soap.answering(lambda _: None)(request(body))

    assert response.status in (200, 400, 500)


@pytest.mark.parametrize(("number", "expected"), [("#id0", "INC7"), ("#none", ""), ("http://x/#id0", "")])
def test_values_behind_the_operation_are_found(number: str, expected: str) -> None:
    """As Axis 1 writes them; nothing outside of the body is followed."""
    text = (
        f'<e:Envelope xmlns:e="{soap.V11}"><e:Body><t:changed xmlns:t="urn:t"><ticket href="#id1"/></t:changed>'
        f'<multiRef id="id1"><number href="{number}"/></multiRef><multiRef id="id0">INC7</multiRef>'
        "</e:Body></e:Envelope>"
    )
    assert expected == soap.parse(text.encode()).find("ticket/number")
