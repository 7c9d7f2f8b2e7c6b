"""Clients that wrk cannot be: connections that rest, the first request of a program's life, questions to nginx."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

from bench.home import Certificate
from bench.load import PATH, NotMeasured, event_of
from bench.procs import Program


def request(authorization: str) -> bytes:
    """A POST of one event."""
    body = event_of(250)
    lines = f"Host: 127.0.0.1\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    if authorization:
        lines += f"Authorization: {authorization}\r\n"
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


@contextmanager
def hold_open(port: int, count: int, certificate: Certificate, authorization: str) -> Iterator[None]:
    """Keep so many TLS connections open, each of which has sent an event and got its 202."""
    context = ssl.create_default_context(cafile=str(certificate.certificate))
    asked = request(authorization)
    with ExitStack() as opened:
        for _ in range(count):
            plain = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10.0))
            secure = opened.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            secure.sendall(asked)
            answer = secure.recv(4096)
            if not answer.startswith(b"HTTP/1.1 202 "):
                raise NotMeasured(f"an event was answered with {answer[:60]!r}")
        time.sleep(0.2)
        yield


def first_answer_s(program: Program, authorization: str) -> float:
    """Seconds from the start of the program to its first 202; the program is ended again."""
    asked = request(authorization)
    begun = time.monotonic()
    with program:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", program.port), timeout=5.0) as connection:
                    connection.sendall(asked)
                    if connection.recv(4096).startswith(b"HTTP/1.1 202 "):
                        return time.monotonic() - begun
            except OSError:
                pass
            if time.monotonic() - begun > 30.0:
                raise NotMeasured(f"{program.name} has not answered 202 within 30 s")
            time.sleep(0.005)


def answered_by_nginx(port: int) -> int:
    """How many requests the nginx of `bench.peers` on this port has answered, this question among them."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/count")
        told = connection.getresponse().read().decode("ascii")
    # Its third line: connections accepted, connections handled, requests.
    return int(told.splitlines()[2].split()[2])
