"""The client of the control API, against answers that an agent should not give."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.errors import ExitStatus
from iadmin import link as link_module
from iadmin.link import NoAnswer, NotAllowed, NotRunning, Refused, UnixConnection, unix_link

PATIENCE_S = 20.0


@contextmanager
def agent_that_says(home: Path, answer: bytes) -> Iterator[None]:
    """A control socket on which one connection gets these bytes."""
    (home / "var" / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(PATIENCE_S)
        listening.bind(str(home / "var" / "run" / "control.sock"))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_no_socket_is_no_agent(tmp_path: Path) -> None:
    """The folder of a home that never ran may not even be there."""
    with pytest.raises(NotRunning, match=f"no agent runs on {tmp_path}") as caught:
        unix_link(tmp_path).status()
    assert ("not-running", ExitStatus.UNAVAILABLE) == (caught.value.code, caught.value.exit_status)


def test_an_agent_that_has_the_home_and_no_socket_yet_is_starting(tmp_path: Path) -> None:
    """It may be answering senders already; a script tries again on exit status 75."""
    with pytest.raises(NotRunning, match="is just starting or stopping; try again in a moment") as caught:
        unix_link(tmp_path, is_held=lambda: True).status()
    assert ("not-running", ExitStatus.TEMPORARY) == (caught.value.code, caught.value.exit_status)


def test_a_socket_of_somebody_else_names_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner is read from the file; exit status 77."""

    def refuse(self: UnixConnection) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(UnixConnection, "_connect_by_name_or_folder", refuse)
    with pytest.raises(NotAllowed, match=r"only the user .* and root may administer the agent on") as caught:
        unix_link(tmp_path).status()
    assert ExitStatus.NO_PERMISSION == caught.value.exit_status


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        http("200 OK", b"hello"),
        http("200 OK", b"[]"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
    ],
    ids=["nothing", "not-http", "not-json", "not-an-object", "cut"],
)
def test_an_answer_that_is_none_of_ours(tmp_path: Path, answer: bytes) -> None:
    """Whatever is there instead of an agent, it is one sentence."""
    with agent_that_says(tmp_path, answer), pytest.raises(NoAnswer, match=f"the agent on {tmp_path}"):
        unix_link(tmp_path, timeout_s=PATIENCE_S).status()


def test_a_list_must_be_there(tmp_path: Path) -> None:
    """An answer without its promised field is not taken for an empty list."""
    with agent_that_says(tmp_path, http("200 OK", b"{}")), pytest.raises(NoAnswer, match="no list of events"):
        unix_link(tmp_path, timeout_s=PATIENCE_S).events({})


def test_an_answer_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer may fill the memory."""
    monkeypatch.setattr(link_module, "MAX_ANSWER_BYTES", 100)
    with (
        agent_that_says(tmp_path, http("200 OK", b" " * 101)),
        pytest.raises(NoAnswer, match="larger than 100 bytes"),
    ):
        unix_link(tmp_path, timeout_s=PATIENCE_S).status()


def test_silence_has_an_end(tmp_path: Path) -> None:
    """A hung agent is told from one that is not there."""
    (tmp_path / "var" / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "var" / "run" / "control.sock"))
        listening.listen()
        with pytest.raises(NoAnswer, match="does not answer"):
            unix_link(tmp_path, timeout_s=0.05).status()


def test_a_refusal_without_words_has_its_status(tmp_path: Path) -> None:
    """Older or newer agents may refuse in another way."""
    with agent_that_says(tmp_path, http("418 Teapot", b"{}")), pytest.raises(Refused, match="status 418"):
        unix_link(tmp_path, timeout_s=PATIENCE_S).status()
