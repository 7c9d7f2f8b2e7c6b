"""The quick yes: what it says yes to, the thorough reader accepts as well."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.event import BodyKind
from agent.event.body import BodyReader
from agent.event.plain import MAX_PLAIN_BYTES, is_plain
from agent.event.xml import MAX_ATTRIBUTES, XmlReader
from tests.support.gateway import SEED

DEPTH = 64


def plain(body: bytes) -> bool:
    return is_plain(body, max_depth=DEPTH, max_attributes=MAX_ATTRIBUTES)


@pytest.mark.parametrize(
    "body",
    [
        SEED,
        b"<event/>",
        b'<?xml version="1.0"?>\n<a b="1" c=\'2\'>&lt;&#65;&#x42;</a>\n',
        '<a größe="1">€ 𝄞</a>'.encode(),
        b"<a>" * 63 + b"<b/>" + b"</a>" * 63,
        b"<a>What? Now! At 10:15:00</a>",
        b'<?xml version="1.0" encoding="utf-8"?><a>?</a>',
    ],
)
def test_plain_events_are_known(body: bytes) -> None:
    """The events of the documentation, and what is shaped like them, take the quick way."""
    assert plain(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xef\xbb\xbf<a/>",
        b" <a/>",
        b"<!DOCTYPE a><a/>",
        b"<a><!-- x --></a>",
        b"<a><![CDATA[x]]></a>",
        b"<a><?x:y z?></a>",
        b'<a xmlns="u"/>',
        b"<p:a/>",
        b"<a>&nbsp;</a>",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        b"<a></b>",
        b"<a/><b/>",
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        b'<?xml version="1.1"?><a/>',
        b"<a>" * DEPTH + b"</a>" * DEPTH,
        b"<a " + b" ".join(b'a%d=""' % number for number in range(MAX_ATTRIBUTES + 1)) + b"/>",
        b"<a>" + b"x" * MAX_PLAIN_BYTES + b"</a>",
        b"<transaction><header><method>add</method></header></transaction>",
        b"<a><b:c/></a>",
        b'<a b:c="1"/>',
    ],
)
def test_everything_else_is_left_to_the_thorough_reader(body: bytes) -> None:
    """Whatever two parsers could see in two ways, or a limit could matter for, is not plain."""
    assert not plain(body)


@given(st.one_of(st.text("<>/ab:&;#x1!-[]?=\"' \n\t\r\0", max_size=60).map(str.encode), st.binary(max_size=60)))
@example(b'<a xml:id="1 2"/>')
@example(b'<a b="\n"/>')
@example("<a\u0300/>".encode())
@example(b"<a>\xef\xbf\xbe</a>")
@example(b"<a>&#0;</a>")
@example(b"<a>]]></a>")
def test_a_quick_yes_is_never_wrong(body: bytes) -> None:
    """What is plain is accepted by libxml2, which the services read it with."""
    if plain(body) or plain(b"<a>" + body + b"</a>"):
        XmlReader(max_depth=DEPTH).check(body if plain(body) else b"<a>" + body + b"</a>")


def test_the_transports_charset_counts() -> None:
    """A document that the transport says is not UTF-8 is not read as UTF-8, however plain it looks."""
    reader = BodyReader(max_depth=DEPTH)
    assert reader.is_plain(SEED, "utf-8")
    assert not reader.is_plain(SEED, "utf-16")
    assert BodyKind.XML is reader.check(SEED, "latin1")
    with pytest.raises(SenderError):
        reader.check(SEED, "utf-7")
