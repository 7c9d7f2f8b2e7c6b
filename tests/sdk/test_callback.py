"""agent.sdk.callback: news of the platform."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sdk import Apxml, Token, callback_of

MAP = (
    "<map><entry><string>ticket</string><string>INC7</string></entry>"
    "<entry><string>n</string><int>3</int></entry></map>"
)


def message(**tokens: str) -> Apxml:
    return Apxml(method="REQUEST", tokens=tuple(Token(key, value) for key, value in tokens.items()))


def test_fields_of_a_response() -> None:
    """Names in lower case; an annotation of `null` is none; what the platform left out is empty."""
    news = callback_of(
        message(xmatters_callback_type="response", eventIdentifier="17", response="Accept", annotation="null")
    )

    assert ("response", "17", "Accept", "", "") == (
        news.type,
        news.eventidentifier,
        news.response,
        news.annotation,
        news.device,
    )
    assert "17" == news["eventidentifier"] == news["eventIdentifier"]
    assert ["xmatters_callback_type", "eventidentifier", "response", "annotation"] == list(news)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MAP, {"ticket": "INC7", "n": "3"}),
        ("<linked-hash-map><entry><string>a</string><null/></entry></linked-hash-map>", {"a": ""}),
        ("<java.util.HashMap/>", {}),
        (f"<tree-map><no-comparator/>{MAP[5:-6]}</tree-map>", {"ticket": "INC7", "n": "3"}),
        (f'<tree-map><comparator class="x"/>{MAP[5:-6]}</tree-map>', {"ticket": "INC7", "n": "3"}),
        ("null", {}),
        ('<properties><property name="a" value="b"/></properties>', {"a": "b"}),
        ('{"a": "b"}', {"a": "b"}),
        ('[{"a": "b"}, {"c": "d", "a": "e"}]', {"a": "e", "c": "d"}),
        ("[]", {}),
        ("", {}),
        ("  ", {}),
    ],
)
def test_maps_of_java(text: str, expected: object) -> None:
    """Additional tokens come as XStream writes a map, and become a dict of texts."""
    assert expected == callback_of(message(additionalTokens=text)).additionaltokens


@pytest.mark.parametrize("text", ["<map><entry>", "no map", "[1]"])
def test_map_that_cannot_be_read_is_noted(text: str) -> None:
    """The news itself is not lost over it."""
    noted: list[str] = []
    news = callback_of(message(status="active", additionalTokens=text), note=noted.append)

    assert ("active", {}) == (news.status, news.additionaltokens)
    assert noted[0].startswith("additionaltokens cannot be read and is left empty")


def test_an_entry_that_cannot_be_read_costs_only_itself() -> None:
    """The others are there, and a note says what is not."""
    noted: list[str] = []
    text = f"{MAP[:-6]}<entry><string>a</string></entry></map>"
    news = callback_of(message(additionalTokens=text), note=noted.append)
    assert {"ticket": "INC7", "n": "3"} == news.additionaltokens
    assert ["additionaltokens: <entry> is no entry with a name and a value, and is left out"] == noted


def test_entities_are_refused() -> None:
    """A map is read by the hardened parser: it cannot read files."""
    noted: list[str] = []
    bomb = '<!DOCTYPE map [<!ENTITY x SYSTEM "file:///etc/passwd">]><map><entry><string>a</string>&x;</entry></map>'
    callback_of(message(additionalTokens=bomb), note=noted.append)

    assert "DOCTYPE" in noted[0]


def test_json_of_a_webhook() -> None:
    """Objects inside stay objects."""
    news = callback_of({"Status": "active", "eventProperties": {"Pump": "P-101"}})

    assert ("active", {"Pump": "P-101"}) == (news.status, news.eventproperties)


def test_name_that_no_callback_has() -> None:
    """A slip of the pen is told with the names that there are."""
    with pytest.raises(AttributeError, match="has no 'recipent'; its fields are eventidentifier, "):
        _ = callback_of(message()).recipent


@given(st.text(max_size=60))
def test_any_text_is_a_map_or_noted(text: str) -> None:
    """Nothing that the platform writes ends the hook."""
    callback_of(message(additionalTokens=text))


@pytest.mark.parametrize(
    ("value", "expected"), [([{"pump": "P-1"}, {"site": "7"}], {"pump": "P-1", "site": "7"}), (None, {}), ({}, {})]
)
def test_properties_in_json(value: object, expected: object) -> None:
    """The platform's own JSON has one object for each property."""
    assert expected == callback_of({"eventProperties": value}).eventproperties


@pytest.mark.parametrize("value", [7, [7], "x"])
def test_json_that_holds_no_names_is_noted(value: object) -> None:
    """And not passed over in silence."""
    noted: list[str] = []
    assert {} == callback_of({"eventProperties": value}, note=noted.append).eventproperties
    assert noted[0].startswith("eventproperties cannot be read and is left empty: ")
