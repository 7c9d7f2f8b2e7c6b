"""The command line of APClient."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import mapping
from apclient.commandline import Misused, client_id, parse

NAGIOS = (
    'IAHOME/bin/APClient.bin --map-data "applications|nagios-host" "host" "$HOSTNAME$" "$HOSTGROUPNAME$" "" "" '
    '"$HOSTEVENTID$" "$HOSTOUTPUT$"'
)


def test_the_command_lines_in_use() -> None:
    """Empty values are values."""
    order = parse(shlex.split(NAGIOS)[1:])
    expected = (
        "applications|nagios-host",
        "host",
        "$HOSTNAME$",
        "$HOSTGROUPNAME$",
        "",
        "",
        "$HOSTEVENTID$",
        "$HOSTOUTPUT$",
    )
    assert expected == order.values
    assert ("del", "4711") == parse(["--map-data", "del", "4711"]).values


@given(st.lists(st.text()))
def test_everything_behind_map_data_is_a_value(values: list[str]) -> None:
    """Texts of alarms come from outside, and must not become options."""
    order = parse(["--timeout", "3", "--map-data", "a|b", *values])
    assert ("a|b", *values) == order.values
    assert (3.0, "", True) == (order.timeout_s, order.gateway, order.spool)


def test_options_have_both_spellings() -> None:
    """With a blank and with a sign of equality."""
    order = parse(["--gateway=http://h:1", "--home", "x", "--no-spool", "--submit-file", "f", "--service", "a|b"])
    assert ("http://h:1", "x", False, "f", "a|b") == (order.gateway, order.home, order.spool, order.file, order.service)
    assert ("a|b", "v") == parse(["--map-data=a|b", "v"]).values


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "nothing to submit"),
        (["--map-data"], "nothing to submit"),
        (["--bogus"], "'--bogus' is not an option"),
        (["value"], "'value' is not an option"),
        (["--gateway"], "--gateway needs a value"),
        (["--submit-file", ""], "--submit-file is empty"),
        (["--timeout", "soon", "--map-data", "a|b"], "--timeout is 'soon'"),
        (["--timeout", "0", "--map-data", "a|b"], "--timeout is '0'"),
        (["--timeout", "nan", "--map-data", "a|b"], "--timeout is 'nan'"),
        (["--submit-file", "f", "--map-data", "a|b"], "exclude one another"),
        (["--map-data", "", "x"], "the first value is ''"),
        (["--map-data", "a|", "x"], "the first value is 'a|'"),
    ],
)
def test_what_is_not_understood_is_said(argv: list[str], said: str) -> None:
    """Nothing is sent then."""
    with pytest.raises(Misused, match=said.replace("|", r"\|")):
        parse(argv)


@given(st.text("ab|^\\ "))
def test_client_and_agent_read_the_name_of_a_service_alike(text: str) -> None:
    """The client chooses the URL by it, the agent compares."""
    assert mapping.client_id(text) == client_id(text)
