from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import values
from agent.config.values import Unfit


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


READERS: dict[str, Callable[[str], Any]] = {
    "text": values.text,
    "boolean": values.boolean,
    "whole": values.whole(0, 10),
    "decimal": values.decimal(0, 10),
    "milliseconds": values.milliseconds(0, 10_000),
    "port": values.port,
    "listening_port": values.listening_port,
    "choice": values.choice(Colour),
    "host": values.host,
    "web_url": values.web_url(query=True),
    "name": values.name,
    "service_part": values.service_part,
    "header_name": values.header_name,
    "header_value": values.header_value,
}

ODD = st.one_of(
    st.text(),
    st.from_regex(r"https?://[\[\]a-z0-9:@/?#%.-]{0,30}", fullmatch=True),
    st.from_regex(r"[-+0-9eE._]{1,30}", fullmatch=True),
)


@settings(max_examples=400)
@given(name=st.sampled_from(sorted(READERS)), text=ODD)
def test_readers_raise_unfit_and_nothing_else(name, text):
    """Whatever stands in the file becomes a value or a sentence on one printable line."""
    try:
        READERS[name](text)
    except Unfit as unfit:
        assert str(unfit).isprintable()


GOOD = [
    ("boolean", "true", True),
    ("boolean", "0", False),
    ("whole", "10", 10),
    ("decimal", "2.5", 2.5),
    ("milliseconds", "1500", 1.5),
    ("port", "65535", 65535),
    ("listening_port", "0", 0),
    ("choice", "red", Colour.RED),
    ("host", "agent.example.com", "agent.example.com"),
    ("host", "my_host-1", "my_host-1"),
    ("host", "[2001:db8::1]", "2001:db8::1"),
    ("host", "192.0.2.1", "192.0.2.1"),
    ("web_url", "https://[2001:db8::1]:8443/a?b=c", "https://[2001:db8::1]:8443/a?b=c"),
    ("service_part", "sample-plan", "sample-plan"),
    ("service_part", "Pumpen_Süd.2", "Pumpen_Süd.2"),
    ("service_part", "Pumpen Süd", "Pumpen Süd"),
    ("header_name", "X-Api-Key", "X-Api-Key"),
]


@pytest.mark.parametrize(("reader", "text", "value"), GOOD)
def test_good_values_are_taken(reader, text, value):
    """What operators write is understood."""
    assert value == READERS[reader](text)


BAD = [
    ("boolean", "True", '"True" is neither true nor false'),
    ("whole", "1_0", '"1_0" is not a whole number from 0 to 10'),
    ("whole", "٣", '"٣" is not a whole number from 0 to 10'),
    ("whole", "11", '"11" is not a whole number from 0 to 10'),
    ("decimal", "nan", '"nan" is not a number from 0 to 10'),
    ("decimal", "1e1", '"1e1" is not a number from 0 to 10'),
    ("milliseconds", "20 s", '"20 s" is not a number of milliseconds from 0 to 10000'),
    ("port", "80810", '"80810" is not a port (1-65535)'),
    ("port", "0", '"0" is not a port (1-65535)'),
    ("port", "-1", '"-1" is not a port (1-65535)'),
    ("choice", "gren", '"gren" is not red or green (did you mean "green"?)'),
    ("host", "300.1.1.1", '"300.1.1.1" is neither a host name nor an address'),
    ("host", "a b", '"a b" is neither a host name nor an address'),
    ("host", "-a.example", '"-a.example" is neither a host name nor an address'),
    ("host", "bücher.example", '"bücher.example" is not ASCII; write the name in its xn-- form'),
    ("web_url", "ftp://a/", '"ftp://a/" does not begin with http:// or https://'),
    ("web_url", "http:///x", '"http:///x" names no host'),
    ("web_url", "http://u:p@a/", "credentials do not belong into a URL: it is shown and logged"),
    ("web_url", "ftp://u:p @a/", "credentials do not belong into a URL: it is shown and logged"),
    ("web_url", "http://a/#f", '"http://a/#f" has a fragment ("#..."), which is never sent'),
    ("web_url", "http://a:0/", '"http://a:0/" names port "0", which is not a port (1-65535)'),
    ("name", "../x", '"../x" is not a name: 1 to 64 letters, digits, dots, underscores and hyphens'),
    ("header_name", "a b", '"a b" is not the name of an HTTP header'),
    ("header_value", "a\r\nb", '"a\\r\\nb" holds a line break or another control character'),
    ("header_value", "ü", '"ü" is not ASCII, as values of HTTP headers must be'),
]


@pytest.mark.parametrize(("reader", "text", "sentence"), BAD)
def test_bad_values_are_refused_with_the_value(reader, text, sentence):
    """The sentence repeats the value found and says what is expected."""
    with pytest.raises(Unfit) as caught:
        READERS[reader](text)
    assert sentence == str(caught.value)


@pytest.mark.parametrize("text", ["a|b", "a/b", " b", "b ", "a\xa0b", "a\u2028b", "..", "a?b", "a%20b", "x" * 129])
def test_service_names_survive_in_a_url(text):
    """What would break the URL or the agent client id is refused."""
    with pytest.raises(Unfit):
        values.service_part(text)


def test_servers_have_no_query():
    """The same URL is refused where a query may not stand."""
    with pytest.raises(Unfit):
        values.web_url(query=False)("http://a/?b")


@given(number=st.integers(-(10**20), 10**20))
def test_whole_numbers_keep_their_range(number):
    """Exactly the numbers of the range are taken."""
    read = values.whole(-5, 5)
    if -5 <= number <= 5:
        assert number == read(str(number))
    else:
        with pytest.raises(Unfit):
            read(str(number))
