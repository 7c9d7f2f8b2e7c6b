"""The probe, against real servers on loopback: each a thread with one odd way of speaking."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iadmin.model import Anchors
from iadmin.probe import TlsProber
from tests.keystoretools.authority import Made, make

START = datetime.now(UTC) - timedelta(days=1)
ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Speak = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(speak: Speak) -> Iterator[int]:
    """Answers each connection with `speak`; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError, ssl.SSLError):
                speak(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def prober(**environ: str) -> TlsProber:
    return TlsProber(environ=environ, patience_s=2)


def context(folder: Path, *links: Made) -> ssl.SSLContext:
    own = links[0].signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(own + b"".join(one.library.public_bytes(Encoding.PEM) for one in links))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    return made


def https(served: ssl.SSLContext) -> Speak:
    def speak(connection: socket.socket) -> None:
        with served.wrap_socket(connection, server_side=True) as inside:
            inside.recv(4096)
            inside.sendall(ANSWER)

    return speak


def test_a_tls_port_shows_chain_versions_and_answer(tmp_path: Path) -> None:
    """As it sends them; versions that it refuses are empty."""
    issuer = make("Issuer", authority=True, start=START, days=10)
    own = make("h.example", issuer, names=("h.example",), start=START, days=10)
    with server(https(context(tmp_path, own, issuer))) as port:
        found = prober().look("127.0.0.1", port, name="h.example")
    assert ("tls", "127.0.0.1", "HTTP/1.1 404 Not Found") == (found.speaks, found.address, found.answer)
    assert (own.certificate.der, issuer.certificate.der) == found.chain
    assert ["TLS 1.3", "TLS 1.2"] == [version for version, cipher in found.versions.items() if cipher]
    assert not found.asks_for_certificate


def test_a_port_that_demands_client_certificates_is_known(tmp_path: Path) -> None:
    """Also where the refusal comes after the handshake, as in TLS 1.3."""
    own = make("h.example", names=("h.example",), start=START, days=10)
    served = context(tmp_path, own)
    served.verify_mode = ssl.CERT_REQUIRED
    served.load_verify_locations(cadata=own.library.public_bytes(Encoding.PEM).decode())
    with server(https(served)) as port:
        found = prober().look("127.0.0.1", port, name="h.example")
    assert ("tls", True, "") == (found.speaks, found.asks_for_certificate, found.answer)
    assert own.certificate.der == found.chain[0]
    assert found.versions["TLS 1.3"] and found.versions["TLS 1.2"], "refused for the certificate, not for the version"


def http(answer: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        if connection.recv(4096)[:1] != b"\x16":
            connection.sendall(answer)

    return speak


@pytest.mark.parametrize(
    ("answer", "speaks"),
    [
        (ANSWER, "http"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port", "tls"),
        (b"SSH-2.0-\x1b[2J\r\n", "other"),
        (b"", "other"),
    ],
)
def test_a_port_without_tls_is_asked_in_plain_http(answer: bytes, speaks: str) -> None:
    """HTTP, HTTPS whose handshake fails, or something else; what it says is printable."""
    with server(http(answer)) as port:
        found = prober().look("127.0.0.1", port, name="h")
    assert speaks == found.speaks
    assert found.answer.isprintable() and () == found.chain


def test_a_port_that_talks_first_is_something_else() -> None:
    """As SSH and SMTP do; no endless wait."""
    with server(lambda connection: connection.sendall(b"220 mail ESMTP\r\n")) as port:
        assert "other" == prober().look("127.0.0.1", port, name="h").speaks


def test_silence_has_an_end() -> None:
    """A port that accepts and says nothing costs the patience, not more."""
    gone = threading.Event()
    with server(lambda connection: gone.wait(4) and None) as port:
        found = TlsProber(environ={}, patience_s=0.3).look("127.0.0.1", port, name="h")
        gone.set()
    assert "other" == found.speaks
    assert "does not answer in time" in found.trouble


def test_nobody_there_and_no_such_name() -> None:
    """The rest of a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = prober().look("127.0.0.1", port, name="h")
    assert ("nothing", "nobody listens there (connection refused)") == (found.speaks, found.trouble)
    assert "has no address here" in prober().look("nobody.invalid", 443, name="h").trouble


def test_trust_is_openssls_verdict() -> None:
    """Root, issuer in the middle, the certificate itself: all are accepted; strangers and gaps are not."""
    root = make("Root", authority=True, start=START, days=10)
    issuer = make("Issuer", root, authority=True, start=START, days=10)
    own = make("h.example", issuer, names=("h.example",), start=START, days=10)
    chain = (own.certificate.der, issuer.certificate.der)
    for trusted in (root, issuer, own):
        assert "" == prober().trusts(chain, Anchors(name="x", certificates=(trusted.certificate.der,)))
    other = Anchors(name="x", certificates=(make("Other", authority=True).certificate.der,))
    assert "issuer" in prober().trusts(chain, other)
    assert "issuer" in prober().trusts(chain[:1], Anchors(name="x", certificates=(root.certificate.der,)))
    assert prober().trusts((b"nonsense",), other)


def test_javas_trust_store_is_found(tmp_path: Path) -> None:
    """Below JAVA_HOME, and once, whatever links lead there."""
    store = tmp_path / "java" / "lib" / "security" / "cacerts"
    store.parent.mkdir(parents=True)
    store.touch()
    assert store in prober(JAVA_HOME=str(tmp_path / "java")).java_truststores()
