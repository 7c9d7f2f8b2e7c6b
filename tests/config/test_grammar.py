from __future__ import annotations

import pytest
from lxml import etree

from agent.config.document import NAMESPACE, parse_document
from agent.config.grammar import RNG, Grammar, set_aside
from agent.config.problem import Problem
from agent.config.section import Problems
from tests.config.memory import ROOT, SCHEMA, config_of, wrapped_problems


def test_the_vocabulary_is_read_from_the_grammar():
    """Names are known exactly when they stand in iaconfig.rng; both kinds of destination are one word."""
    word = Grammar(SCHEMA).word("iaconfig")
    assert {"service-gateway", "destinations", "log", "id"} < set(word.children)
    destination = word.children["destinations"].children["destination"]
    assert {"name", "type", "url", "method"} <= destination.attributes
    assert {"header", "basic", "timeout-s", "concurrency", "max-answer-bytes", "retry"} <= set(destination.children)
    assert not destination.takes_text
    assert destination.children["basic"].children["user"].takes_text


def test_units_are_optional_where_they_stand():
    """Units are taken out before the element around them is checked, so none may be required."""
    grammar = etree.fromstring(SCHEMA)
    defines = {
        define.get("name"): define
        for define in grammar.iterfind(f"{RNG}define")
        if define.find(f".//{RNG}element") is not None
    }
    for ref in grammar.iterfind(f"{RNG}define//{RNG}ref"):
        if ref.get("name") in defines:
            above = {ancestor.tag for ancestor in ref.iterancestors()}
            assert above & {f"{RNG}optional", f"{RNG}zeroOrMore"}, ref.get("name")


@pytest.mark.parametrize(
    ("path", "define"),
    [
        ("conf/iaconfig.xml", "iaconfig"),
        ("conf/deduplicator-filter.xml", "deduplicator"),
        ("services/sample-plan/sample-plan.xml", "integration-service"),
    ],
)
def test_the_shipped_files_follow_the_grammar(path, define):
    """An editor that checks by RELAX NG has nothing to say about what we ship."""
    schema = etree.RelaxNG(etree.fromstring(SCHEMA))
    assert schema.validate(etree.parse(ROOT / path)), schema.error_log
    root = parse_document(path, (ROOT / path).read_bytes())
    assert not isinstance(root, Problem)
    assert Grammar(SCHEMA).check(root, define) is None


FAULTS = [
    ("basic", b"<basic><user>a</user></basic>"),
    ("heartbeat", b'<heartbeat interval="x"/>'),
    ("limits", b"<limits>\n<max-pipelined>x</max-pipelined></limits>"),
    ("retry", b"<retry><factor>1</factor>\n<factor>2</factor></retry>"),
    ("filter", b'<filter name="a"><predicates/></filter>'),
]


def test_a_fault_has_the_line_of_the_element():
    """What the readers let pass, the grammar reports with line and a plain sentence."""
    faults = {}
    for define, text in FAULTS:
        root = parse_document("a.xml", text)
        assert not isinstance(root, Problem)
        faults[define] = Grammar(SCHEMA).check(root, define)
    surplus = "does not belong here, stands too often or does not hold what it should"
    assert {
        "basic": (1, 'the element "password-file" is missing'),
        "heartbeat": (1, 'the attribute "interval" does not belong here, or its value does not fit'),
        "limits": (1, f'"max-pipelined" {surplus}'),
        "retry": (1, f'"factor" {surplus}'),
        "filter": (1, 'the element "predicate" is missing'),
    } == faults


def test_the_grammar_catches_what_no_value_shows():
    """An outbox with the settings of an http destination is refused although every value is right."""
    outbox = '<destination name="b" type="outbox">\n<timeout-s>3</timeout-s></destination>'
    (problem,) = wrapped_problems(f"<destinations>\n{outbox}</destinations>")
    assert problem.startswith('iaconfig.xml:3: destinations/destination: "timeout-s" does not belong here')


def test_one_faulty_unit_does_not_hide_another():
    """Two destinations are wrong, both are told."""
    entry = '<destination name="{}" type="outbox"><timeout-s>3</timeout-s></destination>'
    problems = wrapped_problems(f"<destinations>{entry.format('a')}\n{entry.format('b')}</destinations>")
    assert 2 == len(problems)


def test_a_fault_is_told_once():
    """The grammar is silent about an element that a reader has already refused."""
    assert ['iaconfig.xml:1: service-gateway/@port: "x" is not a port (1-65535)'] == wrapped_problems(
        '<service-gateway port="x"/>'
    )


def test_unknown_names_warn_with_a_suggestion():
    """A slip in a name is a warning with its line and the name that was probably meant."""
    attribute, element = wrapped_problems('<service-gateway port="8082" prot="1">\n<limit/></service-gateway>')
    rest = "; it is left alone"
    place = "iaconfig.xml:1: warning: service-gateway: "
    assert place + 'the attribute "prot" is not known (did you mean "port"?)' + rest == attribute
    place = "iaconfig.xml:2: warning: service-gateway/limit: "
    assert place + 'the element "limit" is not known here (did you mean "limits"?)' + rest == element


def test_an_attribute_that_is_an_element_and_the_other_way_round():
    """The name is right, the spelling of it is not: the warning says how it is written."""
    attribute, element = wrapped_problems(
        '<destinations><destination name="a" url="http://x/" timeout-s="3">\n<method>PUT</method>'
        "</destination></destinations>"
    )
    assert 'the attribute "timeout-s" is not known; write it as an element inside: <timeout-s>; it is' in attribute
    assert 'the element "method" is not known here; write it as an attribute: method="..."; it is' in element


def test_attributes_for_xml_tools_are_not_mentioned():
    """xml:lang and xsi:schemaLocation mean nothing to the agent and disturb nobody."""
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    assert [] == wrapped_problems(f'<log xmlns:xsi="{xsi}" xsi:schemaLocation="{NAMESPACE} a.xsd" xml:lang="en"/>')


def test_text_between_elements_is_a_fault():
    """A setting that lost its tags is not ignored."""
    assert ['iaconfig.xml:1: apxml-exchange: the text "5" does not belong here'] == wrapped_problems(
        "<apxml-exchange><size>1</size>5</apxml-exchange>"
    )


def test_fixed_values_are_read_in_any_case():
    """`TRUE` and `Active` leave no doubt; what is no value of the grammar stays what it is."""
    root = parse_document(
        "f",
        b'<integration-service version="V1"><initial-state> Active </initial-state><later-pass>FALSE</later-pass>'
        b'<name>TRUE</name><mapped-input method="AUTO"><parameter type="NUMERIC">STRING</parameter></mapped-input>'
        b'<constants><constant overwrite="True">Auto</constant><constant overwrite="Yes"/></constants>'
        b"</integration-service>",
    )
    assert not isinstance(root, Problem)
    set_aside(root, Grammar(SCHEMA).word("integration-service"), Problems(file="f"))
    assert (
        '<integration-service version="V1"><initial-state>active</initial-state><later-pass>false</later-pass>'
        '<name>TRUE</name><mapped-input method="AUTO"><parameter type="numeric">STRING</parameter></mapped-input>'
        '<constants><constant overwrite="true">Auto</constant><constant overwrite="Yes"/></constants>'
        "</integration-service>"
    ) == etree.tostring(root, encoding="unicode").replace(f' xmlns:ns0="{NAMESPACE}"', "").replace("ns0:", "")


def test_the_configuration_takes_any_case_too():
    """The gateway's own switch."""
    assert config_of('<service-gateway port="1" ssl="TRUE"/>').gateways[0].ssl


@pytest.mark.parametrize(("define", "text"), FAULTS)
def test_what_fits_as_a_whole_has_no_fault(define, text):
    """The quick look at a whole and the long one at each unit agree; a name that several units share is never sure."""
    grammar = Grammar(SCHEMA)
    element = parse_document("iaconfig.xml", text)
    assert not isinstance(element, Problem)
    assert not grammar.fits(element, define)
    assert grammar.check(element, define) is not None


def test_a_whole_file_fits_at_one_look():
    """What we ship is not looked at unit by unit."""
    grammar = Grammar(SCHEMA)
    root = parse_document("iaconfig.xml", (ROOT / "conf/iaconfig.xml").read_bytes())
    assert not isinstance(root, Problem)
    assert grammar.fits(root, "iaconfig")
    assert not grammar.fits(root, "destinations")
