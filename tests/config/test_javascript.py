"""What a JavaScript file of the original needs."""

from hypothesis import given
from hypothesis import strategies as st

from agent.config.javascript import HOOKS, LIBRARY, SETTINGS, Place, counterpart, java_counterpart, read_javascript

SCRIPT = b"""\
load("lib/integrationservices/javascript/event.js"); // load("not/this.js");
/* function apia_nothing() {}
   XMIO.put(1) */
var DEDUPLICATION_FILTER_NAME = "pumps";
function apia_input(apxml) {
  IALOG.debug("IALOG.error {0} // no comment", apxml);
  var text = 'XMIO.get(';
  return XMIO
    . post(JSON.stringify(new java.util.HashMap()));
}
apia_http = function(request, response) { IALOG.debug("again"); };
"""


def test_hooks_calls_and_classes_are_found_with_their_lines() -> None:
    """The first line of each; neither comments nor texts count."""
    found = read_javascript(SCRIPT)
    assert (Place("apia_input", 5), Place("apia_http", 11)) == found.hooks
    assert (Place("IALOG.debug", 6), Place("XMIO.post", 8)) == found.calls
    assert (Place("java.util.HashMap", 9),) == found.java
    assert (Place("lib/integrationservices/javascript/event.js", 1),) == found.loads
    assert ((Place("DEDUPLICATION_FILTER_NAME", 4), "pumps"),) == found.filters
    assert not found.is_e4x


def test_xml_in_javascript_is_noticed() -> None:
    """No modern engine takes it."""
    for code in (
        b"for each (var x in y) {}",
        b"default xml namespace = ns;",
        b"a.ns::b",
        b"x = new XML(text)",
        b"var x = <event id='7'><a>{b}</a></event>;",
        b"return <></>;",
        b"host = xml.event.@host;",
        b"names = xml..name;",
        b"x = xml.*::name;",
        b"x = xml.event.(@id == 7);",
    ):
        assert read_javascript(code).is_e4x, code
    for code in (
        b'// for each (x in y)\n"a::b"',
        b"x = a < b && c <d; f?.(1);",
        b"f(...args); x = 1..toString; y = '<a>'",
    ):
        assert not read_javascript(code).is_e4x, code


def test_quotes_in_regular_expressions_begin_no_text() -> None:
    """Scripts escape what they send, and all that followed was once taken for a text."""
    code = b"""s = s.replace(/["']/g, 'x').split(/[/"]/); t = a / b; u = "function apia_event("; // it's
function apia_input(m) { return /'/.test(m) ? 1 / 2 : 3; }
"""
    assert (Place("apia_input", 2),) == read_javascript(code).hooks


def test_globals_are_found_however_they_are_declared() -> None:
    """With the line they stand in, also behind the mark that Windows' editors put in front of a file."""
    code = """\ufeffconst DEDUPLICATOR_FILTER = 'a';\r
f();
let WEB_SERVICE_URL = "https://x"; this.INITIATOR = u; if (PASSWORD == 1) {}
CALLBACKS = ["status"];
"""
    for encoding in ("utf-8", "utf-16"):
        found = read_javascript((code if encoding == "utf-8" else code[1:]).encode(encoding))
        assert ((Place("DEDUPLICATOR_FILTER", 1), "a"),) == found.filters
        assert (Place("WEB_SERVICE_URL", 3), Place("INITIATOR", 3), Place("CALLBACKS", 4)) == found.settings


def test_java_is_found_in_its_packages() -> None:
    """Also those of integrations, and whole ones."""
    code = b"importPackage(java.util);\nvar x = new Packages.com.example.Ticket(); importClass(Packages.java.io.File);"
    assert (
        Place("java.util", 1),
        Place("com.example.Ticket", 2),
        Place("java.io.File", 2),
    ) == read_javascript(code).java
    code = b"with (new JavaImporter(java.net,\n  Packages.org.apache.http, java.io)) { x = new java.net.URL(u); }"
    assert (
        Place("java.net.URL", 2),
        Place("java.net", 1),
        Place("org.apache.http", 2),
        Place("java.io", 2),
    ) == read_javascript(code).java


def test_each_member_has_a_counterpart() -> None:
    """Of the library as of the hooks; of what is not known there is none."""
    assert all(HOOKS.values())
    assert all(LIBRARY.values())
    assert all(SETTINGS.values())
    assert ("context.log", "xmio.post(...)", "") == (
        counterpart("IALOG.isDebugEnabled"),
        counterpart("XMIO.post"),
        counterpart("XMIO.unknown"),
    )


def test_classes_of_the_agent_have_counterparts_of_their_own() -> None:
    """Python's own library has no deduplicator; of a jar that is not known nothing is promised."""
    named = {
        "com.alarmpoint.integrationagent.apxml.APXMLMessageImpl": "Apxml and Token",
        "com.alarmpoint.integrationagent.security.EncryptionUtils": "context.secrets[name]",
        "com.alarmpoint.integrationagent.exceptions.retriable.RetriableException": "raise RetryableError(reason)",
        "com.alarmpoint.integrationagent.util.EventDeduplicator": "context.dedup(filter)",
        "com.alarmpoint.integrationagent.soap.SOAPMessage": "agent.sdk.soap",
        "com.alarmpoint.integrationagent.soap.exchange.messages.AddEventRequest": "agent.sdk.soap",
        "com.thoughtworks.xstream.XStream": "additionaltokens are a dict",
        "org.apache.commons.httpclient.Header": "request.header(name)",
        "org.apache.commons.lang.StringEscapeUtils": "Python's own library",
        "java.util.HashMap": "Python's own library",
        "java.io": "Python's own library",
    }
    assert [] == [name for name, ours in named.items() if ours not in java_counterpart(name)]
    assert ("", "") == (java_counterpart("com.example.Ticket"), java_counterpart("com.alarmpoint.unknown.Thing"))


@given(st.text("\"'`/*\\\n a(=function apia_x"))
def test_any_text_is_read(text: str) -> None:
    """Unfinished texts and comments as well."""
    lines = text.count("\n") + 1
    found = read_javascript(text.encode())
    assert all(1 <= place.line <= lines for place in (*found.hooks, *found.calls))
