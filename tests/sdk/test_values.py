"""agent.sdk.values: types guessed as the original does, and nothing a sender said is lost on the way to a dict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from agent.sdk import guess_value
from agent.sdk.values import text_of, to_properties


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"true"', True),
        ("'FALSE'", False),
        ('"False"', False),
        ("true", "true"),
        ("42", "42"),
        ("'other'", "'other'"),
        ("\"true'", "\"true'"),
        ('["a", 1]', ["a", 1]),
        ('{"a": {"b": null}}', {"a": {"b": None}}),
        ('"Building A"', "Building A"),
        ('"say \\"hi\\""', 'say "hi"'),
        ('"42"', "42"),
        ("", ""),
        ('"', '"'),
        ("[", "["),
        # Section 9.3: in the original this fails to parse and kills the message.
        ("[disk full] on [sda]", "[disk full] on [sda]"),
        ("{broken}", "{broken}"),
        ('"a" and "b"', '"a" and "b"'),
        ("[NaN]", "[NaN]"),
        ("[1e999]", "[1e999]"),
        ("[-Infinity]", "[-Infinity]"),
        (" [1] ", " [1] "),
        ("[" * 100_000 + "]", "[" * 100_000 + "]"),
        ("[" + "9" * 5000 + "]", "[" + "9" * 5000 + "]"),
    ],
)
def test_values_are_guessed(text: str, value: Any) -> None:
    """The whole value decides, in the order of the original; what only looks like JSON stays text."""
    assert value == guess_value(text)


@settings(max_examples=200)
@given(st.text(alphabet="[]{}\"'tru efals1e9,:.\\", max_size=12))
def test_every_guess_is_json(text: str) -> None:
    """Whatever comes in, what comes out can be sent as JSON."""
    json.dumps(guess_value(text), allow_nan=False)


@pytest.mark.parametrize(
    ("xml", "properties"),
    [
        ("<e/>", {}),
        ("<e><a>1</a><b> x </b><c/></e>", {"a": "1", "b": "x", "c": ""}),
        ("<e><a>1</a><b>2</b><a>3</a><a>4</a></e>", {"a": ["1", "3", "4"], "b": "2"}),
        ("<e><a><b>1</b><b>2</b></a></e>", {"a": {"b": ["1", "2"]}}),
        ('<e id="7"><a t="x">1</a></e>', {"@id": "7", "a": {"@t": "x", "#text": "1"}}),
        ('<e xmlns="urn:x" xmlns:y="urn:y"><y:a y:t="1"/></e>', {"a": {"@t": "1"}}),
        ("<e>one<a>1</a> two</e>", {"#text": "one two", "a": "1"}),
        ("<e><!-- no --><a>x<!-- no -->y</a><?pi no?></e>", {"a": "xy"}),
        ("<e><a><![CDATA[<b>]]></a></e>", {"a": "<b>"}),
    ],
)
def test_children_become_properties(xml: str, properties: dict[str, Any]) -> None:
    """Repeated children are lists, nested ones dicts, leaves text; namespaces go, attributes and text stay."""
    assert properties == to_properties(etree.fromstring(xml))


def test_text_of_an_element() -> None:
    """All text within counts, comments do not."""
    assert "a b c" == text_of(etree.fromstring("<e> a <x>b</x><!-- no --> c </e>"))


def test_many_attributes_are_read_as_few_are() -> None:
    """Beyond some dozens they are read in another way, which takes no longer than their number; the result is alike."""
    names = [f"n{number}" for number in range(500)]
    element = etree.fromstring(
        '<a xmlns:p="urn:p" ' + " ".join(f'{name}="{name.upper()}"' for name in names) + ' p:q="&amp;"/>'
    )
    assert {**{f"@{name}": name.upper() for name in names}, "@q": "&"} == to_properties(element)
    assert all(type(value) is str for value in to_properties(element).values())
