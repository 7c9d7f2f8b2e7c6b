"""Senders that never stop, and notice everything that goes wrong."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from tests.e2e.tls_lab.lab import BODY, PATH, PATIENCE_S
from tests.support.live import until

MOST = 20_000
"""Requests of one load: a test that never ends would fill the disk."""

PAUSE_S = 0.005
"""Of each sender after a request: the log keeps what a test looks for in it."""


class Load:
    """Threads that post until the end of the block. `failures` is what no sender should ever see.

    `outcomes` counts the answers; `certificates` has the SHA-256 of what was presented, newest last.
    """

    def __init__(self, *senders: Callable[[Load], None]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failures: list[str] = []
        self.certificates: list[str] = []
        self.seconds: list[float] = []
        self.closes: list[Callable[[], None]] = []
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(sender,)) for sender in senders]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_S)
        for close in self.closes:
            close()

    def wait_for(self, count: int) -> None:
        """Wait until so many more requests have been answered."""
        goal = sum(self.outcomes.values()) + count
        until(f"{count} answers, {self.failures[:3]}", lambda: sum(self.outcomes.values()) >= goal)

    def saw(self, certificate: str) -> bool:
        return certificate in self.certificates[-50:]

    def _run(self, sender: Callable[[Load], None]) -> None:
        while not self.is_over.is_set() and sum(self.outcomes.values()) < MOST:
            begin = time.monotonic()
            try:
                sender(self)
            except Exception as error:
                self.failures.append(f"{sender}: {error!r}")
            self.seconds.append(time.monotonic() - begin)
            self.is_over.wait(PAUSE_S)


def post(sender: socket.socket, more: str = "") -> tuple[int, str]:
    """Post on an open connection; returns status and the code of the problem, if there is one."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: agent.example\r\nContent-Length: {len(BODY)}\r\n{more}\r\n"
    sender.sendall(head.encode() + BODY)
    received = b""
    while b"\r\n\r\n" not in received or not received.rstrip().endswith(b"}"):
        fresh = sender.recv(65536)
        if not fresh:
            raise ConnectionError(f"the connection ended after {received!r}")
        received += fresh
    document = json.loads(received.partition(b"\r\n\r\n")[2])
    return int(received.split(b" ")[1]), str(document.get("type", "")).rpartition(":")[2]


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def fresh(port: int, context: ssl.SSLContext) -> Callable[[Load], None]:
    """A new connection with a full handshake for each event."""

    def send(load: Load) -> None:
        with connect(port) as raw, context.wrap_socket(raw, server_hostname="agent.example") as sender:
            load.certificates.append(hashlib.sha256(sender.getpeercert(True) or b"").hexdigest())
            _count(load, *post(sender))

    return send


def kept(port: int, context: ssl.SSLContext | None, *, may_end: bool = False) -> Callable[[Load], None]:
    """One connection for all events, with or without TLS. `may_end`: it may be closed between two requests (RFC 9112
    section 9.5), and then another one is opened."""
    connection: list[socket.socket] = []

    def send(load: Load) -> None:
        if not connection:
            raw = connect(port)
            connection.append(raw if context is None else context.wrap_socket(raw, server_hostname="agent.example"))
            load.closes.append(connection[0].close)
        try:
            _count(load, *post(connection[0]))
        except (ConnectionError, ssl.SSLError):
            if not may_end:
                raise
            connection.pop().close()
            load.outcomes["connected again"] += 1

    return send


def either(port: int, context: ssl.SSLContext) -> Callable[[Load], None]:
    """A new connection for each event, by the scheme that was right last, until a proper refusal says otherwise."""
    is_tls = [False]

    def send(load: Load) -> None:
        with connect(port) as raw:
            if not is_tls[0]:
                status, code = post(raw)
                if (status, code) == (400, "needs-tls"):
                    is_tls[0] = True
                    load.outcomes["needs-tls"] += 1
                else:
                    _count(load, status, code)
                return
            try:
                sender = context.wrap_socket(raw, server_hostname="agent.example")
            except ssl.SSLError as error:
                if "ALERT_HANDSHAKE_FAILURE" not in str(error):
                    raise
                is_tls[0] = False
                load.outcomes["alert"] += 1
                return
            with sender:
                _count(load, *post(sender))

    return send


def _count(load: Load, status: int, code: str) -> None:
    if status != 202:
        raise AssertionError(f"{status} {code}")
    load.outcomes["202"] += 1
