"""agent.sdk.event: one event, read as XML or JSON, in any encoding the gateway takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.sdk import Event, RejectEvent


def event(body: bytes, **more: Any) -> Event:
    return Event(id="e", service="a|b", received=datetime(2026, 1, 2, tzinfo=UTC), body=body, **more)


XML = b'<x:event xmlns:x="urn:x"><x:host>db1</x:host><d><n>1</n></d><d><n>2</n><!-- n --></d></x:event>'
JSON = b'{"host": "db1", "d": [{"n": 1}, {"n": "2"}, 3]}'


@pytest.mark.parametrize(("body", "kind"), [(XML, "xml"), (JSON, "json")])
def test_paths(body: bytes, kind: str) -> None:
    """`find` and `find_all` read XML and JSON by the same paths."""
    found = event(body, kind=kind)

    assert "db1" == found.find("host")
    assert ["1", "2"] == found.find_all("d/n")
    assert "1" == found.find("d/n")
    assert None is found.find("d/other")
    assert None is found.find("host/deeper")


def test_dict() -> None:
    """`to_dict` gives what stands below the root; a JSON object as it is."""
    assert {"host": "db1", "d": [{"n": "1"}, {"n": "2"}]} == event(XML).to_dict()
    assert {"host": "db1", "d": [{"n": 1}, {"n": "2"}, 3]} == event(JSON, kind="json").to_dict()


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("<e>é</e>".encode(), None),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><e>é</e>".encode("latin-1"), None),
        ("<e>é</e>".encode("utf-16"), None),
        ("<e>é</e>".encode("cp1252"), "windows-1252"),
    ],
)
def test_encodings(body: bytes, charset: str | None) -> None:
    """XML and text are read in the encoding that the bytes, the transport or the document name."""
    assert "é" == event(body, charset=charset).xml.text
    assert event(body, charset=charset).text.endswith("<e>é</e>")


@pytest.mark.parametrize(
    ("body", "kind", "look", "reason"),
    [
        (JSON, "json", lambda e: e.xml, "the event is JSON, expected XML"),
        (XML, "xml", lambda e: e.json, "the event is XML, expected JSON"),
        (b"[1]", "json", lambda e: e.to_dict(), "the event is a JSON list, expected an object"),
        (b"{", "json", lambda e: e.json, "the event is not JSON"),
        (b"<e>", "xml", lambda e: e.xml, "ine 1"),
        (b"<!DOCTYPE e><e/>", "xml", lambda e: e.xml, "DOCTYPE"),
        (b"<e>\xff</e>", "xml", lambda e: e.text, "not valid UTF-8"),
    ],
)
def test_what_cannot_be_read_is_rejected(body: bytes, kind: str, look: Any, reason: str) -> None:
    """A hook need not check: reading what is not there rejects the event with a plain reason."""
    with pytest.raises(RejectEvent, match=reason):
        look(event(body, kind=kind))


def test_xml_is_parsed_once() -> None:
    """Asking again costs nothing."""
    found = event(XML)

    assert found.xml is found.xml
