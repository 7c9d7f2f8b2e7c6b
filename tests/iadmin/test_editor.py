"""The operator's editor, and the check of what came out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.editor import check_event, check_request, edit_file, kind_of


@pytest.mark.parametrize(
    "environ", [{"EDITOR": "sh -c 'echo b > $0'"}, {"VISUAL": "sh -c 'echo b > $0'", "EDITOR": "x"}]
)
def test_the_editor_is_the_operators(tmp_path: Path, environ: dict[str, str]) -> None:
    """With arguments, as a shell would split them; VISUAL before EDITOR."""
    path = tmp_path / "a file.xml"
    path.write_bytes(b"a\n")
    edit_file(path, {**environ, "PATH": "/bin:/usr/bin"})
    assert b"b\n" == path.read_bytes()


@pytest.mark.parametrize(
    ("editor", "said"), [("false", "status 1"), ("no-such-editor", "set EDITOR"), ("'", "set EDITOR")]
)
def test_an_editor_that_fails_stores_nothing(tmp_path: Path, editor: str, said: str) -> None:
    """One sentence says what to do."""
    with pytest.raises(OperatorError, match=said):
        edit_file(tmp_path / "x", {"EDITOR": editor})


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"{}", "application/json; charset=utf-8", "json"),
        (b"{}", "application/problem+json", "json"),
        (b"<a/>", "text/xml", "xml"),
        (b"<a/>", "application/soap+xml", "xml"),
        (b"\xef\xbb\xbf <a/>", "application/x-www-form-urlencoded", "xml"),
        (b" [1]", "", "json"),
        (b"a=1", "text/plain", "other"),
        (b"", "", "other"),
    ],
)
def test_the_kind_of_a_body(body: bytes, content_type: str, kind: str) -> None:
    """The content type where it says something, else the first character."""
    assert kind == kind_of(body, content_type)


def test_an_event_keeps_its_encoding(tmp_path: Path) -> None:
    """What the transport claimed wins, as at the gateway; an event of no kind is not checked."""
    check_event("<a>ü</a>".encode("latin-1"), {"kind": "xml", "charset": "iso-8859-1"})
    with pytest.raises(OperatorError) as caught:
        check_event("<a>ü</a>".encode("latin-1"), {"kind": "xml", "charset": None})
    assert ExitStatus.DATA == caught.value.exit_status
    check_event(b"\x00", {"kind": "other"})


@pytest.mark.parametrize(("kind", "good", "bad"), [("xml", b"<a/>", b"<a>"), ("json", b"[]", b"[")])
def test_a_request_is_checked_where_it_had_a_form(kind: str, good: bytes, bad: bytes) -> None:
    """Anything goes for what is neither XML nor JSON."""
    check_request(good, kind)
    check_request(bad, "other")
    with pytest.raises(OperatorError, match="cannot be stored"):
        check_request(bad, kind)


def test_a_message_stays_a_message() -> None:
    """Well-formed XML that is no APXML would be of no use to the service."""
    check_event(b"<transaction><header><method>add</method></header></transaction>", {"kind": "apxml"})
    with pytest.raises(OperatorError, match="expected <transaction>"):
        check_event(b"<a/>", {"kind": "apxml"})
