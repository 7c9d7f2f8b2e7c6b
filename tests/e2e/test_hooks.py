"""Each hook of a service, with the real agent and real curl."""

from __future__ import annotations

import json
from pathlib import Path

from agent.sdk import Apxml, Token, read_apxml, write_apxml
from tests.support.live import LiveHome, command, run, until

ALL = """
from agent.sdk import Form, HttpResponse, Token, context, is_property_request, property_reply

CALLBACKS = ["status", "response"]

def on_startup():
    context.log.info("startup")

def on_input(apxml):
    return apxml.with_token(Token("seen", apxml.value("pump")))

def remapped_data():
    return {"priority": "severity"}

def on_event(form):
    form.properties["site"] = context.constants["site"]
    return form

def on_response(apxml):
    if is_property_request(apxml):
        return property_reply(apxml, {"city": ["Victoria"]})
    context.send(json={"answer": apxml.method, "error_code": apxml.value("error_code")})

def on_callback(message):
    context.send(json={"news": message.type, "status": message.status, "tokens": message.additionaltokens})

def on_http(request):
    if request.path.startswith("/tea/"):
        pot = {"X-Pot": request.path}
        return HttpResponse(status=418, body=b"\\x00\\xff", content_type="application/x-tea", headers=pot)
    if request.path == "/raise":
        raise ValueError("secret reason")
    if request.path == "/wrong":
        return {"status": 200}
    return None

def on_shutdown():
    context.log.info("shutdown")
"""
CONSTANTS = '<constants><constant name="site">plant-7</constant></constants>'
MAPPED = '<mapped-input method="add"><parameter>pump</parameter><parameter>severity</parameter></mapped-input>'
NEWS_MAP = "<map><entry><string>a</string><string>b</string></entry></map>"


def apxml(method: str, **tokens: str) -> bytes:
    return write_apxml(Apxml(method=method, tokens=tuple(Token(key, value) for key, value in tokens.items())))


def bodies(home: LiveHome) -> list[str]:
    return [json.dumps(line.get("body", line), sort_keys=True) for line in home.outbox]


def test_every_hook(home: LiveHome) -> None:
    """Input, form, answer, request, news and HTTP reach their hooks; what these return goes where the page says."""
    home.add_service("all", ALL, extra=CONSTANTS + MAPPED)
    home.start()

    values = json.dumps({"map-data": ["applications|all", "P-101", "high"]})
    status, _, _ = home.curl("--data-binary", "@-", f"{home.url}/apxml/applications_all", stdin=values.encode())
    own = f"{home.url}/applications_all"
    posted = [
        (b'{"pump": "P-102", "severity": "low"}', f"{home.url}/http/applications_all"),
        (apxml("ERROR", error_code="12"), own),
        (apxml("REQUEST", xmattersrebrequestuuid="u-1"), own),
        (apxml("REQUEST", xmatters_callback_type="status", status="active", additionalTokens=NEWS_MAP), own),
    ]
    answers = [home.curl("--data-binary", "@-", url, stdin=body) for body, url in posted]
    until("all to be delivered", lambda: len(home.outbox) >= 5)
    tea = home.curl("-X", "PUT", "--data-binary", "@-", f"{home.url}/http/applications_all/tea/1?x=y", stdin=b"\x01")
    raised = home.post("<x/>", "applications_all/raise")
    wrong = home.post("<x/>", "applications_all/wrong")
    home.stop()

    assert (202, [202] * 4) == (status, [answer[0] for answer in answers])
    sent = [line["body"] for line in home.outbox]
    replies = [read_apxml(each) for each in sent if isinstance(each, str)]
    objects = [each for each in sent if not isinstance(each, str)]
    assert ["add", "RESPONSE"] == sorted((reply.method for reply in replies), key=str.islower, reverse=True)
    input_, reply = sorted(replies, key=lambda each: each.method != "add")
    assert ("P-101", "plant-7") == (input_.value("seen"), input_.value("site"))
    assert ("u-1", '{"city": ["Victoria"]}') == (
        reply.value("xmattersRebRequestUuid"),
        reply.value("additionalTokens"),
    )
    assert {"answer": "ERROR", "error_code": "12"} in objects
    assert {"news": "status", "status": "active", "tokens": {"a": "b"}} in objects
    (form,) = [each for each in objects if "properties" in each]
    assert ({"pump": "P-102", "site": "plant-7"}, "low", 2) == (
        form["properties"],
        form["priority"],
        len(form["callbacks"]),
    )
    assert 418 == tea[0]
    assert "x-pot: /tea/1" in tea[1].lower()
    assert (500, 500) == (raised[0], wrong[0])
    assert "secret reason" not in raised[2]
    assert "on_http raised ValueError: secret reason (" in home.log
    assert "on_http returned a dict, expected an HttpResponse or None" in home.log
    assert "startup" in home.log
    assert "shutdown" in home.log


def test_own_url_of_a_service_that_hears_no_platform(home: LiveHome) -> None:
    """A sender that forgot /http/ is told so, as before: its alarm must not end as an answer of the platform."""
    home.start()
    status, _, body = home.curl("-d", "<event/>", f"{home.url}/applications_sample-plan")

    assert 404 == status
    assert "Did you mean /http/applications_sample-plan?" in body


HOSTILE = """
from agent.sdk import context

def remapped_data():
    return REMAPPED

REMAPPED = {"priority": "severity"}
CALLBACKS = []

def on_event(form):
    what = form.properties["do"]
    if what == "str":
        return "form"
    if what == "nan":
        form.properties["x"] = float("nan")
        return form
    if what == "object":
        return {"x": object()}
    if what == "exit":
        raise SystemExit(3)
    if what == "surrogate":
        return {"x": "\\ud800"}
    if what == "huge":
        return {"x": "x" * (70 * 1024 * 1024)}
    if what == "remap":
        global REMAPPED
        REMAPPED = {"prio": 1}
        return None
    return None

def on_callback(message):
    raise KeyError("news")
"""
ONCE = "<retry><max-attempts>1</max-attempts></retry>"


def test_services_that_behave_badly(home: LiveHome, tmp_path: Path) -> None:
    """Each ends as a dead letter whose reason names the hook, what it did, and the line; the worker lives on."""
    home.add_service("bad", HOSTILE, extra=ONCE)
    home.start()

    def reason(what: str) -> str:
        event_id = home.accept(json.dumps({"do": what}), "applications_bad")
        return str(home.settled(event_id)["reason"])

    odd = home.settled(home.accept(json.dumps({"do": "surrogate"}), "applications_bad"))
    told = {what: reason(what) for what in ("str", "nan", "object", "exit", "huge", "remap", "after")}
    _, _, answer = home.curl("-d", '{"status": "x"}', f"{home.url}/applications_bad")
    news = str(home.settled(json.loads(answer)["requestId"])["reason"])

    assert "on_event returned a str, expected the form, a dict or None (" in told["str"]
    assert "what on_event returned cannot be posted: Out of range float values are not JSON compliant" in told["nan"]
    assert "what on_event returned cannot be posted: Object of type object is not JSON serializable" in told["object"]
    assert "on_event raised SystemExit: 3" in told["exit"]
    assert "too much to be taken in one piece" in told["huge"]
    assert told["after"].startswith("remapped_data names the field 'prio', expected one of conferences, ")
    assert "on_callback raised KeyError: 'news' (" in news
    assert "bad.py:" in news
    assert "done" == odd["state"], odd
    assert '{"x": "\\ud800"}' in json.dumps(home.outbox[0])
    states = {each["service"]: each for each in home.iadmin_json("service", "list")["services"]}
    assert ("active", 0) == (states["applications|bad"]["state"], states["applications|bad"]["restarts"])


SECRETIVE = """
from agent.sdk import Token, context

def on_input(apxml):
    same = context.secrets["ticket_password"].reveal() == apxml.value("ticket_password")
    print(context.secrets, same)
    return apxml.without("ticket_password").with_token(Token("length", str(len(apxml.value("ticket_password")))))
"""


def test_encrypted_constants_reach_the_hook_and_nothing_else(home: LiveHome) -> None:
    """The message and `context.secrets` have it; store, log and `iadmin event show` have not."""
    made = run(command("iapassword"), "--home", home.folder, "--new", "open sesame", "--file", "conf/ticket.pwd")
    secret = '<encrypted-constant name="ticket_password"><file>conf/ticket.pwd</file></encrypted-constant>'
    home.add_service("secretive", SECRETIVE, extra=f"<constants>{secret}</constants>")
    home.start()
    own = f"{home.url}/apxml/applications_secretive"
    _, _, answer = home.curl("--data-binary", "@-", own, stdin=apxml("add", pump="P-101"))
    event = home.settled(json.loads(answer)["requestId"])
    (sent,) = until("the reply", lambda: home.outbox or None)

    assert 0 == made.returncode, made.stderr
    assert "11" == read_apxml(sent["body"]).value("length")
    assert "True" in home.log
    for place in (home.log, json.dumps(event), home.console.read_text()):
        assert "open sesame" not in place
    spooled = b"".join(path.read_bytes() for path in (home.folder / "var" / "spool").rglob("*") if path.is_file())
    assert b"open sesame" not in spooled


ASKS = """
from agent.sdk import ServiceRequest, context

def on_event(event):
    answer = ServiceRequest(name="answers", tokens={"q": "1"}).ask(timeout_s=5).wait()
    ServiceRequest(name="answers", action="add", tokens={"pump": answer.text}).send()
"""
ANSWERS = """
from agent.sdk import HttpResponse, context, read_apxml

def on_http(request):
    return HttpResponse(body=read_apxml(request.body).value("q") + " is the answer")

def on_input(apxml):
    context.send(json={"method": apxml.method, "pump": apxml.value("pump")})
"""


def test_one_service_asks_and_sends_to_another(home: LiveHome) -> None:
    """Through the gateway: `on_http` answers the question, and what is sent is an event that is stored."""
    home.edit(r"</destinations>", f'<destination name="self" url="{home.url}"/></destinations>')
    home.add_service("asks", ASKS)
    home.add_service("answers", ANSWERS)
    home.start()
    event = home.settled(home.accept("<event/>", "applications_asks"))
    (line,) = until("the other's event", lambda: home.outbox or None)

    assert "done" == event["state"], event
    assert {"method": "add", "pump": "1 is the answer"} == line["body"]
