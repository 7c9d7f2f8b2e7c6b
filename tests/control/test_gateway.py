"""The control gateway over a real Unix socket, asked by iadmin's own client and by bare sockets."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred

from agent.control import ControlGateway
from agent.control.gateway import MAX_BODY_BYTES, MAX_LETTER_BYTES
from agent.errors import MachineError
from iadmin.link import NoAnswer, NotRunning, Refused, unix_link
from tests.control.view import EVENT, FakeView
from tests.support.reactor_thread import ReactorThread

PATIENCE_S = 20.0
_Result = TypeVar("_Result")


@pytest.fixture(scope="module")
def thread() -> Iterator[ReactorThread]:
    thread = ReactorThread()
    yield thread
    thread.end()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "var" / "run").mkdir(parents=True, mode=0o700)
    return tmp_path


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
def gateway(thread: ReactorThread, home: Path, view: FakeView) -> Iterator[ControlGateway]:
    gateway = made(thread, home, view)
    thread.run(gateway.start)
    yield gateway
    thread.run(lambda: gateway.stop(5.0))


def made(thread: ReactorThread, home: Path, view: FakeView) -> ControlGateway:
    return ControlGateway(socket_path=home / "var" / "run" / "control.sock", view=view, reactor=thread.reactor)


def raw(home: Path, request: bytes) -> bytes:
    """Everything the gateway answers to these bytes before it closes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(str(home / "var" / "run" / "control.sock"))
        client.sendall(request)
        answer = b""
        while received := client.recv(65536):
            answer += received
        return answer


@pytest.mark.usefixtures("gateway")
def test_iadmin_and_agent_understand_each_other(home: Path, view: FakeView) -> None:
    """Every question of the client reaches the view, and its answer comes back."""
    link = unix_link(home, timeout_s=PATIENCE_S)
    assert {"state": "running", "version": "0.1.0"} == link.status()
    assert ["active"] == [service["state"] for service in link.services()]
    assert [EVENT] == link.events({"service": "applications|sample-plan", "state": "", "limit": "5"})
    assert [{"service": "applications|sample-plan", "limit": "5"}] == view.asked
    assert EVENT == link.event("019dd2b4")
    assert link.event("ffff") is None
    assert link.event("../status?x=1#") is None
    link.stop(now=True)
    assert [True] == view.stops


@pytest.mark.usefixtures("gateway")
def test_dead_letters_are_administered_over_the_link(home: Path, view: FakeView) -> None:
    """List, body, edit, replay and purge; a body may be as large as an event."""
    link = unix_link(home, timeout_s=PATIENCE_S)
    letter_id = EVENT["id"]
    large = b"<a>" + b"x" * (11 * 1024 * 1024) + b"</a>"
    assert [letter_id, f"{letter_id}/1"] == [letter["id"] for letter in link.dead_letters({"match": "ü & %"})]
    assert [{"match": "ü & %", "limit": "50"}] == view.asked
    assert b"\xff\x00" == link.letter_body(f"{letter_id}/1")
    assert link.edit(letter_id, large)
    assert large == link.letter_body(letter_id)
    assert not link.edit(f"{letter_id}/2", b"")
    assert link.letter_body(f"{letter_id}/2") is None
    assert (1, 2) == (link.replay([letter_id, f"{letter_id}/2"]), link.purge([letter_id, f"{letter_id}/1"]))


@pytest.mark.usefixtures("gateway")
def test_only_the_body_of_a_letter_may_be_large(home: Path) -> None:
    """Everything else is held to its small limit, and a letter to its own."""
    for method, limit in ((b"POST", MAX_BODY_BYTES), (b"PUT", MAX_LETTER_BYTES)):
        head = b"%s /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (method, limit + 1)
        assert raw(home, head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.usefixtures("gateway")
def test_a_refusal_reaches_the_operator_as_its_sentence(home: Path) -> None:
    """Problem documents become errors that carry status, code and detail."""
    with pytest.raises(Refused, match="limit is '0'") as caught:
        unix_link(home).events({"limit": "0"})
    assert (400, "bad-query") == (caught.value.status, caught.value.code)


@pytest.mark.usefixtures("gateway")
def test_only_the_owner_may_open_the_socket(home: Path) -> None:
    """Rights are 0600 whatever the umask."""
    mode = (home / "var" / "run" / "control.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert 0o600 == stat.S_IMODE(mode)


def test_there_is_no_moment_of_wider_rights(
    thread: ReactorThread, home: Path, view: FakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights are right when the file appears, not only after a chmod; the umask is as it was afterwards."""
    gateway = made(thread, home, view)
    monkeypatch.setattr(os, "chmod", lambda *arguments, **keywords: None)
    before = os.umask(0o022)
    try:
        thread.run(gateway.start)
        after = os.umask(0o022)
    finally:
        os.umask(before)
    assert (0o600, 0o022) == (stat.S_IMODE((home / "var" / "run" / "control.sock").stat().st_mode), after)
    thread.run(lambda: gateway.stop(5.0))


def test_a_process_of_another_user_is_turned_away(
    gateway: ControlGateway, home: Path, view: FakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's word on who connected counts, even where rights were changed by hand."""
    monkeypatch.setattr("agent.control.gateway.peer_uid", lambda connection: os.geteuid() + 4711)
    with pytest.raises(NoAnswer):
        unix_link(home).stop(now=True)
    assert [] == view.stops
    monkeypatch.undo()
    assert "running" == unix_link(home).status()["state"]


def test_a_stale_socket_does_not_block(thread: ReactorThread, home: Path, view: FakeView) -> None:
    """What kill -9 leaves behind is replaced; after a stop nothing is left."""
    path = home / "var" / "run" / "control.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(NotRunning):
        unix_link(home).status()
    gateway = made(thread, home, view)
    thread.run(gateway.start)
    assert "running" == unix_link(home).status()["state"]
    thread.run(lambda: gateway.stop(5.0))
    assert not path.exists()
    with pytest.raises(NotRunning):
        unix_link(home).status()


def test_another_file_in_its_place_is_not_removed(thread: ReactorThread, home: Path, view: FakeView) -> None:
    """Only sockets are ours to remove."""
    path = home / "var" / "run" / "control.sock"
    path.write_text("precious")
    with pytest.raises(MachineError, match="move it away"):
        thread.run(made(thread, home, view).start)
    assert "precious" == path.read_text()


def test_a_folder_that_cannot_be_made_is_one_sentence(thread: ReactorThread, tmp_path: Path, view: FakeView) -> None:
    """No traceback of bind(2)."""
    (tmp_path / "var").write_text("a file")
    with pytest.raises(MachineError, match="cannot listen on the control socket"):
        thread.run(made(thread, tmp_path, view).start)


def test_the_path_may_be_longer_than_a_socket_address(thread: ReactorThread, tmp_path: Path, view: FakeView) -> None:
    """Both sides reach a socket whose path has more than 107 bytes."""
    home = tmp_path / ("long-" * 24)
    (home / "var" / "run").mkdir(parents=True, mode=0o700)
    gateway = made(thread, home, view)
    thread.run(gateway.start)
    assert "running" == unix_link(home).status()["state"]
    thread.run(lambda: gateway.stop(5.0))
    assert not (home / "var" / "run" / "control.sock").exists()


def test_a_removed_socket_file_does_not_disturb_the_stop(thread: ReactorThread, home: Path, view: FakeView) -> None:
    """Somebody tidied up var/run; the agent stops all the same, and twice does no harm."""
    gateway = made(thread, home, view)
    thread.run(gateway.start)
    (home / "var" / "run" / "control.sock").unlink()
    thread.run(lambda: gateway.stop(5.0))
    thread.run(lambda: gateway.stop(5.0))


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 99999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % (MAX_BODY_BYTES + 1) + b"x" * (MAX_BODY_BYTES + 1),
    ],
    ids=["declared", "chunked"],
)
def test_a_body_that_is_too_large_ends_the_connection(home: Path, view: FakeView, framing: bytes) -> None:
    """It is refused by what is declared, or as soon as the limit is passed; never kept."""
    answer = raw(home, b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n" + framing)
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    assert [] == view.stops


@pytest.mark.usefixtures("gateway")
def test_nonsense_is_400(home: Path) -> None:
    """What is not HTTP is refused by the parser."""
    assert raw(home, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("gateway")
def test_a_fault_of_the_agent_is_500(home: Path, view: FakeView, capsys: pytest.CaptureFixture[str]) -> None:
    """The client is told where to look; the connection does not hang."""
    view.status = lambda: 1 // 0  # type: ignore[assignment, method-assign]
    with pytest.raises(Refused, match="its log says why") as caught:
        unix_link(home).status()
    assert 500 == caught.value.status


def test_a_client_that_left_disturbs_nobody(
    gateway: ControlGateway, thread: ReactorThread, home: Path, view: FakeView
) -> None:
    """Its answer has nowhere to go; the next client is served."""
    view.events_answer = Deferred()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(home / "var" / "run" / "control.sock"))
        client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        # Asking for something else orders the two requests: the first has reached the view by then.
        while not view.asked:
            unix_link(home).status()
    pending = view.events_answer
    thread.reactor.callFromThread(pending.callback, [])
    assert "running" == unix_link(home).status()["state"]


@pytest.mark.usefixtures("gateway")
def test_a_body_is_never_read_as_a_form(home: Path) -> None:
    """Twisted would refuse this one, which has no boundary, before the API sees it."""
    head = b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data\r\n"
    assert raw(home, head + b"Content-Length: 2\r\n\r\n{}").startswith(b"HTTP/1.1 404 ")
