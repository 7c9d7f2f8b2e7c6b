"""A far end in memory: what a sender connects to, what it has written there, and what is said to it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer


@attrs.frozen
class Asked:
    """A request as it came. `fields` by their names in lower case, as they were written."""

    method: str
    target: str
    fields: dict[str, list[str]]
    body: bytes


class Wire(StringTransport):
    """A transport, and the socket under it. `window`: what the socket still takes at once, None: everything."""

    def __init__(self, written: Callable[[], None]) -> None:
        super().__init__()
        self.window: int | None = None
        self.buffered = b""
        self.is_aborted = False
        self._written = written

    def getHandle(self) -> Wire:
        return self

    def send(self, data: bytes) -> int:
        taken = data if self.window is None else data[: self.window]
        if not taken:
            raise BlockingIOError
        if self.window is not None:
            self.window -= len(taken)
        super().write(taken)
        self._written()
        return len(taken)

    def write(self, data: bytes) -> None:
        self.buffered += data

    def flush(self) -> None:
        """What the transport holds leaves."""
        data, self.buffered = self.buffered, b""
        super().write(data)
        self._written()

    def abortConnection(self) -> None:
        self.is_aborted = True


class Line:
    """One connection."""

    def __init__(self, far_end: FarEnd, host: str, port: int, factory: IProtocolFactory) -> None:
        self.host, self.port = host, port
        self.asked: list[Asked] = []
        self._far_end = far_end
        self._rest = b""
        self.wire = Wire(self._read)
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.wire)

    def says(self, *pieces: bytes) -> None:
        """The far end sends this."""
        for piece in pieces:
            self.protocol.dataReceived(piece)

    def ends(self, reason: Exception | None = None) -> None:
        """The connection is lost: closed by the far end, or as it was asked for."""
        usual = ConnectionAborted() if self.wire.is_aborted else ConnectionDone()
        self.protocol.connectionLost(Failure(reason or usual))

    def _read(self) -> None:
        self._rest += self.wire.value()
        self.wire.clear()
        while (asked := _first_of(self._rest)) is not None:
            self._rest = self._rest[asked[0] :]
            self.asked.append(asked[1])
            self._far_end.was_asked(self)


def _first_of(data: bytes) -> tuple[int, Asked] | None:
    """The first whole request in `data`, and how long it is."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    length = int(fields.get("content-length", ["0"])[0])
    if len(rest) < length:
        return None
    return len(head) + 4 + length, Asked(method, target, fields, rest[:length])


class FarEnd:
    """All hosts. The next requests are answered with `answers`, at once; after these, only as a test says."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.answers: list[bytes] = []
        self.troubles: list[Exception] = []
        """What comes of the next connections."""
        self.is_silent = False
        """Whether connecting takes for ever."""
        self.cancelled = 0

    def endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        return _Endpoint(self, host, port)

    @property
    def asked(self) -> list[Asked]:
        """All that was asked, connection by connection."""
        return [asked for line in self.lines for asked in line.asked]

    def was_asked(self, line: Line) -> None:
        if self.answers:
            line.says(self.answers.pop(0))


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _Endpoint:
    far_end: FarEnd
    host: str
    port: int

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[object]:
        connecting: Deferred[object] = Deferred(self._cancelled)
        if self.far_end.troubles:
            connecting.errback(self.far_end.troubles.pop(0))
        elif not self.far_end.is_silent:
            line = Line(self.far_end, self.host, self.port, protocolFactory)
            self.far_end.lines.append(line)
            connecting.callback(line.protocol)
        return connecting

    def _cancelled(self, connecting: Deferred[object]) -> None:
        self.far_end.cancelled += 1


def answer(status: int = 202, body: bytes = b"", **fields: str) -> bytes:
    """A whole answer; `_` in the names of fields stands for `-`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Thing\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
