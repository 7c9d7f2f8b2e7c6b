"""docs/services.rst: the services printed there run."""

from __future__ import annotations

import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.sdk import Event, HttpRequest, RejectEvent
from agent.sdk.context import calling

GUIDE = Path(__file__).parent.parent.parent / "docs/services.rst"
BLOCKS = [
    textwrap.dedent(block) for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", GUIDE.read_text(encoding="utf-8"))
]


def printed(marker: str) -> dict[str, Any]:
    """The names that the block of the guide with this marker defines."""
    names: dict[str, Any] = {}
    exec(next(block for block in BLOCKS if marker in block), names)
    return names


def event(body: bytes) -> Event:
    return Event(id="1", service="applications|pump-alarms", received=datetime.now(UTC), body=body)


def test_complete_service_and_its_test() -> None:
    """The first service of the guide sends what the guide's test says."""
    hook = printed("SEVERITIES")["on_event"]
    with calling(constants={"site": "plant-7"}) as call:
        hook(event(b"<event><pump>P-101</pump><severity>high</severity></event>"))

    expected = call.requests[0].body.decode()
    assert expected in next(block for block in BLOCKS if "test_severity_is_sent" in block)


def test_complete_service_rejects() -> None:
    """Its reason names the value found and the values expected."""
    hook = printed("SEVERITIES")["on_event"]

    with calling(), pytest.raises(RejectEvent, match="'hot', expected one of low, medium, high"):
        hook(event(b"<event><pump>P-101</pump><severity>hot</severity></event>"))


def test_answering_service() -> None:
    """The guide's on_http answers and sends."""
    hook = printed("def on_http")["on_http"]
    with calling() as call:
        response = hook(
            HttpRequest(id="1", service="a|b", method="POST", body=b'<t xmlns="urn:x"><ticket>7</ticket></t>')
        )

    assert b"<accepted/>" == response.body
    assert b'{"ticket":"7"}' == call.requests[0].body
