"""Posting to a gateway that is only a socket."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from agent.errors import MachineError, OperatorError
from agent.secret import Secret
from iadmin.commands import sending
from iadmin.commands.edges import ClientFiles
from iadmin.commands.sending import post
from tests.keystoretools.authority import Made
from tests.support.tls import issued, pem_of

PATIENCE_S = 20.0


@contextmanager
def answering(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """A server for one connection: reads the request up to END, sends `answer`, closes."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)

        def serve() -> None:
            connection, _ = listening.accept()
            connection.settimeout(PATIENCE_S)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                try:
                    connection.do_handshake()
                except ssl.SSLError:
                    # Closing with something unread would reset the connection, and the alert would be lost.
                    with suppress(ConnectionResetError):
                        while socket.socket.recv(connection, 65536):
                            pass
                    connection.close()
                    return
            with connection:
                data = connection.recv(65536)
                while not data.endswith(b"END"):
                    data += connection.recv(65536)
                received.append(data)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/http/a_b", received
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_the_answer_comes_back() -> None:
    """Status, type and body; the request is what a management system would send."""
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json; a=b\r\nContent-Length: 2\r\n\r\n{}"
    with answering(accepted) as (url, received):
        answer = post(url, "application/xml", b"<event/>END")
    assert (202, "application/json", b"{}") == (answer.status, answer.content_type, answer.body)
    head = received[0].partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /http/a_b HTTP/1.1\r\n")
    assert b"Content-Type: application/xml" in head


class EarlyAnswer(HTTPConnection):
    """A connection whose far end answers and closes while the body is still on its way."""

    def request(self, *arguments: Any, **keywords: Any) -> None:
        super().request(*arguments, **keywords)
        raise BrokenPipeError(32, "Broken pipe")


def test_a_refusal_before_the_whole_body_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that answers 413 by the head alone closes early; its sentence must not be lost."""
    monkeypatch.setattr(sending, "HTTPConnection", EarlyAnswer)
    refused = b"HTTP/1.1 413 Too large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
    with answering(refused) as (url, _):
        answer = post(url, "application/xml", b"END")
    assert (413, b"large") == (answer.status, answer.body)


def test_over_https_the_named_certificate_is_trusted_and_no_other(tmp_path: Path) -> None:
    """Whatever name it is for; a gateway with another one is sent nothing."""
    own, other = issued("plant7.example.com"), issued("plant7.example.com")
    (tmp_path / "own.pem").write_bytes(pem_of(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
    with answering(accepted, context) as (url, received):
        answer = post(url, "application/xml", b"END", headers={"Authorization": "x"}, trusted=[own.certificate.der])
    assert (202, b"{}") == (answer.status, answer.body)
    assert b"Authorization: x\r\n" in received[0]
    with answering(b"", context) as (url, received), pytest.raises(MachineError, match="nothing was sent"):
        post(url, "application/xml", b"END", trusted=[other.certificate.der])
    assert [] == received


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    """Where it is demanded; without one, and with a wrong one, the sentence says what to do."""
    own, root = issued("plant7.example.com"), issued("Root", authority=True)
    (tmp_path / "own.pem").write_bytes(pem_of(own))
    (tmp_path / "root.pem").write_bytes(pem_of(root, key=False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tmp_path / "root.pem")
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"

    def send(client: ClientFiles | None) -> int:
        with answering(accepted, context) as (url, _):
            return post(url, "application/xml", b"END", trusted=[own.certificate.der], client=client).status

    def files(made: Made, passphrase: bytes = b"") -> ClientFiles:
        locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        key = made.signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
        path = tmp_path / "client.pem"
        path.write_bytes(pem_of(made, key=False) + key)
        return ClientFiles(certificate=path, key=path, passphrase=lambda: Secret("open"))

    assert 202 == send(files(issued("good", root), b"open"))
    with pytest.raises(MachineError, match="give one with --cert FILE"):
        send(None)
    with pytest.raises(MachineError, match="refuses the client certificate"):
        send(files(issued("mallory")))
    with pytest.raises(OperatorError, match="or the passphrase is wrong"):
        post("https://127.0.0.1:1/", "a", b"", client=files(issued("good", root), b"another"))


def test_nobody_there_says_how_to_start() -> None:
    """One sentence with the address."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(MachineError, match=f"nothing listens on 127.0.0.1:{port}; start the agent"):
        post(f"http://127.0.0.1:{port}/http/a_b", "application/xml", b"")


def test_a_connection_that_breaks_leaves_it_open_whether_it_was_accepted() -> None:
    """The sentence says so, because a repeat may make a second event."""
    with answering(b"") as (url, _), pytest.raises(MachineError, match="whether the event was accepted is not known"):
        post(url, "application/xml", b"END")
