"""The services that `iadmin init` brings along, with the real agent and a platform on the loopback."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from agent.sdk import Apxml, Token, read_apxml, soap, write_apxml
from tests.support.live import LiveHome, until
from tests.support.platform import PASSWORD, USER, Platform


@pytest.fixture
def platform() -> Iterator[Platform]:
    double = Platform()
    yield double
    double.close()


def install(home: LiveHome, service: str, platform: Platform | None = None, *, path: str = "") -> None:
    """List a shipped service, and have it send to the platform."""
    home.edit(r"</service-configs>", f"<path>{service}/{service}.xml</path></service-configs>")
    if platform is None:
        return
    secret = home.folder / "conf" / ".initiatorpasswd"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o600)
    basic = f"<basic><user>{USER}</user><password-file>.initiatorpasswd</password-file></basic>"
    ended = '<answer status="409" then="delivered"/>'
    retry = "<retry><first-delay-s>0.2</first-delay-s></retry>"
    told = f'<destination name="xmatters" url="{platform.url}{path}">{basic}{ended}{retry}</destination>'
    apxml = f'<destination name="platform" url="{platform.url}/apxml"/>'
    home.edit(r"</destinations>", f"{told}{apxml}</destinations>")
    descriptor = home.folder / "services" / service / f"{service}.xml"
    text = descriptor.read_text(encoding="utf-8")
    descriptor.write_text(
        text.replace("<destination>outbox</destination>", "<destination>xmatters</destination>"), encoding="utf-8"
    )


def submit(home: LiveHome, service: str, *values: str) -> str:
    """What apclient sends; returns the event's id."""
    body = json.dumps({"map-data": [f"applications|{service}", *values]}).encode()
    status, _, answer = home.curl("--data-binary", "@-", f"{home.url}/apxml/applications_{service}", stdin=body)
    assert 202 == status, answer
    return str(json.loads(answer)["requestId"])


def test_all_shipped_services_are_sound(home: LiveHome) -> None:
    """As they come, they pass the check and start."""
    names = ("sample-terminate", "ping-plan", "sample-integrated-properties", "sample-soap")
    for name in names:
        install(home, name)
    check = home.iadmin("config", "check")
    home.start()
    found = {each["service"]: each["state"] for each in home.iadmin_json("service", "list")["services"]}

    assert 0 == check.returncode, check.stdout + check.stderr
    assert {f"applications|{name}": "active" for name in ("sample-plan", *names)} == found


def test_sample_terminate(home: LiveHome, platform: Platform) -> None:
    """Ends the events with the property and no others, after an outage as well; one that has ended is no fault."""
    install(home, "sample-terminate", platform)
    platform.active = {"e1": {"pump": "P/1 & 2"}, "e2": {"pump": "P-102"}, "e3": {"pump": "P/1 & 2"}}
    platform.answers = [(503, {"Retry-After": "0"})]
    home.start()

    event = home.settled(submit(home, "sample-terminate", "pump", "P/1 & 2"))
    again = home.settled(submit(home, "sample-terminate", "pump", "P/1 & 2"))
    empty = home.settled(submit(home, "sample-terminate", "pump", ""))

    assert {"e2"} == set(platform.active)
    assert ("done", "suppressed") == (event["state"], again["state"])
    assert ("dead", True) == (empty["state"], "must both be there" in empty["reason"])
    ended = [asked for asked in platform.asked if asked.method == "POST"]
    assert [{"id": "e1", "status": "TERMINATED"}, {"id": "e3", "status": "TERMINATED"}] == [
        asked.json for asked in ended
    ]
    assert all(asked.key for asked in ended)


def test_sample_terminate_at_the_outbox(home: LiveHome) -> None:
    """A file cannot be asked: the reason says what is missing."""
    install(home, "sample-terminate")
    home.start()

    event = home.settled(submit(home, "sample-terminate", "pump", "P-101"))

    reason = "outbox is a file, and answers nothing: sample-terminate.xml says which destination it needs"
    assert reason in str(event["reason"])


def test_ping_plan(home: LiveHome, platform: Platform) -> None:
    """Somebody who listens and somebody who does not; a form is sent again after a 503, and the news that it asks for
    arrive."""
    install(home, "ping-plan", platform, path="/api/integration/1/functions/u-1/triggers")
    platform.answers = [(503, {"Retry-After": "1"})]
    home.start()
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        up = home.settled(submit(home, "ping-plan", f"127.0.0.1:{port}", "oncall"))
    down = home.settled(submit(home, "ping-plan", "127.0.0.1:1", "oncall"))
    bad = home.settled(submit(home, "ping-plan", "-c 1 x", "oncall"))
    news = write_apxml(
        Apxml(
            method="REQUEST",
            tokens=(
                Token("agent_client_id", "applications|ping-plan"),
                Token("xmatters_callback_type", "status"),
                Token("eventidentifier", "17"),
                Token("status", "terminated"),
            ),
        )
    )
    status, _, _ = home.curl("--data-binary", "@-", f"{home.url}/applications_ping-plan", stdin=news)
    until("the news", lambda: "event 17 is terminated" in home.log)

    assert ("done", "done", "dead", 202) == (up["state"], down["state"], bad["state"], status)
    refused, *asked = platform.asked
    assert refused.key == asked[0].key
    forms = [each.json for each in asked]
    assert [True, False] == [form["properties"]["reachable"] for form in forms]
    assert ("oncall", "ia://ping-plan", "status") == (
        forms[0]["recipients"],
        forms[0]["callbacks"][0]["url"],
        forms[0]["callbacks"][0]["type"],
    )
    assert forms[0]["callbacks"][0]["iaId"]


def test_sample_integrated_properties(home: LiveHome, platform: Platform) -> None:
    """A request for a form's values is answered in APXML, to the destination that takes it."""
    install(home, "sample-integrated-properties", platform)
    home.start()
    request = write_apxml(
        Apxml(
            method="REQUEST",
            tokens=(
                Token("xmattersrebrequestaction", "getProperties"),
                Token("xmattersrebrequestuuid", "u-42"),
                Token("city", "Victoria"),
            ),
        )
    )
    own = f"{home.url}/applications_sample-integrated-properties"
    status, _, _ = home.curl("--data-binary", "@-", own, stdin=request)
    asked = until("the reply", lambda: platform.asked[0] if platform.asked else None)
    reply = read_apxml(asked.body)

    assert (202, "/apxml", "RESPONSE", "high", "u-42") == (
        status,
        asked.path,
        reply.method,
        reply.value("apia_priority"),
        reply.value("xmattersRebRequestUuid"),
    )
    assert {"city": ["Victoria", "London"], "building": ["Building A", "Building B"]} == json.loads(
        reply.value("additionalTokens")
    )


def ticket(state: str, number: str, namespace: str) -> bytes:
    inner = f"<t:number>{number}</t:number>" if number else ""
    return (
        f'<s:Envelope xmlns:s="{namespace}"><s:Body><t:ticketChanged xmlns:t="urn:example:tickets">{inner}'
        f"<t:state>{state}</t:state><t:text>hot &amp; loud</t:text></t:ticketChanged></s:Body></s:Envelope>"
    ).encode()


def test_sample_soap(home: LiveHome) -> None:
    """Both versions with curl: an answer, a fault, a number in the URL; only what was taken is sent."""
    install(home, "sample-soap")
    home.start()
    url = f"{home.url}/http/applications_sample-soap"
    old = ("-H", "Content-Type: text/xml; charset=utf-8", "-H", 'SOAPAction: "urn:example:tickets#changed"')
    new = ("-H", 'Content-Type: application/soap+xml; action="urn:example:tickets#changed"')

    taken = home.curl(*old, "--data-binary", "@-", url, stdin=ticket("open", "INC7", soap.V11))
    by_url = home.curl(*new, "--data-binary", "@-", f"{url}/event_change/INC8", stdin=ticket("open", "", soap.V12))
    faults = [
        home.curl(*old, "--data-binary", "@-", url, stdin=ticket("burning", "INC9", soap.V11)),
        home.curl(*new, "--data-binary", "@-", url, stdin=ticket("burning", "INC9", soap.V12)),
        home.curl(*old, "--data-binary", "@-", url, stdin=b"<event/>"),
    ]
    until("what was taken", lambda: len(home.outbox) == 2)

    for (status, head, body), version in ((taken, "1.1"), (by_url, "1.2")):
        answer = soap.parse(body.encode())
        assert (200, version, "ticketChangedResponse") == (status, answer.version, answer.operation)
        assert soap.CONTENT_TYPES[version] in head
    assert ["INC7", "INC8"] == [line["body"]["properties"]["ticket"] for line in home.outbox]
    assert [500, 400, 500] == [status for status, _, _ in faults]
    assert "&lt;state&gt; is 'burning', expected one of open, updated, closed" in faults[0][2]
    assert "<soap:Value>soap:Sender</soap:Value>" in faults[1][2]
    assert "expected a SOAP &lt;Envelope&gt;" in faults[2][2]
