"""The hardened XML reader."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from agent.errors import SenderError
from agent.event.xml import XmlReader, parse_xml
from tests.support.gateway import SEED

DEPTH = 64


def refusal(body: bytes, charset: str | None = None, *, max_depth: int = DEPTH) -> SenderError:
    with pytest.raises(SenderError) as caught:
        XmlReader(max_depth=max_depth).check(body, charset)
    return caught.value


def test_reads_the_seed() -> None:
    """The vendor's own sample event is an acceptable document."""
    assert "Victoria" == parse_xml(SEED, max_depth=DEPTH).findtext("properties/city")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("UTF-8", "Zürich ☃"), ("UTF-16", "Zürich ☃"), ("ISO-8859-1", "Zürich"), ("windows-1252", "Zürich €")],
)
def test_honours_the_declared_encoding(encoding: str, text: str) -> None:
    """Text arrives as it was written, in each of the usual encodings."""
    body = f'<?xml version="1.0" encoding="{encoding}"?><a>{text}</a>'.encode(encoding)
    assert text == parse_xml(body, max_depth=DEPTH).text


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is empty"),
        (b" \r\n", "The body is empty"),
        (b"<a>", "Line 1, column 4: the document is cut off: the element <a> begun in line 1 has no end tag"),
        (b'<a>\n<b x="1', "the document is cut off"),
        (b"<a>\n <b></a>", "Line 2, column 9: </a> does not end the element <b> that was begun last"),
        (b"<a>Q & A</a>", "a plain '<' or '&' must be written as &lt; or &amp;"),
        (b"<a>&nbsp;</a>", "the entity &nbsp; is not defined"),
        (b"<a>x&y</a>", "not ended by ';'"),
        (b"<a/>junk", "something follows the end of the document"),
        (b"<a/><b/>", "something follows the end of the document"),
        (b"<a b=1/>", "must stand in quotes"),
        (b'<a b="1" b="2"/>', "the attribute 'b' is given twice"),
        (b'<a b="<"/>', "must be written as &lt;"),
        (b"<p:a/>", "the namespace prefix 'p' is not declared"),
        (b' <?xml version="1.0"?><a/>', "must be the very first thing"),
        (b"<a>\x00</a>", "a control character is not allowed"),
        (b"<a>\x1b[31m</a>", "a control character is not allowed"),
        (b"<a>\xff</a>", "not valid UTF-8"),
        (b"hello", "does not begin with an element"),
        (b'<?xml version="2.0"?><a/>', "version"),
    ],
)
def test_says_plainly_what_is_wrong(body: bytes, sentence: str) -> None:
    """Each of the common faults gets a 400 with line, column and a sentence without libxml2's jargon."""
    error = refusal(body)
    assert 400 == error.status
    assert sentence in error.sentence
    assert error.sentence.endswith(".")
    assert "xmlParse" not in error.sentence and "\x1b" not in error.sentence


LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %b "%b">' % (bytes([98 + n]), b"&%b;" % bytes([97 + n]) * 10) for n in range(9))
    + b"]><a>&j;</a>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE a><a/>",
        b'<?xml version="1.0"?>\n<!-- x --><?pi y?><!DOCTYPE a><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://192.0.2.1/x.dtd"> %x;]><a/>',
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd"><a/>',
        b"<!doctype html><html/>",
        LAUGHS,
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
        b"\xef\xbb\xbf<!DOCTYPE a><a/>",
    ],
)
def test_any_doctype_is_refused(body: bytes) -> None:
    """Internal, external and parameter entities never reach the parser, in no encoding."""
    error = refusal(body)
    assert "xml-doctype" == error.code
    assert error.sentence.startswith("Line ")


def test_a_doctype_in_text_is_text() -> None:
    """What merely mentions a DOCTYPE, in CDATA or a comment, is an ordinary event."""
    root = parse_xml(b"<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE html>]]></a>", max_depth=DEPTH)
    assert "<!DOCTYPE html>" == "".join(root.itertext(tag=etree.Element("a").tag))


def test_nothing_outside_is_touched(tmp_path: Path) -> None:
    """XInclude, schema locations and style sheets stay text."""
    secret = tmp_path / "secret"
    secret.write_text("canary")
    body = f"""<?xml-stylesheet href="{secret.as_uri()}"?><a xmlns:xi="http://www.w3.org/2001/XInclude"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="u {secret.as_uri()}">
      <xi:include href="{secret.as_uri()}" parse="text"/></a>"""
    assert b"canary" not in etree.tostring(parse_xml(body.encode(), max_depth=DEPTH))


@pytest.mark.parametrize("limit", [1, 2, 64, 200])
def test_the_depth_limit_is_exact(limit: int) -> None:
    """Exactly `max_depth` levels pass, one more does not, whether the innermost has an end tag or not."""
    XmlReader(max_depth=limit).check(b"<a>" * limit + b"</a>" * limit)
    for body in (b"<a>" * (limit + 1) + b"</a>" * (limit + 1), b"<a>" * limit + b"<a/>" + b"</a>" * limit):
        assert "xml-too-deep" == refusal(body, max_depth=limit).code


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 100_000,
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>",
        b"<a " + b" ".join(b'xmlns:a%d="u"' % n for n in range(50_000)) + b"/>",
        b"<" + b"a" * 1_000_000,
        b"<a>" + b"<!--" * 200_000,
        b"<!--" + b"-" * 500_000,
        b"<?" + b"?" * 500_000,
        b" " * 500_000 + b"<!",
        b"<!DOCTYPE" * 50_000,
    ],
)
def test_monsters_cost_bounded_time(body: bytes) -> None:
    """However the bytes are arranged, the verdict comes in a time that grows with their number only."""
    begun = time.process_time()
    try:
        XmlReader(max_depth=DEPTH).check(body)
    except SenderError as error:
        assert 400 == error.status
    assert time.process_time() - begun < 2.0


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "utf-16", "latin1", "us-ascii", "x"]))
def test_every_failure_is_the_senders(body: bytes, charset: str | None) -> None:
    """Whatever the bytes, there is either a document or a 400 or 415; no other exception escapes."""
    try:
        XmlReader(max_depth=DEPTH).check(body, charset)
    except SenderError as error:
        assert error.status in (400, 415)
        assert error.sentence.isprintable()


@given(st.text("<>/ab&;!-[]?x=\"' \n", max_size=60))
def test_agrees_with_a_second_parser(text: str) -> None:
    """What Python's expat accepts is accepted here, and the other way round (no DOCTYPE can arise)."""
    from xml.parsers import expat

    def expat_accepts(body: bytes) -> bool:
        try:
            expat.ParserCreate(namespace_separator=" ").Parse(body, True)
        except expat.ExpatError:
            return False
        return True

    def we_accept(body: bytes) -> bool:
        try:
            XmlReader(max_depth=DEPTH).check(body)
        except SenderError:
            return False
        return True

    body = text.encode()
    assert expat_accepts(body) == we_accept(body)


def test_a_reader_goes_on_after_an_error() -> None:
    """One bad document leaves nothing behind that the next could feel."""
    reader = XmlReader(max_depth=DEPTH)
    for _ in range(3):
        with pytest.raises(SenderError, match="cut off"):
            reader.check(b"<a>")
        reader.check(SEED)


@pytest.mark.parametrize(
    ("body", "charset", "blamed"),
    [
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', "utf-8", "charset parameter"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>', None, "the XML declaration says 'UTF-8'"),
        (b"<a>\xe9</a>", None, "nothing names another"),
        (b"<a>\xe9</a>", "us-ascii", "charset parameter"),
    ],
)
def test_the_one_who_named_the_encoding_is_blamed(body: bytes, charset: str | None, blamed: str) -> None:
    """Content-Type, declaration or default: the sentence names the one that decided."""
    error = refusal(body, charset)
    assert ("bad-encoding", 400) == (error.code, error.status)
    assert blamed in error.sentence


@pytest.mark.parametrize(
    ("before", "line", "column"),
    [
        (b"", 1, 3 * 64 + 1),
        (b"\n\n", 3, 3 * 64 + 1),
        (b"<!-- <b> -->\n<?p <b> ?><x y='/>'/><x y='>'></x><![CDATA[<b>]]>", 2, 49 + 3 * 63 + 1),
    ],
)
@pytest.mark.parametrize("levels", [65, 255, 400])
def test_what_is_too_deep_has_a_place(before: bytes, line: int, column: int, levels: int) -> None:
    """Line and column of the first element below the limit, also where libxml2 itself gives up; what only looks like a
    tag does not count."""
    body = (b"<a>" + before if before.strip() else before + b"<a>") + b"<a>" * (levels - 1) + b"</a>" * levels
    error = refusal(body)
    assert "xml-too-deep" == error.code
    assert f"Line {line}, column {column}: " in error.sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<" + b"a" * 60_000 + b"/>", "a name is too long (libxml2's limit for names is 50,000 bytes)"),
        (b"<a " + b"b" * 60_000 + b"='1'/>", "a name is too long"),
        (b"<a>" + b"x" * 10_000_001 + b"</a>", "one text, attribute value or comment is too long"),
        (b"<a><!--" + b"x" * 10_000_001 + b"--></a>", "one text, attribute value or comment is too long"),
    ],
)
def test_the_limits_of_the_parser_are_told_apart(body: bytes, sentence: str) -> None:
    """A long name meets another limit than a long text, and the sentence says which."""
    assert sentence in refusal(body).sentence


def test_the_attributes_of_an_element_are_limited() -> None:
    """1000 pass, one more does not; many elements with a few each are no matter."""

    def element(count: int) -> bytes:
        return b"<e " + b" ".join(b'a%d="1"' % number for number in range(count)) + b"/>"

    XmlReader(max_depth=DEPTH).check(b"<a>\n" + element(1000) + b"</a>")
    XmlReader(max_depth=DEPTH).check(b"<a>" + element(5) * 1000 + b"</a>")
    error = refusal(b"<a>\n" + element(1001) + b"</a>")
    assert ("xml-too-many-attributes", 400) == (error.code, error.status)
    assert "Line 2: the element <e> has more than 1000 attributes." in error.sentence
    refusal(element(100_000))
