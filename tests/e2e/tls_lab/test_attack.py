"""Hundreds of slow and broken senders at once: good senders hardly notice, and the slow ones go."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.tls_lab.lab import PATH, Lab, read_all, request
from tests.e2e.tls_lab.load import Load, fresh, kept
from tests.e2e.tls_lab.test_offers import client_hello
from tests.support.live import until

GATEWAYS = {"main": 'ssl="true" certificate="{folder}/server.pem"'}
LIMITS = (
    "<max-connections>250</max-connections><max-connections-per-peer>100</max-connections-per-peer>"
    "<handshake-timeout-s>3</handshake-timeout-s><header-timeout-s>3</header-timeout-s>"
    "<content_read_timeout>3000</content_read_timeout><idle-timeout-s>4</idle-timeout-s>"
    "<answer-timeout-s>4</answer-timeout-s>"
)

HELLO = client_hello()

ATTACKERS = 80
"""Of each kind, from one address each: fewer than one address may have, more in all than the port has places."""


def slow_handshakes(lab: Lab, peer: str) -> socket.socket:
    """Half a hello, the rest byte by byte."""
    raw = lab.connect(peer)
    raw.sendall(HELLO[:50])
    return raw


def slow_heads(lab: Lab, peer: str) -> socket.socket:
    """A head that never ends."""
    sender = shaken(lab, peer)
    sender.sendall(f"POST {PATH} HTTP/1.1\r\nHost: agent.example\r\nX-Slow: ".encode())
    return sender


def slow_bodies(lab: Lab, peer: str) -> socket.socket:
    """A body of a megabyte, byte by byte."""
    sender = shaken(lab, peer)
    sender.sendall(f"POST {PATH} HTTP/1.1\r\nHost: agent.example\r\nContent-Length: 1000000\r\n\r\n<".encode())
    return sender


def slow_readers(lab: Lab, peer: str) -> socket.socket:
    """Thousands of requests, and no answer is ever read."""
    sender = shaken(lab, peer)
    sender.settimeout(0)
    with contextlib.suppress(OSError):
        for _ in range(15):
            sender.send(f"GET {PATH} HTTP/1.1\r\nHost: agent.example\r\n\r\n".encode() * 200)
    return sender


def idlers(lab: Lab, peer: str) -> socket.socket:
    """A handshake, and then nothing."""
    return shaken(lab, peer)


def shaken(lab: Lab, peer: str) -> socket.socket:
    raw = lab.connect(peer)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return context_of(lab).wrap_socket(raw, server_hostname="agent.example")


@functools.cache
def context_of(lab: Lab) -> ssl.SSLContext:
    """One for all: each takes a millisecond to make."""
    return lab.context()


Kind = Callable[[Lab, str], socket.socket]


def has_ended(sender: socket.socket) -> bool:
    """Whether the agent has closed; nothing is read."""
    poll = select.poll()
    poll.register(sender, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


MOST: dict[Kind, int] = {slow_readers: 15}
"""Each of them costs as much as 3,000 good requests."""


class Attack:
    """All kinds at once, a byte of each now and then; each sender that is closed comes again.

    In one unhurried thread: the good senders of the same process are to wait for the agent, not for Python.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open: dict[Kind, list[socket.socket]] = {
            kind: [] for kind in (slow_handshakes, slow_heads, slow_bodies, slow_readers, idlers)
        }
        self._peers = {kind: lab.peer() for kind in self._open}
        self.begun = 0
        self.closed = 0
        self.is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.is_over.is_set():
            for kind, senders in self._open.items():
                for _ in range(min(10, MOST.get(kind, ATTACKERS) - len(senders))):
                    with contextlib.suppress(OSError):
                        senders.append(kind(self._lab, self._peers[kind]))
                        self.begun += 1
                gone = [sender for sender in senders if not self._drip(kind, sender)]
                for sender in gone:
                    senders.remove(sender)
                    sender.close()
                self.closed += len(gone)
            self.is_over.wait(0.2)
        for senders in self._open.values():
            for sender in senders:
                sender.close()

    def _drip(self, kind: Kind, sender: socket.socket) -> bool:
        """One more byte; whether the connection still stands."""
        try:
            sender.settimeout(0)
            if kind in (slow_readers, idlers):
                return not has_ended(sender)
            sender.send(b"\x00" if kind is slow_handshakes else b"x")
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            self._thread.join(30)


def at_least(share: float, seconds: list[float]) -> float:
    """So many of the requests were answered within this time."""
    return sorted(seconds)[int(len(seconds) * share)]


def connections(lab: Lab) -> int:
    (gateway,) = lab.home.iadmin_json("status")["gateways"]
    return int(gateway["connections"])


def test_slow_attackers(lab: Lab) -> None:
    """More of them than there are places: every good request is answered, nearly all within a quarter of a second."""
    port, context = lab.ports["main"], lab.context()
    attack = Attack(lab)
    with attack.going_on():
        until("the attack", lambda: attack.begun > 250)
        # Who rests between two requests may have to make room; who has sent one is answered.
        with Load(fresh(port, context), kept(port, context, may_end=True)) as load:
            time.sleep(6)
        assert [] == load.failures
        assert load.outcomes["202"] > 100
        assert at_least(0.5, load.seconds) < 0.25
        assert max(load.seconds) < 5
        assert connections(lab) <= 250
    assert attack.closed > 0
    until("the end of those that were left", lambda: connections(lab) <= 5)


def test_handshake_flood(lab: Lab) -> None:
    """Hellos without end, none of them followed up: an established connection is served in between."""
    port, context = lab.ports["main"], lab.context()
    is_over = threading.Event()

    def flood(peer: str) -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError), lab.connect(peer) as sender:
                sender.sendall(HELLO)
                sender.recv(1)

    floods = [threading.Thread(target=flood, args=(lab.peer(),)) for _ in range(4)]
    with Load(kept(port, context)) as load:
        load.wait_for(5)
        for thread in floods:
            thread.start()
        load.seconds.clear()
        load.wait_for(200)
        is_over.set()
        for thread in floods:
            thread.join(30)
    assert [] == load.failures
    assert at_least(0.5, load.seconds) < 0.25
    assert max(load.seconds) < 5


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_good_sender_that_is_just_slow(lab: Lab, size: int) -> None:
    """Whoever sends a request in small pieces, but within the limits, is no attacker."""
    data = request(b"<event/>")
    with shaken(lab, lab.peer()) as sender:
        for start in range(0, len(data), size):
            sender.sendall(data[start : start + size])
        assert read_all(sender).startswith(b"HTTP/1.1 202 ")


def test_requests_that_two_programs_read_differently(lab: Lab) -> None:
    """Inside TLS as outside: refused and closed, nothing behind is read."""
    smuggled = (
        f"POST {PATH} HTTP/1.1\r\nHost: agent.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"0\r\n\r\nPOST {PATH} HTTP/1.1\r\nHost: agent.example\r\nContent-Length: 8\r\n\r\n<event/>"
    )
    peer = lab.peer()
    with shaken(lab, peer) as sender:
        sender.sendall(smuggled.encode())
        received = read_all(sender)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.1 202 " not in received
    assert [] == lab.events_of(peer)
