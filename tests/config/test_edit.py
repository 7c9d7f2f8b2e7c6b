"""Editing one attribute: what was not asked for stays, octet for octet."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.edit import NotEditable, add_child, set_attribute
from tests.config.memory import ROOT, parse

SHIPPED = (ROOT / "conf" / "iaconfig.xml").read_bytes()


def edit(data: str, value: str | None) -> str:
    return set_attribute(data.encode(), "service-gateway", "alias", value).decode()


def test_the_shipped_file_gets_one_attribute_and_keeps_everything_else():
    """Taking the attribute out again gives the file back."""
    edited = set_attribute(SHIPPED, "service-gateway", "alias", "new-cert")
    assert SHIPPED == edited.replace(b' alias="new-cert"', b"", 1)
    assert SHIPPED == set_attribute(edited, "service-gateway", "alias", None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<a><service-gateway/></a>", '<a><service-gateway alias="x"/></a>'),
        ("<a><service-gateway ></service-gateway></a>", '<a><service-gateway alias="x" ></service-gateway></a>'),
        ("<a><service-gateway\n  port='1'\n/></a>", "<a><service-gateway\n  port='1' alias=\"x\"\n/></a>"),
        ("<a><service-gateway alias = 'old'  port='1'/></a>", "<a><service-gateway alias = \"x\"  port='1'/></a>"),
        (
            "<n:a xmlns:n='u'><n:service-gateway/></n:a>",
            "<n:a xmlns:n='u'><n:service-gateway alias=\"x\"/></n:a>",
        ),
        (
            "<a><!-- <service-gateway/> --><service-gateway b='>'/>\r\n<![CDATA[<service-gateway/>]]></a>",
            "<a><!-- <service-gateway/> --><service-gateway b='>' alias=\"x\"/>\r\n<![CDATA[<service-gateway/>]]></a>",
        ),
        (
            "<a><service-gateway port='1'/><service-gateway port='2'/></a>",
            "<a><service-gateway port='1' alias=\"x\"/><service-gateway port='2' alias=\"x\"/></a>",
        ),
        (
            "<a><service-gateways/><service-gateway xalias='1'/></a>",
            "<a><service-gateways/><service-gateway xalias='1' alias=\"x\"/></a>",
        ),
    ],
)
def test_only_the_attribute_changes(before, after):
    """Quotes, blanks, line ends, comments and look-alikes stay."""
    assert after == edit(before, "x")


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15", "utf-16"])
def test_the_encoding_of_the_file_stays(encoding):
    """Letters outside of ASCII in the file and in the value both survive."""
    data = f'<?xml version="1.0" encoding="{encoding}"?><a n="Müller"><service-gateway/></a>'.encode(encoding)
    edited = set_attribute(data, "service-gateway", "alias", "größe<&\"'")
    assert data == set_attribute(edited, "service-gateway", "alias", None)


@pytest.mark.parametrize("data", ["<a/>", "<a><service-gateway></a>", "<!DOCTYPE a><a><service-gateway/></a>", "", "x"])
def test_what_cannot_be_edited_is_refused(data):
    """With a sentence, not with a damaged file."""
    with pytest.raises(NotEditable):
        edit(data, "x")


@pytest.mark.parametrize("value", ["a\0b", "\x1b[2J", "\ud800"])
def test_what_xml_cannot_hold_is_refused(value):
    """Control characters and half characters."""
    with pytest.raises((NotEditable, UnicodeError)):
        edit("<a><service-gateway/></a>", value)


NAMES = st.sampled_from(["service-gateway", "n:service-gateway", "a", "alias", "service-gateway2"])
VALUES = st.text(alphabet="ax<>&'\"= /\n\té", max_size=8)


@st.composite
def tags(draw) -> str:
    name = draw(NAMES)
    written = ""
    for attribute in draw(st.lists(st.sampled_from(["alias", "port", "x:alias"]), unique=True, max_size=3)):
        value = draw(VALUES).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        written += draw(st.sampled_from([" ", "\n  ", "\t"])) + f'{attribute}="{value}"'
    inside = draw(st.sampled_from(["", "text", "<!-- <service-gateway> -->", "<?p <service-gateway?>", "<b c='>'/>"]))
    return f"<{name}{written}>{inside}</{name}>"


@given(st.lists(tags(), max_size=4), VALUES.filter(lambda value: not re.search(r"[\n\t]", value)))
def test_any_document_is_edited_or_refused(tags, value):
    """Never damaged: the result, without what was asked for, is what was there."""
    before = "<r xmlns:n='u' xmlns:x='v'>" + "\n".join([*tags, "<service-gateway/>"]) + "</r>"
    without = edit(before, None)
    assert without == edit(edit(before, value), None)
    assert edit(before, value) == edit(edit(before, value), value)


def test_the_reader_finds_what_the_editor_wrote():
    """`alias` reaches the gateway's configuration."""
    data = "<iaconfig><service-gateway port='1'/></iaconfig>"
    assert "new cert" == parse(edit(data, "new cert")).config.gateways[0].alias
    assert "" == parse(data).config.gateways[0].alias


def test_one_of_several_elements_can_be_chosen() -> None:
    """By its place in the file; the others stay, and so does one in a comment, which does not count."""
    data = b'<a><!-- <g ssl="x"/> --><g ssl="false"/><g ssl="false" port="1"/></a>'
    expected = b'<a><!-- <g ssl="x"/> --><g ssl="false"/><g ssl="true" port="1"/></a>'
    assert expected == set_attribute(data, "g", "ssl", "true", number=1)
    with pytest.raises(NotEditable):
        set_attribute(data, "g", "ssl", "true", number=2)


LISTED = b"""<?xml version="1.0"?>\r
<iaconfig xmlns="http://www.alarmpoint.com/schema">\r
  <!-- <service-configs><path>no</path></service-configs> -->\r
  <service-configs dir="../services">\r
    <path>a/a.xml</path>\r
    <!-- <path>b/b.xml</path> -->\r
  </service-configs>\r
</iaconfig>\r
"""


def test_one_more_child_is_laid_out_as_the_others() -> None:
    """Behind the last, with its indentation and line ends, and everything else stays octet for octet."""
    changed = add_child(LISTED, "service-configs", "path", "c/c.xml")
    line = b"    <path>c/c.xml</path>\r\n"
    assert LISTED == changed.replace(line, b"")
    assert changed.index(b"b/b.xml") < changed.index(line) < changed.rindex(b"</service-configs>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<c><l/></c>", b"<c><l><p>x</p></l></c>"),
        (b'<c><l dir="d" /></c>', b'<c><l dir="d"><p>x</p></l></c>'),
        (b"<c><l></l></c>", b"<c><l><p>x</p></l></c>"),
        (b"<c>\n  <l>\n  </l>\n</c>", b"<c>\n  <l>\n    <p>x</p>\n  </l>\n</c>"),
        (b'<a:c xmlns:a="u"><a:l/></a:c>', b'<a:c xmlns:a="u"><a:l><a:p>x</a:p></a:l></a:c>'),
    ],
)
def test_a_child_is_added_however_the_list_is_written(before: bytes, after: bytes) -> None:
    """Empty, on one line, on several, with a prefix."""
    assert after == add_child(before, "l", "p", "x")


def test_what_a_child_says_is_escaped() -> None:
    """It is read back as it was meant."""
    assert b"<l><p>a&amp;b&lt;&#252;</p></l>" == add_child(b"<l/>", "l", "p", "a&b<ü")


@pytest.mark.parametrize("data", [b"<c/>", b"<c><l></c>", b"<!DOCTYPE c []><c><l/></c>"])
def test_a_list_that_is_not_there_is_not_made(data: bytes) -> None:
    """Nor is anything guessed about a file that is not well-formed."""
    with pytest.raises(NotEditable):
        add_child(data, "l", "p", "x")
