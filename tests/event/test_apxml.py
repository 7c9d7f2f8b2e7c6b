"""APXML messages and their tokens."""

from typing import Any, cast

import pytest

from agent.event.apxml import MAX_KEY, Apxml, Token, TokenType, is_number, token_key


def test_a_later_token_replaces_an_earlier_one_in_any_case() -> None:
    """Keys are the same in every case, and the place in the order stays."""
    message = Apxml(method="add", tokens=(Token("Pump", "1"), Token("site", "x"), Token("pump", "2")))
    assert [("pump", "2"), ("site", "x")] == [(token.key, token.value) for token in message]
    assert "2" == message.value("PUMP")
    assert "pump" in message
    assert "pumps" not in message


def test_an_absent_token_has_the_default_and_an_empty_one_its_empty_value() -> None:
    """Empty is a value."""
    message = Apxml(method="add", tokens=(Token("empty"),))
    assert ("", "?") == (message.value("empty", "?"), message.value("absent", "?"))


def test_tokens_come_and_go_in_new_messages() -> None:
    """A message never changes."""
    message = Apxml(method="add", tokens=(Token("a", "1"),))
    other = message.with_token(Token("b", "2")).without("A")
    assert (("a",), ("b",)) == (
        tuple(token.key for token in message),
        tuple(token.key for token in other),
    )


@pytest.mark.parametrize(
    ("value", "delimiter", "items"),
    [
        ("bob; alice;", ";", ("bob", "alice")),
        ("bob; alice", None, ("bob; alice",)),
        ("bob", "", ("bob",)),
        ("", ";", ()),
        ("", None, ()),
        ("a b  c", " ", ("a", "b", "c")),
    ],
)
def test_a_list_is_split_at_its_own_delimiter(value: str, delimiter: str | None, items: tuple[str, ...]) -> None:
    """`<key>-list-item-delimiter` says what stands between the items."""
    message = Apxml(method="add", tokens=(Token("recipients", value),))
    if delimiter is not None:
        message = message.with_token(Token("recipients-list-item-delimiter", delimiter))
    assert items == message.items("recipients")


@pytest.mark.parametrize("key", ["", "a b", "1st", "a:b", "a>", "-a", "a\n", "a" * (MAX_KEY + 1)])
def test_a_key_is_the_name_of_an_element(key: str) -> None:
    """What cannot be written cannot be made."""
    with pytest.raises(ValueError, match="cannot be the key"):
        Token(key)


@pytest.mark.parametrize(
    ("text", "key"), [("Pump", "pump"), (" my host ", "my_host"), ("1st", "_1st"), ("a:b", "a_b"), ("größe", "größe")]
)
def test_any_text_can_be_made_a_key(text: str, key: str) -> None:
    """Names of parameters are people's own words."""
    assert key == token_key(text)
    assert key == Token(key).key


def test_nothing_cannot_be_made_a_key() -> None:
    """There is no word to keep."""
    with pytest.raises(ValueError, match="cannot be the key"):
        token_key("  ")
    assert "_1" + "x" * 254 == token_key("1" + "x" * 255)  # the longest name that a descriptor may have


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, True) for text in ("87.5", "-3", "+7", "1e6", ".5", "5.", " 4 ")),
        *((text, False) for text in ("", "0x1F", "1 000", "NaN", "inf", "\u0663", ".")),
    ],
)
def test_what_a_number_looks_like(text: str, expected: bool) -> None:
    """Digits that people write, and none of the words that only programs take for numbers."""
    assert expected == is_number(text)
    assert expected == Token("t", text).is_number
    assert not Token("t", text, TokenType.STRING).is_number


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (87.5, "87.5"), (True, "true"), (None, ""), (["ä", 1], '["ä", 1]'), ({"a": None}, '{"a": null}')],
)
def test_what_is_no_text_becomes_one(value: Any, text: str) -> None:
    """Scripts set numbers and lists; a message that cannot be written would cost the event."""
    assert text == Token("x", value).value


def test_what_cannot_become_a_text_is_told_where_it_is_set() -> None:
    """And not when the message is written."""
    with pytest.raises(TypeError, match="the value of a token is a object, expected a text"):
        Token("x", cast(str, object()))
