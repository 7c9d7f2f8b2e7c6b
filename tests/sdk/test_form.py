"""agent.sdk.form: what a management system said, as the platform takes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sdk import Apxml, Event, Form, Token, callbacks_for, form_of
from agent.sdk.form import choice_of, posted


def message(**tokens: str) -> Apxml:
    return Apxml(method="add", tokens=tuple(Token(key, value) for key, value in tokens.items()))


def event(body: bytes, kind: str = "xml") -> Event:
    return Event(id="1", service="applications|pumps", received=datetime.now(UTC), body=body, kind=kind)


def test_message_of_the_reference() -> None:
    """Four tokens are fields, those about the road are dropped, the others are properties with lower-case names."""
    form = form_of(
        message(
            agent_client_id="applications|pump-alarms",
            apia_process_group="pumps",
            apia_priority="high",
            apia_source="x",
            Pump="P-101",
            temperature="87.5",
            recipients="oncall-pumps",
            xmpriority="high",
            xmresponses='[{"number": 1}]',
            xmconferences="bridge",
        )
    )

    assert {
        "properties": {"pump": "P-101", "temperature": "87.5"},
        "recipients": "oncall-pumps",
        "priority": "high",
        "responses": [{"number": 1}],
        "conferences": "bridge",
    } == form.to_dict()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'true'", True),
        ('"FALSE"', False),
        ("true", "true"),
        ("42", "42"),
        ("2026-11-20", "2026-11-20"),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('"Building A"', "Building A"),
        ("[disk full] on [sda]", "[disk full] on [sda]"),
        ("", ""),
    ],
)
def test_values_are_guessed(text: str, expected: Any) -> None:
    """The rules of the original, in their order, on the whole value."""
    assert expected == form_of(message(x=text)).properties["x"]


def test_text_that_only_looks_like_json_is_noted() -> None:
    """The original would have lost the alarm; here it is a text, and a debug line says why."""
    noted: list[str] = []
    form_of(message(text="[disk full] on [sda]", fine="[1]", plain="x"), note=noted.append)

    assert ["the value of text looks like JSON and is none, so it is taken as text: [disk full] on [sda]"] == noted


def test_tokens_that_hold_lists() -> None:
    """Split at their own delimiter, which is no property itself."""
    tokens = (Token("hosts", "a; b"), Token("hosts-list-item-delimiter", ";"))

    assert {"hosts": ["a", "b"]} == form_of(Apxml(method="add", tokens=tokens)).properties


def test_remapped_fields() -> None:
    """Another token is the field; the token that is it by default becomes a property then."""
    remapped = choice_of({"priority": "Severity"})
    form = form_of(message(severity="high", xmpriority="low"), remapped=remapped)

    assert ("high", {"xmpriority": "low"}) == (form.priority, form.properties)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "remapped_data returned None, expected a dict"),
        ({"prio": "x"}, "names the field 'prio', expected one of conferences, priority, recipients, responses"),
        ({"priority": 3}, "gives 3 for priority, expected the name of a token"),
    ],
)
def test_remapped_data_that_is_none(returned: object, sentence: str) -> None:
    """The sentence names what was found and what is expected."""
    with pytest.raises((TypeError, ValueError), match=sentence):
        choice_of(returned)


def test_events_that_are_no_messages() -> None:
    """Properties where the event has them, otherwise everything; fields under their own name or that of the token."""
    xml = event(b"<event><properties><up>'true'</up></properties><recipients>bob</recipients></event>")
    flat = event(b'{"pump": "P-101", "priority": "high", "xmresponses": ["ok"]}', "json")

    assert {"properties": {"up": True}, "recipients": "bob"} == form_of(xml).to_dict()
    assert {"properties": {"pump": "P-101"}, "priority": "high", "responses": ["ok"]} == form_of(flat).to_dict()


def test_callbacks() -> None:
    """One for each kind, with the agent's id, and the service by the name that the platform knows."""
    assert [{"url": "ia://pump-alarms", "type": "status", "iaId": "plant7"}] == callbacks_for(
        ["status"], service="applications|pump-alarms", agent_id="plant7"
    )


def test_what_is_posted() -> None:
    """The form, a dict, or True for the form; anything false drops it, and anything else is a mistake."""
    form = Form(properties={"a": 1})

    assert {"properties": {"a": 1}} == posted(form, form) == posted(True, form)
    assert {"b": 2} == posted({"b": 2}, form)
    assert [None] * 5 == [posted(nothing, form) for nothing in (None, False, {}, "", 0)]
    with pytest.raises(TypeError, match="on_event returned a str, expected the form, a dict or None"):
        posted("form", form)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=40), max_size=6))
def test_any_token_makes_a_form(tokens: dict[str, str]) -> None:
    """Whatever is in a value, it ends in a form and not in an exception."""
    form_of(message(**tokens)).to_dict()
