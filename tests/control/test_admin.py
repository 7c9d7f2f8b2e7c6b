"""The admin gateway over real TCP, asked by iadmin's own client and by clients that do it wrong."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import attrs
import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred

from agent.config.admin import AdminGatewayConfig
from agent.control import AdminGateway, AdminKeys
from agent.errors import OperatorError
from agent.mutual import SharedKey, mutual_context
from agent.secret import Secret
from iadmin.commands.adminkey import new_admin_entry
from iadmin.link import LinkError, NoAnswer, NotAllowed, Refused
from iadmin.remote import remote_link
from keystoretools import Format, Keystore, Password, PrivateKey, files, save_keystore, write_pem
from tests.control.view import FakeView
from tests.support.reactor_thread import ReactorThread

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def open_plain(path: PurePath, data: bytes) -> Secret:
    """A password file in clear text."""
    return Secret(data.decode().rstrip("\n"))


def new_key(where: str) -> SharedKey:
    entry = new_admin_entry(NOW)
    assert isinstance(entry.key, PrivateKey)
    return SharedKey(where=where, key=entry.key, certificate=entry.chain[0])


OURS, THEIRS = new_key("conf/.keystore"), new_key("other.keystore")


def write_keystore(path: Path, key: SharedKey | None) -> None:
    keystore = Keystore(format=Format.PKCS12, password=Password("alarmpoint"))
    if key is not None:
        keystore = keystore.add(attrs.evolve(new_admin_entry(NOW), key=key.key, chain=(key.certificate,)))
    path.write_bytes(save_keystore(keystore))


class Site:
    """An admin gateway on a free port."""

    def __init__(self, thread: ReactorThread, folder: Path) -> None:
        self.thread = thread
        self.view = FakeView()
        self.keystore = folder / ".keystore"
        write_keystore(self.keystore, OURS)
        self.config = AdminGatewayConfig(host="127.0.0.1", port=0, keystore=self.keystore)
        self.gateway = self.make(self.config)

    def make(self, config: AdminGatewayConfig | None) -> AdminGateway:
        def at_once(work: Callable[[], Any]) -> Deferred[Any]:
            return maybeDeferred(work)

        keys = AdminKeys(read=files.load, in_thread=at_once, opened=open_plain)
        return AdminGateway(config=config, keys=keys, view=self.view, reactor=self.thread.reactor)

    @property
    def facts(self) -> dict[str, Any]:
        async def ask() -> Any:
            return self.gateway.describe()

        return dict(self.thread.run(ask) or {})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.facts['port']}"

    def ask(self, key: SharedKey = OURS) -> dict[str, Any]:
        return remote_link(self.address, key, timeout_s=10).status()

    def connect(self) -> socket.socket:
        host, _, port = self.address.partition(":")
        return socket.create_connection((host, int(port)), 10)

    def refused(self, cause: str) -> int:
        """How many were turned away for it; the agent notes it a moment after the client has seen its end."""
        for _ in range(500):
            count = self.facts["refused"].get(cause, 0)
            if count:
                return int(count)
        return 0


@pytest.fixture(scope="module")
def thread() -> Iterator[ReactorThread]:
    thread = ReactorThread()
    yield thread
    thread.end()


@pytest.fixture
def site(thread: ReactorThread, tmp_path: Path) -> Iterator[Site]:
    site = Site(thread, tmp_path)
    thread.run(site.gateway.start)
    yield site
    thread.run(lambda: site.gateway.stop(1.0))


def test_who_has_the_key_may_ask_and_order(site: Site) -> None:
    """The same API as over the socket, problems included."""
    assert "running" == site.ask()["state"]
    link = remote_link(site.address, OURS)
    link.stop(now=True)
    assert [True] == site.view.stops
    with pytest.raises(Refused):
        link.pause("nowhere", is_paused=True)
    assert b"<a/>" == link.letter_body("019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52")


def test_large_answers_and_bodies_pass(site: Site) -> None:
    """They go in many TLS records."""
    letter = "019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52"
    body = b"<a>" + b"x" * 3_000_000 + b"</a>"
    link = remote_link(site.address, OURS)
    assert link.edit(letter, body)
    assert body == link.letter_body(letter)


def test_another_key_is_refused_on_both_sides(site: Site) -> None:
    """iadmin says which two keys differ and sends nothing; the agent notes that it was not believed."""
    with pytest.raises(NotAllowed) as failure:
        site.ask(THEIRS)
    for word in (OURS.fingerprint, THEIRS.fingerprint, "other.keystore", "copy"):
        assert word in failure.value.sentence
    assert 1 == site.refused("refused-us")
    assert [] == site.view.stops


def speak(site: Site, context: SSL.Context) -> str:
    """A client that takes any server; what OpenSSL says in the end."""
    connection = SSL.Connection(context, site.connect())
    connection.set_connect_state()
    connection.setblocking(True)
    try:
        connection.do_handshake()
        connection.sendall(b"POST /v1/stop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        connection.recv(1000)
    except SSL.Error as error:
        return str(error)
    finally:
        connection.close()
    raise AssertionError("the agent has answered")


def test_a_client_that_does_not_look_at_our_key_needs_it_all_the_same(site: Site) -> None:
    """The agent's check does not rest on the client's."""
    context = mutual_context(THEIRS)
    context.set_verify(SSL.VERIFY_NONE, None)
    assert "alert" in speak(site, context)
    assert 1 == site.refused("wrong-key")
    assert [] == site.view.stops


def test_no_certificate_is_no_way_in(site: Site) -> None:
    """As a browser or curl would come."""
    assert "alert" in speak(site, SSL.Context(SSL.TLS_METHOD))
    assert 1 == site.refused("no-key")


def test_nothing_older_than_tls_13(site: Site) -> None:
    """Not even with the key."""
    context = mutual_context(OURS)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    assert "protocol version" in speak(site, context)
    assert 1 == site.refused("old-tls")


def test_plain_http_is_told_what_to_use(site: Site) -> None:
    """An answer in the clear, with nothing of the API in it."""
    with site.connect() as plain:
        plain.sendall(b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "tls-required" in answer
    assert "iadmin --connect" in answer
    assert "running" not in answer
    assert 1 == site.refused("plaintext")


def test_strangers_that_hold_all_places_make_room(site: Site) -> None:
    """Connections that prove nothing cannot keep the operator out."""
    waiting = [site.connect() for _ in range(40)]
    assert "running" == site.ask()["state"]
    for one in waiting:
        one.close()


def test_a_session_is_not_resumed(site: Site) -> None:
    """A right that was taken back must not live on in a ticket."""
    host, _, port = site.address.partition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    file = site.keystore.with_name("both.pem")
    file.write_bytes(write_pem([OURS.key, OURS.certificate]))
    context.load_cert_chain(file)
    session = None
    for _ in range(2):
        with context.wrap_socket(socket.create_connection((host, int(port))), session=session) as tls:
            tls.sendall(b"GET /v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert tls.recv(12).startswith(b"HTTP/1.1 200")
            assert not tls.session_reused
            session = tls.session


def test_a_new_key_is_served_after_a_change_and_the_old_is_worthless(site: Site) -> None:
    """What `iadmin keystore create apia --replace` and a reload come to; the port stays."""
    before = site.address
    write_keystore(site.keystore, THEIRS)
    change = site.thread.run(lambda: site.gateway.prepare(site.config))
    assert "running" == site.ask(OURS)["state"], "nothing is changed by preparing"

    async def adopt() -> str:
        return site.gateway.adopt(change)

    assert THEIRS.fingerprint in site.thread.run(adopt)
    assert before == site.address
    assert "running" == site.ask(THEIRS)["state"]
    with pytest.raises(NotAllowed):
        site.ask(OURS)


def test_another_port_is_tried_before_the_old_is_given_up(site: Site) -> None:
    """A prepared port that is dropped leaves everything as it was; an adopted one takes its place."""
    before = site.address
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
        config = attrs.evolve(site.config, port=free)
        with pytest.raises(Exception, match="another port"):
            site.thread.run(lambda: site.gateway.prepare(config))
    change = site.thread.run(lambda: site.gateway.prepare(config))
    site.thread.run(lambda: site.gateway.drop(change))
    assert before == site.address
    change = site.thread.run(lambda: site.gateway.prepare(config))

    async def adopt() -> str:
        return site.gateway.adopt(change)

    assert f"the admin gateway is now https://127.0.0.1:{free}" == site.thread.run(adopt)
    assert "running" == site.ask()["state"]

    async def close() -> str:
        return site.gateway.adopt(await site.gateway.prepare(None))

    assert "is gone" in site.thread.run(close)
    assert {} == site.facts


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "iadmin keystore create apia"),
        (lambda path: write_keystore(path, None), "no private key with a certificate under the name 'apia'"),
        (lambda path: path.write_bytes(b"junk"), ".keystore"),
    ],
)
def test_trouble_keeps_nobody_from_starting(
    thread: ReactorThread, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """It is told in the status, and a change with the same fault is refused."""
    site = Site(thread, tmp_path)
    spoil(site.keystore)
    thread.run(site.gateway.start)
    assert words in site.facts["trouble"]
    with pytest.raises(OperatorError):
        thread.run(lambda: site.gateway.prepare(site.config))
    write_keystore(site.keystore, OURS)

    async def mend() -> str:
        return site.gateway.adopt(await site.gateway.prepare(site.config))

    assert thread.run(mend).startswith("the admin gateway is now https://")
    assert "" == site.facts["trouble"]
    assert "running" == site.ask()["state"]
    thread.run(lambda: site.gateway.stop(1.0))


def test_where_nobody_listens_iadmin_says_so() -> None:
    """With what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer, match="nothing listens on 127"):
        remote_link(f"127.0.0.1:{port}", OURS).status()


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b""])
def test_what_is_no_admin_gateway_is_a_sentence(thread: ReactorThread, said: bytes) -> None:
    """Whatever answers there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(said)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(LinkError, match="TLS"):
            remote_link(f"127.0.0.1:{server.getsockname()[1]}", OURS).status()
        answering.join(10)
