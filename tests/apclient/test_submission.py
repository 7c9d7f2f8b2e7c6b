"""What goes to the agent."""

import json
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apclient.submission import MAX_BODY_BYTES, Unfit, of_file, of_values, text, url_name

NAMELESS = "<transaction><header><method>add</method></header><data>%s</data></transaction>"


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_values_arrive_as_they_were_given(values: list[str]) -> None:
    """JSON without the library for it, which takes long to load."""
    assert {"map-data": values} == json.loads(of_values(tuple(values), key="k").body)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_bytes_that_are_no_utf8_are_windows(encoding: str) -> None:
    """Old tools on Windows and terminals write it; nothing keeps an alarm back."""
    assert "größe 5 €" == text("größe 5 €".encode(encoding))
    assert "größe \ufffd" == text(b"gr\xf6\xdfe \x81")


@given(st.text(st.characters(codec="utf-8")))
def test_names_are_quoted_as_the_agent_does_it(name: str) -> None:
    """The agent finds parcels' services by this spelling."""
    assert quote(f"a_{name}", safe="") == url_name(f"a|{name}")


@pytest.mark.parametrize(
    "token",
    [
        "<agent_client_id>applications|pumps</agent_client_id>",
        "<agent_client_id type='string'> applications|pumps\n</agent_client_id>",
        "<agent_client_id><![CDATA[applications|pumps]]></agent_client_id>",
        "<agent_client_id>applications&#124;pumps</agent_client_id>",
        "<agent_client_id>applications&#x7C;<!-- now -->pumps</agent_client_id>",
        "<agent_client_id>applications<![CDATA[|]]>pumps</agent_client_id>",
        "<AGENT_CLIENT_ID>applications|pumps</AGENT_CLIENT_ID>",
        "<x:agent_client_id xmlns:x='urn:x'>applications|pumps</x:agent_client_id>",
        "<!-- <agent_client_id>a|b</agent_client_id> --><agent_client_id>applications|pumps</agent_client_id>",
        "<m><![CDATA[<agent_client_id>a|b</agent_client_id>]]></m><agent_client_id>applications|pumps</agent_client_id>",
        "<m><agent_client_id>a|b</agent_client_id></m><agent_client_id>applications|pumps</agent_client_id>",
        "<agent_client_id>a|b</agent_client_id><agent_client_id>applications|pumps</agent_client_id>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_a_message_names_its_service(token: str, encoding: str) -> None:
    """And travels as it is."""
    declared = encoding.removesuffix("-sig")
    message = NAMELESS % f"{token}<m>ä</m>"
    content = f'<?xml version="1.0" encoding="{declared}"?>{message}'.encode(encoding)
    made = of_file(content, service="", name="f", key="k")
    assert ("applications_pumps", content, "application/xml") == (made.service, made.body, made.content_type)


@pytest.mark.parametrize("token", ["", "<agent_client_id/>", "<agent_client_ids>a|b</agent_client_ids>"])
def test_a_message_without_a_name_needs_one(token: str) -> None:
    """The sentence says how."""
    content = (NAMELESS % token).encode()
    assert "a_b" == of_file(content, service="a|b", name="f", key="k").service
    with pytest.raises(Unfit, match="--service"):
        of_file(content, service="", name="f", key="k")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<transaction></a>", "f is not well-formed XML: mismatched tag: line 1"),
        (b"<transaction><data><agent_client_id>a|b</agent_client_id>", "f is not well-formed XML: no element found"),
        (b"\xff<transaction/>", "f is not well-formed XML"),
        (b"<event/>", "f is no APXML message: it begins with <event> and needs <transaction> with a <header>"),
        (b"<transaction><data/></transaction>", "f is no APXML message: it begins with <transaction>"),
    ],
)
def test_rubbish_is_refused_whether_the_agent_is_there_or_not(content: bytes, sentence: str) -> None:
    """Kept for an agent that refuses it later, it would be lost behind an exit status of 0."""
    with pytest.raises(Unfit, match=sentence):
        of_file(content, service="a|b", name="f", key="k")


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-16", "bogus"])
def test_the_agent_judges_encodings(encoding: str) -> None:
    """It knows others than the parser here; but the service must then be named."""
    content = f"<?xml version='1.0' encoding='{encoding}'?>{NAMELESS}".encode()
    assert "a_b" == of_file(content, service="a|b", name="f", key="k").service
    with pytest.raises(Unfit, match=r"f cannot be read .*--service"):
        of_file(content, service="", name="f", key="k")


@given(st.binary())
def test_any_file_is_sent_or_refused_with_a_sentence(content: bytes) -> None:
    """Nothing else comes out."""
    with suppress(Unfit):
        of_file(content, service="", name="f", key="k")


def test_nothing_and_too_much_are_not_sent() -> None:
    """The agent would refuse both."""
    with pytest.raises(Unfit, match="f is empty"):
        of_file(b" \n", service="a|b", name="f", key="k")
    with pytest.raises(Unfit, match="more than"):
        of_values(("a|b", "x" * MAX_BODY_BYTES), key="k")
