"""APXML read and written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.event.apxml import Apxml, Token, TokenType, token_key
from agent.event.apxmltext import MAX_TOKENS, apxml_of, is_apxml, read_apxml, write_apxml
from agent.event.xml import parse_xml

DOCUMENTED = b"""<transaction>
  <header><method>add</method><subclass>event</subclass></header>
  <data>
    <agent_client_id>applications|pump-alarms</agent_client_id>
    <pump>P-101</pump><severity>high</severity><temperature>87.5</temperature><message>bearing hot</message>
  </data>
</transaction>"""

WRITABLE = st.text(
    st.characters(codec="utf-8").filter(lambda c: not re.match("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", c))
)
WORDS = st.text("abcXYZ_-", min_size=1, max_size=8)
KEYS = st.text(min_size=1, max_size=20).filter(str.strip).map(token_key)
TOKENS = st.builds(Token, KEYS, WRITABLE, st.sampled_from(TokenType))
MESSAGES = st.builds(
    Apxml,
    method=WORDS,
    subclass=WORDS | st.just(""),
    transaction_id=WORDS | st.just(""),
    tokens=st.lists(TOKENS).map(tuple),
)


def _message(data: bytes) -> bytes:
    return b"<transaction><header><method>a</method></header><data>" + data + b"</data></transaction>"


def test_the_documented_example() -> None:
    """Method, subclass and tokens, in their order."""
    message = read_apxml(DOCUMENTED)
    assert ("add", "event", "") == (message.method, message.subclass, message.transaction_id)
    assert ["agent_client_id", "pump", "severity", "temperature", "message"] == [token.key for token in message]
    assert ("bearing hot", True) == (message.value("message"), message.tokens[3].is_number)


@given(MESSAGES)
def test_what_is_written_reads_as_the_same_message(message: Apxml) -> None:
    """Every value, with its blanks, line ends and types, whatever XML can hold."""
    assert message == read_apxml(write_apxml(message))


@given(st.text())
def test_every_value_can_be_written(value: str) -> None:
    """Characters that XML does not have become U+FFFD: the alarm goes on without them."""
    read = read_apxml(write_apxml(Apxml(method="add", tokens=(Token("t", value),)))).value("t")
    assert len(value) == len(read)
    assert all(there in (here, "\ufffd") for here, there in zip(value, read, strict=True))


@given(st.binary(max_size=300))
def test_nothing_but_a_sentence_comes_out_of_rubbish(body: bytes) -> None:
    """A reader for untrusted bytes has one way to fail."""
    try:
        read_apxml(body)
    except SenderError as error:
        assert error.status in (400, 415)


@given(st.integers(0, len(DOCUMENTED) - 1), st.binary(max_size=4))
def test_a_damaged_message_is_refused_or_read(at: int, patch: bytes) -> None:
    """Likewise what once was a message."""
    try:
        read_apxml(DOCUMENTED[:at] + patch + DOCUMENTED[at + 1 :])
    except SenderError as error:
        assert error.status in (400, 415)


def test_namespaces_comments_and_unknown_parts_do_not_matter() -> None:
    """Types that are not known are `auto`."""
    message = read_apxml(
        b'<t:transaction xmlns:t="urn:x" version="9"><!-- c --><t:header><t:other/><t:method> DEL </t:method>'
        b'<t:transaction-id>7</t:transaction-id></t:header><t:data><!-- c --><t:a type="Numeric">1</t:a>'
        b'<b type="colour">x<!-- c -->y</b></t:data></t:transaction>'
    )
    expected = (Token("a", "1", TokenType.NUMERIC), Token("b", "xy", TokenType.AUTO))
    assert Apxml(method="DEL", transaction_id="7", tokens=expected) == message


def test_a_token_with_elements_has_their_xml_as_its_value() -> None:
    """A map that was not escaped is not lost."""
    message = read_apxml(
        b"<transaction><header><method>REQUEST</method></header>"
        b"<data><additionalTokens>a&lt;b <map><k>1</k></map> c</additionalTokens></data></transaction>"
    )
    assert "a&lt;b <map><k>1</k></map> c" == message.value("additionaltokens")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<event/>", "the root element is <event>, expected <transaction>"),
        (b"<transaction/>", "has no <header> with a <method>"),
        (b"<transaction><header/></transaction>", "has no <header> with a <method>"),
        (_message(b"<a/>" * (MAX_TOKENS + 1)), "at most 10000"),
        (_message(b"<" + b"k" * 300 + b"/>"), "cannot be the key"),
        (b'<!DOCTYPE x [<!ENTITY e "v">]><transaction/>', "DOCTYPE"),
    ],
)
def test_what_is_no_message_is_refused_with_the_place(body: bytes, said: str) -> None:
    """The sender learns what is expected."""
    with pytest.raises(SenderError, match=re.escape(said)) as caught:
        read_apxml(body)
    assert 400 == caught.value.status


def test_a_message_is_recognised_by_its_shape() -> None:
    """A transaction of somebody else's has no method in its header."""
    assert is_apxml(parse_xml(DOCUMENTED, max_depth=9))
    assert not is_apxml(parse_xml(b"<transaction><amount>3</amount></transaction>", max_depth=9))
    assert not is_apxml(parse_xml(b"<event/>", max_depth=9))


def test_a_message_without_data_has_no_tokens() -> None:
    """An answer may be no more than its method."""
    root = parse_xml(b"<transaction><header><method>OK</method></header></transaction>", max_depth=9)
    assert Apxml(method="OK") == apxml_of(root)
