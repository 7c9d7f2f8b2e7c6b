"""docs/services.rst: the services printed there run."""

from __future__ import annotations

import ast
import doctest
import re
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.sdk import Answer, Event, Form, HttpRequest, RejectEvent, read_apxml
from agent.sdk.context import Surroundings, calling, settle_in
from agent.secret import Secret

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


MEMBERS = [
    "apia_startup",
    "apia_shutdown",
    "apia_suspend",
    "apia_resume",
    "apia_interrupt",
    "apia_http",
    "apia_input",
    "apia_response",
    "apia_event",
    "apia_remapped_data",
    "apia_callback",
    "ServiceAPI.getLogger",
    "ServiceAPI.createAPXML",
    "ServiceAPI.sendAPXML",
    "ServiceAPI.getConfiguration",
    "IALOG.trace",
    "IALOG.debug",
    "IALOG.info",
    "IALOG.warn",
    "IALOG.error",
    "IALOG.isDebugEnabled",
    "APXML.toString",
    "APXML.dedup",
    "APXML.toEventJs",
    "APXML.toResponseJs",
    "XMUtil.deduplicate",
    "XMUtil.createEventTemplate",
    "XMUtil.parseXML",
    "XMIO.post",
    "XMIO.put",
    "XMIO.patch",
    "XMIO.delete",
    "XMIO.get",
    "XMIO.decryptFile",
]
"""What the original gives its scripts, and calls in them."""

APXML = GUIDE.with_name("apxml.rst")


def said(level: str, text: str, event_id: str) -> None:
    """A line of the log, where the examples print."""
    sys.stdout.write(f"{level} {text}\n")


@pytest.fixture
def surroundings() -> Iterator[None]:
    """Those that the page's examples stand in."""
    settle_in(
        Surroundings(
            service="applications|pump-alarms",
            agent_id="plant7-agent",
            constants={"site": "plant-7"},
            platform={"company": "Example Ltd"},
            secrets={"ticket_password": Secret("not-a-real-one")},
            log=said,
        )
    )
    yield
    settle_in(Surroundings())


def test_examples_of_the_table(surroundings: None) -> None:
    """Each runs, and gives what is printed below it."""
    page = GUIDE.read_text(encoding="utf-8")
    sample = next(block for block in blocks_of(APXML) if block.startswith("<transaction>"))
    names = {"apxml": read_apxml(sample)}
    test = doctest.DocTestParser().get_doctest(page, names, "services.rst", str(GUIDE), 0)
    failures: list[str] = []
    with calling(answers=[Answer(status=200, body=b'{"id": 7}'), Answer(status=409)]) as call:
        result = doctest.DocTestRunner(verbose=False).run(test, out=failures.append)

    assert (0, True) == (result.failed, result.attempted > 50), "".join(failures)
    assert ["", "/apxml/applications_ping-plan", "", "/tickets/7", "/tickets/7", "/tickets/7"] == [
        each.path for each in call.requests
    ]


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_has_its_row_and_its_example(member: str) -> None:
    """Whoever brings a script along finds each word of it."""
    page = GUIDE.read_text(encoding="utf-8")
    examples = "\n".join(line for line in page.splitlines() if line.lstrip().startswith((">>>", "...")))

    assert f"``{member}``" in page
    assert re.search(rf"# .*\b{re.escape(member)}\b", examples), f"{member} has no example"


def blocks_of(path: Path) -> list[str]:
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", path.read_text(encoding="utf-8"))
    return [textwrap.dedent(block) for block in found]


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if re.search(r"^(def|async def|from|import) ", block, re.M)]
)
def test_every_script_of_the_page_can_be_loaded(
    block: str, surroundings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its imports are there, and its top level runs."""
    module = type(sys)("pump_alarms")
    exec(next(each for each in BLOCKS if "SEVERITIES" in each), module.__dict__)
    monkeypatch.setitem(sys.modules, "pump_alarms", module)
    ast.parse(block)
    names: dict[str, Any] = {"context": sys.modules["agent.sdk"].context}
    exec(block, names)
    for name, test in names.items():
        if name.startswith("test_"):
            test()


def test_form_service_of_the_page() -> None:
    """The guide's form is posted with its site, and a low one is dropped."""
    hook = printed("def remapped_data")["on_event"]

    assert ({"site": "plant-7"}, "oncall-pumps") == (
        hook(Form(priority="high")).properties,
        hook(Form(priority="high")).recipients,
    )
    assert hook(Form(priority="low")) is None


def test_soap_service_of_the_page() -> None:
    """The guide's SOAP service answers with its envelope, or with its fault."""
    hook = printed("@soap.answering")["on_http"]
    inside = '<changed xmlns="urn:x"><ticket><number>7</number></ticket></changed>'
    good = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{inside}</e:Body></e:Envelope>'
    with calling() as call:
        answer = hook(HttpRequest(id="1", service="a|b", method="POST", body=good.encode()))
        fault = hook(HttpRequest(id="1", service="a|b", method="POST", body=b"<x/>"))

    assert (200, b"<accepted" in answer.body, 500) == (answer.status, True, fault.status)
    assert [] == call.requests, "the fault drops what was sent in the same call"
