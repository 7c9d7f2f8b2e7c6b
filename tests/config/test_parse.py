from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.model import LogConfig, LogLevel
from agent.names import ServiceName
from tests.config.memory import (
    DESCRIPTOR,
    HOME,
    NAMESPACE,
    ROOT,
    MemoryFiles,
    config_of,
    parse,
    problems_of,
    wrapped,
    wrapped_problems,
)

SHIPPED = (ROOT / "conf" / "iaconfig.xml").read_text(encoding="utf-8")
SHIPPED_FILES = MemoryFiles(
    {
        "services/sample-plan/sample-plan.xml": (ROOT / "services/sample-plan/sample-plan.xml").read_bytes(),
        "services/sample-plan/sample_plan.py": "",
    }
)

TEN_FAULTS = """<iaconfig xmlns="http://www.alarmpoint.com/schema">
<service-gateway ssl="maybe" host="a b" port="80810">
<limits><max-pipelined>many</max-pipelined></limits></service-gateway>
<log level="loud"/><destinations>
<destination name="a" url="ftp://example.com/"/>
<destination url="http://example.com/"/>
</destinations>
<service-configs>
<path>nowhere/nowhere.xml</path>
<path>../../etc/passwd</path>
</service-configs>
<primary-servers><url>http://a/?q</url></primary-servers>
</iaconfig>
"""


def test_ten_faults_are_ten_lines_in_the_order_of_the_file():
    """Nothing hides anything, and nothing is told twice."""
    assert [
        'iaconfig.xml:2: service-gateway/@ssl: "maybe" is neither true nor false',
        'iaconfig.xml:2: service-gateway/@host: "a b" is neither a host name nor an address',
        'iaconfig.xml:2: service-gateway/@port: "80810" is not a port (1-65535)',
        'iaconfig.xml:3: service-gateway/limits/max-pipelined: "many" is not a whole number from 1 to 10000',
        'iaconfig.xml:4: log/@level: "loud" is not debug, info, warn or error',
        'iaconfig.xml:5: destinations/destination/@url: "ftp://example.com/" does not begin with http:// or https://',
        'iaconfig.xml:6: destinations/destination: the attribute "name" is missing',
        "iaconfig.xml:9: service-configs/path: the descriptor services/nowhere/nowhere.xml does not exist",
        'iaconfig.xml:10: service-configs/path: "../../etc/passwd" leads out of the folder services',
        'iaconfig.xml:12: primary-servers/url: "http://a/?q" has a query ("?..."), which is not allowed here',
    ] == problems_of(TEN_FAULTS, MemoryFiles({"services/a.xml": ""}))


@pytest.mark.parametrize("name", ["iaconfig.xml", "IAConfig.xml"])
def test_the_shipped_configuration_is_without_problem_or_warning(name):
    """What `iadmin init` writes is right, and says in its text what the defaults are."""
    parsed = parse(SHIPPED, SHIPPED_FILES, name=name)
    assert () == parsed.warnings
    (gateway,) = parsed.config.gateways
    assert ("127.0.0.1", 8081, False) == (gateway.host, gateway.port, gateway.ssl)
    assert ["applications|sample-plan"] == [service.name.client_id for service in parsed.config.services]


def test_the_values_shown_in_the_shipped_file_are_the_defaults():
    """Taking any section out of the shipped file, other than gateway and services, changes nothing."""
    shipped = parse(SHIPPED, SHIPPED_FILES).config
    bare = config_of("")
    assert bare.gateways[0].limits == shipped.gateways[0].limits
    assert (bare.log, bare.platform, bare.destinations) == (shipped.log, shipped.platform, shipped.destinations)


def test_a_comment_shows_a_destination_that_works():
    """The example in the shipped file's comment can be taken out of it and used."""
    start = SHIPPED.index('      <destination name="xmatters"')
    example = SHIPPED[start : SHIPPED.index("</destination>", start) + len("</destination>")]
    config = config_of(f"<destinations>{example}</destinations>", MemoryFiles({"conf/.xmatters-password": "x"}))
    assert ["xmatters", "outbox"] == [destination.name for destination in config.destinations]
    assert config_of("").destinations[0].retry == config.destinations[0].retry


@pytest.mark.parametrize("namespace", [NAMESPACE, "urn:example:other", ""])
def test_any_namespace_reads_the_same(namespace):
    """A file of the original, whose namespace is not published, means what it says."""
    text = SHIPPED.replace(f'xmlns="{NAMESPACE}"', f'xmlns="{namespace}"')
    assert parse(SHIPPED, SHIPPED_FILES).config == parse(text, SHIPPED_FILES).config


def test_sections_are_found_anywhere_below_any_root():
    """How the original nests its sections is not published: what is known counts, the rest is told."""
    text = '<agent><transport>\n<service-gateway port="9000"/></transport></agent>'
    assert 9000 == parse(text).config.gateways[0].port
    assert [
        'iaconfig.xml:1: warning: agent: the root element is "agent", not "iaconfig"; read as if it were',
        'iaconfig.xml:1: warning: transport: the element "transport" is not known; only what is known inside it is ',
    ] == sorted(line.removesuffix("used (service-gateway)") for line in problems_of(text))


def test_another_file_is_not_taken_for_a_configuration():
    """A root of another name without any section is an error."""
    problems = problems_of("<html><body/></html>")
    assert any('"html", not "iaconfig", and nothing in it is known: another file?' in line for line in problems)


def test_the_outermost_of_two_counts():
    """An id inside an unknown element is that element's, when the agent has its own."""
    text = wrapped("<smtp><id>7</id></smtp><id> plant7 </id>")
    assert "plant7" == parse(text).config.agent_id
    assert ['iaconfig.xml:1: warning: smtp: the element "smtp" is not known; it is left alone'] == problems_of(text)


def test_a_section_that_stands_twice_is_an_error():
    """Which of the two would count, nobody could know."""
    assert ['iaconfig.xml:2: log: "log" may stand only once; the first is in line 1'] == wrapped_problems(
        "<log/>\n<log/>"
    )


def test_the_default_id_names_machine_and_port():
    """Computer name, address and gateway port, as in the original."""
    assert "plant7/192.0.2.10:8081" == config_of("").agent_id


def test_the_log_is_read():
    """Three attributes, each with its default."""
    assert (
        LogConfig(level=LogLevel.DEBUG, max_file_bytes=20_000, max_files=9)
        == config_of('<log level="debug" max-file-bytes="20000"/>').log
    )


@pytest.mark.parametrize("written", ["p/pumps.xml", r"p\pumps.xml", "./p/../p/pumps.xml"])
def test_paths_in_every_spelling(written):
    """Slashes of both systems lead to the same descriptor."""
    files = MemoryFiles({"services/p/pumps.xml": DESCRIPTOR, "services/p/pumps.py": ""})
    config = config_of(f"<service-configs><path>{written}</path></service-configs>", files)
    assert [HOME / "services/p/pumps.xml"] == [service.descriptor for service in config.services]


def test_a_leading_slash_is_relative_and_warns():
    """Real installations have it; it never meant the root of the disk."""
    files = MemoryFiles({"services/p/pumps.xml": DESCRIPTOR, "services/p/pumps.py": ""})
    parsed = parse(wrapped("<service-configs><path>/p/pumps.xml</path></service-configs>"), files)
    assert [ServiceName(domain="applications", name="pumps")] == [service.name for service in parsed.config.services]
    assert ['"/p/pumps.xml" begins with a slash'] == [problem.text.split(";")[0] for problem in parsed.warnings]


def test_services_are_unique_by_name_by_url_and_by_file():
    """The second of two is told, with where the first is."""
    other = DESCRIPTOR.replace(">applications<", ">a_b<").replace(">pumps<", ">c<")
    same_url = DESCRIPTOR.replace(">applications<", ">a<").replace(">pumps<", ">b_c<")
    files = MemoryFiles(
        {
            "services/1.xml": DESCRIPTOR,
            "services/2.xml": DESCRIPTOR,
            "services/3.xml": other,
            "services/4.xml": same_url,
            "services/pumps.py": "",
        }
    )
    paths = "".join(f"<path>{name}.xml</path>\n" for name in (1, 2, 3, 4, 1))
    listed = f"<service-configs>{paths}</service-configs>"
    assert [
        'iaconfig.xml:2: service-configs/path: the service "applications|pumps" is already defined by services/1.xml',
        'iaconfig.xml:4: service-configs/path: the services "a|b_c" and "a_b|c" (services/3.xml) share the URL',
        'iaconfig.xml:5: service-configs/path: "1.xml" is listed twice; the first is in line 1',
    ] == [line.removesuffix(' "/http/a_b_c"') for line in wrapped_problems(listed, files)]


def test_a_missing_folder_is_told_once():
    """Not once more for each of its descriptors."""
    paths = "<path>a.xml</path><path>b.xml</path>"
    assert ["iaconfig.xml:1: service-configs/@dir: the folder nowhere does not exist"] == wrapped_problems(
        f'<service-configs dir="../nowhere">{paths}</service-configs>'
    )


XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\ufffe\uffff")).map(
    lambda text: "".join(c for c in text if c >= " " or c in "\t\n\r")
)
PLACES = (
    "<service-gateway ssl={0} host={0} port={0} {1}={0}/>",
    "<destinations><destination name={0} type={0} url={0} method={0}><header name={0}/></destination></destinations>",
    "<destinations><destination name='x' url={0}><basic><user>{2}</user></basic></destination></destinations>",
    "<destinations><destination><basic><password-file>{2}</password-file></basic></destination></destinations>",
    "<service-configs dir={0}><path>{2}</path></service-configs>",
    "<log level={0} max-files={0}/><heartbeat interval={0}/><id>{2}</id>",
    "<service-gateway><limits><max-body-bytes>{2}</max-body-bytes><idle-timeout-s>{2}</idle-timeout-s></limits></service-gateway>",
    "<primary-servers><url>{2}</url></primary-servers><proxy-config><proxy-host>{2}</proxy-host></proxy-config>",
)


@settings(max_examples=300, deadline=None)
@given(text=XML_TEXT, place=st.sampled_from(PLACES), attribute=st.sampled_from(["x", "Port", "sll"]))
def test_arbitrary_values_give_problems_and_never_raise(text, place, attribute):
    """Whatever an operator writes into a value, the answer is a configuration or lines on one printable line each."""
    quoted = quoteattr(text)
    inner = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for line in wrapped_problems(place.format(quoted, attribute, inner)):
        assert line.isprintable()
        assert line.startswith("iaconfig.xml:")
