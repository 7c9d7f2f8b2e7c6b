"""Octets to and from a far end, with one deadline for all of them; TLS over them, and TLS within that. Blocking.

What fails is told as `Broken`: a sentence, and what to do about it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from OpenSSL import SSL

from agent.wire.alerts import meaning_of

READ_BYTES: Final = 16 * 1024

TLS_SAYS: Final = {
    "wrong version number": "what listens there does not speak TLS",
    "packet length too long": "what listens there does not speak TLS",
    "http request": "what listens there does not speak TLS",
}
"""In place of OpenSSL's reasons."""

HANGS_UP: Final = "look at the log of the far end: it hangs up"
TLS_CURE: Final = "compare with what the far end accepts: versions of TLS, and whether it wants a client certificate"
TLS_CURES: Final = {
    "wrong version number": "it does not speak TLS on this port: take its TLS port, or an http URL",
    "packet length too long": "it does not speak TLS on this port: take its TLS port, or an http URL",
    "http request": "it does not speak TLS on this port: take its TLS port, or an http URL",
}


class Broken(Exception):
    """The way ends here."""

    def __init__(self, sentence: str, cure: str) -> None:
        super().__init__(sentence)
        self.sentence: Final = sentence
        self.cure: Final = cure


class Deadline:
    """Of a whole walk. `clock_s` is monotonic."""

    def __init__(self, timeout_s: float, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.timeout_s: Final = timeout_s
        self._clock_s = clock_s
        self._end_s = clock_s() + timeout_s

    def left_s(self) -> float:
        """What a socket may still wait; never 0, which would mean something else to it."""
        return max(0.001, self._end_s - self._clock_s())


class Line(Protocol):
    """Either way of octets. Both raise `Broken`; `read` gives nothing when the far end has ended it."""

    def write(self, data: bytes) -> None: ...

    def read(self) -> bytes: ...


class SocketLine:
    """A connected socket."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._deadline.left_s())
            self._socket.sendall(data)
        except OSError as error:
            raise self._cut(error) from None

    def read(self) -> bytes:
        try:
            self._socket.settimeout(self._deadline.left_s())
            return self._socket.recv(READ_BYTES)
        except OSError as error:
            raise self._cut(error) from None

    def _cut(self, error: OSError) -> Broken:
        if isinstance(error, TimeoutError):
            return Broken(
                f"nothing comes back within {self._deadline.timeout_s:g} s",
                "look at the far end, or at what stands between: it takes the connection and does not answer",
            )
        return Broken(
            f"the connection is cut ({(error.strerror or str(error)).lower()})",
            "look at the log of the far end, or of the firewall between",
        )


class TlsLine:
    """The client's side of TLS, over another line."""

    def __init__(self, connection: SSL.Connection, below: Line) -> None:
        self._tls = connection
        self._below = below
        connection.set_connect_state()

    def shake_hands(self) -> None:
        self._drive(self._tls.do_handshake)

    @property
    def wants_a_certificate(self) -> bool:
        """Whether the far end has named authorities whose certificates it takes from clients."""
        return bool(self._tls.get_client_ca_list())

    def write(self, data: bytes) -> None:
        self._drive(lambda: self._tls.sendall(data))

    def read(self) -> bytes:
        try:
            return bytes(self._drive(lambda: self._tls.recv(READ_BYTES)))
        except Broken as error:
            if error.cure == HANGS_UP:
                return b""
            raise

    def _drive(self, step: Callable[[], Any]) -> Any:
        """Repeat a step of OpenSSL until it is through, carrying octets between it and the line below."""
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                data = self._below.read()
                if not data:
                    raise Broken("it closes the connection", HANGS_UP) from None
                self._tls.bio_write(data)
                continue
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                self._flush()  # the alert
                records = error.args[0] if error.args and isinstance(error.args[0], list) else []
                reason = str(records[-1][-1]) if records else "closed"
                meaning = meaning_of(reason)
                if meaning is not None:
                    raise Broken(f"{meaning.sentence} ({reason})", meaning.cure) from None
                said = TLS_SAYS.get(reason, f"the handshake fails ({reason})")
                raise Broken(said, TLS_CURES.get(reason, TLS_CURE)) from None
            self._flush()
            return result

    def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(READ_BYTES)
            except SSL.WantReadError:
                return
            try:
                self._below.write(data)
            except Broken:
                return  # reading says why
