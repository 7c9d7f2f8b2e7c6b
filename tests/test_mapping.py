"""Submissions become messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.model import Constant, MappedInput, MappedParameter, ValueType
from agent.errors import SenderError
from agent.event import BodyKind, Event, Priority
from agent.event.apxml import Apxml, Token, TokenType
from agent.event.apxmltext import read_apxml, write_apxml
from agent.event.body import BodyReader
from agent.mapping import InputRules, Submission, add_constants, client_id, take_submission
from agent.names import ServiceName
from agent.wire.marks import MAX_GROUP_BYTES

PUMPS = ServiceName(domain="applications", name="pump-alarms")
MAPPED = MappedInput(
    method="add",
    subclass="event",
    parameters=(
        MappedParameter(name="pump", type=ValueType.STRING),
        MappedParameter(name="severity", type=ValueType.STRING),
        MappedParameter(name="temperature", type=ValueType.NUMERIC),
        MappedParameter(name="message"),
    ),
)
CONSTANTS = (
    Constant(name="site", value="plant-7", type=ValueType.STRING),
    Constant(name="apia_process_group", value="pumps", type=ValueType.STRING, overwrite=True),
)
RULES = InputRules(service=PUMPS, mapped=MAPPED, constants=CONSTANTS)
BARE = InputRules(service=PUMPS, mapped=MAPPED)


def taken(body: bytes, rules: InputRules = RULES) -> Submission:
    return take_submission(BodyReader(max_depth=64), body, None, rules)


def sent(*values: str, rules: InputRules = RULES) -> Apxml:
    return read_apxml(taken(json.dumps({"map-data": values}).encode(), rules).body)


def _message(data: bytes) -> bytes:
    return b"<transaction><header><method>a</method></header><data>" + data + b"</data></transaction>"


def texts(message: Apxml) -> dict[str, str]:
    return {token.key: token.value for token in message}


def test_the_documented_command_line() -> None:
    """`P-101 high 87.5 "bearing hot"` gives the documented message."""
    message = sent("applications|pump-alarms", "P-101", "high", "87.5", "bearing hot")
    assert ("add", "event") == (message.method, message.subclass)
    assert {
        "agent_client_id": "applications|pump-alarms",
        "pump": "P-101",
        "severity": "high",
        "temperature": "87.5",
        "message": "bearing hot",
        "site": "plant-7",
        "apia_process_group": "pumps",
    } == texts(message)
    kinds = [token.type for token in message][1:5]
    assert [TokenType.STRING, TokenType.STRING, TokenType.NUMERIC, TokenType.AUTO] == kinds


@given(st.lists(st.text(st.characters(codec="utf-8", min_codepoint=32))))
def test_any_number_of_values_is_mapped_by_position(values: list[str]) -> None:
    """Too few: the rest has no token. Too many: the surplus is ignored. Empty values are values."""
    clean = [value for value in values if "\ufffe" not in value and "\uffff" not in value]
    message = sent(PUMPS.client_id, *clean, rules=BARE)
    names = [parameter.name for parameter in MAPPED.parameters]
    assert dict(zip(names, clean, strict=False)) == texts(message.without("agent_client_id"))


def test_a_numeric_value_that_is_no_number_stays_a_text() -> None:
    """An empty column of a monitoring system must not lose the alarm."""
    token = sent(PUMPS.client_id, "P-1", "high", "n/a", rules=BARE).token("temperature")
    assert Token("temperature", "n/a", TokenType.STRING) == token


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a|b", "a|b"), ("a^|b", "a|b"), ("a\\|b", "a|b"), ("del", "del|del"), (" a|b ", "a|b"), ("a|b|c", "a|b|c")],
)
def test_the_name_of_a_service_as_shells_leave_it(text: str, expected: str) -> None:
    """A leftover quote of the bar does no harm; without a bar, the domain is the name."""
    assert expected == client_id(text)


def test_constants_are_added_where_absent_and_replace_where_they_overwrite() -> None:
    """Keys are the same in any case."""
    message = Apxml(method="add", tokens=(Token("Site", "here"), Token("apia_process_group", "mine")))
    assert {"Site": "here", "apia_process_group": "pumps"} == texts(add_constants(message, CONSTANTS))


def test_a_ready_made_message_gets_the_constants_too() -> None:
    """And the name of its service where it has none."""
    message = write_apxml(Apxml(method="Add", tokens=(Token("pump", "P-9"),)))
    submission = taken(message)
    assert {
        "pump": "P-9",
        "agent_client_id": "applications|pump-alarms",
        "site": "plant-7",
        "apia_process_group": "pumps",
    } == texts(read_apxml(submission.body))
    assert "pumps" == submission.group


def test_what_the_message_says_about_its_order_wins_over_the_transport() -> None:
    """A constant of the descriptor must hold for all senders."""
    message = Apxml(method="add", tokens=(Token("apia_priority", " High "), Token("apia_process_group", "g")))
    event = Event(id="1", service=PUMPS.client_id, received_us=1, peer="", kind=BodyKind.XML, body=b"", charset="x")
    put = BARE.take_message(message).put_into(event)
    assert (Priority.HIGH, "g", BodyKind.APXML, None) == (put.priority, put.group, put.kind, put.charset)
    marked = Event(
        id="1", service="", received_us=1, peer="", kind=BodyKind.XML, body=b"", priority=Priority.HIGH, group="h"
    )
    put = BARE.take_message(Apxml(method="add")).put_into(marked)
    assert (Priority.HIGH, "h") == (put.priority, put.group)


def test_the_password_of_a_submitter_is_not_stored() -> None:
    """It is a secret, and has done its work."""
    assert b"geheim" not in BARE.take_message(Apxml(method="a", tokens=(Token("apia_password", "geheim"),))).body


def test_no_constant_changes_who_is_meant_or_brings_a_password_back() -> None:
    """The name is that of the descriptor, and what is stored holds no password of a submitter."""
    constants = tuple(
        Constant(name=name, value="geheim|x", overwrite=True) for name in ("Agent_client_id", "apia_password", "a")
    )
    message = Apxml(method="a", tokens=(Token("apia_password", "geheim"),))
    body = InputRules(service=PUMPS, constants=constants).take_message(message).body
    assert {"agent_client_id": PUMPS.client_id, "a": "geheim|x"} == texts(read_apxml(body))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"map-data": ["applications|other", "x"]}', "other-service"),
        (b'{"map-data": []}', "other-service"),
        (b'{"map-data": [1]}', "bad-values"),
        (b'{"map-data": ["applications|pump-alarms"], "x": 1}', "bad-values"),
        (b'["applications|pump-alarms"]', "bad-values"),
        (b"<event/>", "bad-apxml"),
        (_message(b"<agent_client_id>a|b</agent_client_id>"), "other-service"),
        (b"nothing", "unknown-body"),
    ],
)
def test_what_cannot_be_taken_is_refused(body: bytes, code: str) -> None:
    """Each with its own code, and a sentence for the sender."""
    with pytest.raises(SenderError) as caught:
        taken(body, BARE)
    assert code == caught.value.code


def test_values_need_a_mapping() -> None:
    """Without <mapped-input> nobody knows what they mean, and dropping them would lose the alarm."""
    with pytest.raises(SenderError) as caught:
        taken(b'{"map-data": ["applications|pump-alarms", "x"]}', InputRules(service=PUMPS))
    assert "no-mapped-input" == caught.value.code


@pytest.mark.parametrize("named", [b"\n applications|pump-alarms ", b"applications^|pump-alarms", b""])
def test_the_service_is_stored_in_its_own_spelling(named: bytes) -> None:
    """Whoever reads the message compares it with a name."""
    message = read_apxml(taken(_message(b"<agent_client_id>" + named + b"</agent_client_id>")).body)
    assert "applications|pump-alarms" == message.value("agent_client_id")


def test_no_parameter_takes_the_place_of_the_first_value() -> None:
    """It is always `agent_client_id`, whatever a parameter is called."""
    mapped = MappedInput(method="a", parameters=(MappedParameter(name="Agent_Client_Id"), MappedParameter(name="x")))
    message = sent("applications|pump-alarms", "other|one", "2", rules=InputRules(service=PUMPS, mapped=mapped))
    assert {"agent_client_id": "applications|pump-alarms", "x": "2"} == texts(message)


def group_of(text: str) -> str:
    message = Apxml(method="add", tokens=(Token("apia_process_group", text),))
    group = BARE.take_message(message).group
    assert group is not None
    return group


def test_any_text_is_a_process_group() -> None:
    """A long one, or one with line breaks, is written in another way: the alarm goes on, equal ones stay together."""
    assert ("hall 7", "Büro") == (group_of(" hall 7 "), group_of("Büro"))
    odd = ["g" * 257, "g" * 258, "hall\n7", "hall\t7", "hall 7\x85", "\n".join("ü" * 200)]
    groups = [group_of(text) for text in odd]
    assert [group_of(text) for text in odd] == groups
    assert len(odd) == len(set(groups) | {"hall_7"}) - 1
    assert groups[2].startswith("hall_7~")
    assert all(len(group.encode()) <= MAX_GROUP_BYTES and group.isprintable() for group in groups)
