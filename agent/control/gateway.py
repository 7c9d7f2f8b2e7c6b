"""HTTP/1.1 over the Unix socket `var/run/control.sock`, in front of the control API.

twisted.web is good enough here: a person or a monitoring script asks a few times a minute. It is held to small limits
anyway, so that a broken client of the same user cannot cost the agent its memory or its file descriptors.
"""

# twisted.web and twisted.internet.unix carry few type annotations; calls into them cannot be checked.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.internet import defer, tcp, unix
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web import http

from agent.administered import AgentView
from agent.control.api import ApiAnswer, ApiRequest, ControlApi, problem
from agent.errors import ExitStatus, MachineError, SenderError

log = Logger(namespace="control")

MAX_SOCKET_PATH_BYTES: Final = 107
"""`sun_path` has 108 bytes with the closing NUL (unix(7))."""
MAX_BODY_BYTES: Final = 64 * 1024
"""500 ids of dead letters are 25 KiB."""
MAX_LETTER_BYTES: Final = 64 * 1024 * 1024
"""Of a PUT, which brings the new body of a dead letter: as large as an event may be where the limit is raised to six
times its default. It is kept in a temporary file until it is whole, so that few such bodies are in memory."""
MAX_CONNECTIONS: Final = 32
"""Some people with `iadmin status --watch` and a monitoring script; never enough to hurt the gateway's descriptors."""
REQUEST_TIMEOUT_S: Final = 30.0
"""From the connection, or the last answer, to the end of the next request: iadmin sends within milliseconds."""
PEER_CREDENTIALS: Final = struct.Struct("3i")
"""`struct ucred`: pid, uid, gid (unix(7), SO_PEERCRED)."""


class ControlGateway:
    """The part that listens on the control socket.

    The folder of `socket_path` is made when it is missing (0700). A stale socket is removed: whoever starts
    this holds the `HomeLock`, so no other agent can be listening on it. Raises `MachineError` from `start`.
    """

    name: Final = "control"

    def __init__(self, *, socket_path: Path, view: AgentView, reactor: Any) -> None:
        self._path = socket_path.absolute()
        self._reactor = reactor
        self._peers: Any = OwnPeers(ControlSite(ControlApi(view), reactor=reactor))
        self._port: ControlPort | None = None

    async def start(self) -> None:
        """Listen, with rights for nobody but the owner from the first moment."""
        _clear_the_way(self._path)
        with _bindable(self._path) as path:
            port = ControlPort(os.fsencode(path), self._peers, mode=0o600, reactor=self._reactor)
            port.unlink_path = self._path
            # The umask belongs to the whole process; it is changed in the reactor thread for the one call that makes
            # the socket, and only towards less.
            umask = os.umask(0o177)
            try:
                port.startListening()
            except CannotListenError as error:
                raise _refused(self._path, error.socketError) from error
            finally:
                os.umask(umask)
        self._port = port
        log.info("control socket {path!r}: its owner and root may administer this agent", path=str(self._path))

    async def stop(self, patience_s: float) -> None:
        """Stop listening, remove the socket and end the connections; answers already written still go out."""
        port, self._port = self._port, None
        if port is None:
            return
        gone = defer.maybeDeferred(port.stopListening)
        gone.addTimeout(max(patience_s, 0.1), self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await gone
        for peer in list(self._peers.protocols):
            peer.loseConnection()


class ControlPort(unix.Port):
    """A Unix port that minds neither a long path nor a socket file that somebody has removed.

    Twisted removes the file by the path it was bound to, which here may lead through a descriptor that is closed by
    then, and never ends `stopListening` when the file is gone.
    """

    unlink_path: Path

    def connectionLost(self, reason: Failure) -> None:
        self.unlink_path.unlink(missing_ok=True)
        tcp.Port.connectionLost(self, reason)


class OwnPeer(ProtocolWrapper):
    """One connection; it gets as far as the HTTP protocol only when its process is ours or root's.

    `asker` tells the log who asks.
    """

    asker = ""

    def makeConnection(self, transport: Any) -> None:
        uid = peer_uid(transport.getHandle())
        self.asker = f"uid {uid}"
        if uid in (0, os.geteuid()):
            super().makeConnection(transport)
            return
        log.warn("control socket: a process of uid {uid} was turned away; only root and the agent's user may", uid=uid)
        transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self.transport is not None:
            super().connectionLost(reason)


class OwnPeers(WrappingFactory[OwnPeer]):
    """Lets in processes of the agent's own user and of root, and not too many at a time."""

    protocol = OwnPeer
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> OwnPeer | None:  # type: ignore[override]
        if len(self.protocols) >= MAX_CONNECTIONS:
            log.warn("control socket: more than {limit} connections; one was turned away", limit=MAX_CONNECTIONS)
            return None
        return super().buildProtocol(addr)


def peer_uid(connection: socket.socket) -> int:
    """The user of the process that opened the connection, as the kernel noted it at connect time."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
    uid: int = PEER_CREDENTIALS.unpack(raw)[1]
    return uid


class ControlRequest(http.Request):
    """One HTTP request on its way to the API and back."""

    channel: ControlChannel
    _received_bytes = 0
    _max_body_bytes = MAX_BODY_BYTES

    def __init__(
        self, channel: http.HTTPChannel, queued: object = False, parsePOSTFormSubmission: bool = False
    ) -> None:
        # Bodies are JSON or events; Twisted would read a form out of them, and add it to the query.
        super().__init__(channel, queued, parsePOSTFormSubmission)

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        # The request line has been read, but `method` is set with the end of the body only.
        self._max_body_bytes = MAX_LETTER_BYTES if self.channel.command == b"PUT" else MAX_BODY_BYTES
        if length is not None and length > self._max_body_bytes:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._received_bytes > self._max_body_bytes:
            self._refuse_body()
            return
        super().handleContentChunk(data)

    def process(self) -> None:
        defer.Deferred.fromCoroutine(self._respond()).addErrback(
            lambda failure: log.failure("control request failed", failure=failure)
        )

    async def _respond(self) -> None:
        path, _, query = self.uri.partition(b"?")
        if self.method != b"GET":
            transport: Any = self.channel.transport
            log.info(
                "{method} {path} asked for by {asker}",
                method=self.method.decode("latin-1"),
                path=path.decode("latin-1"),
                asker=getattr(transport, "asker", "?"),
            )
        request = ApiRequest(
            method=self.method.decode("latin-1"),
            path=path.decode("latin-1"),
            query=query.decode("latin-1"),
            body=self.content.read() if self.content else b"",
        )
        api = self.channel.factory.api
        patience_s = api.patience_s(request)
        answering = defer.Deferred.fromCoroutine(api.answer(request))
        answering.addTimeout(patience_s, self.channel.factory.reactor)
        try:
            answer = await answering
        except defer.TimeoutError:
            answer = problem(
                SenderError(
                    "too-slow",
                    f"the agent had no answer within {patience_s:g} s; its disk or machine is overloaded",
                    status=503,
                    title="Too slow",
                )
            )
        except Exception:
            log.failure("control request {method} {path!r} failed", method=request.method, path=request.path)
            answer = problem(
                SenderError(
                    "internal", "the agent failed to answer; its log says why", status=500, title="Internal error"
                )
            )
        # After an await the peer may be gone.
        if not self._disconnected:
            self._send(answer)

    def _send(self, answer: ApiAnswer) -> None:
        body = answer.encoded()
        self.setResponseCode(answer.status)
        self.setHeader(b"Content-Type", answer.content_type.encode("ascii"))
        self.setHeader(b"Content-Length", str(len(body)).encode("ascii"))
        self.setHeader(b"Cache-Control", b"no-store")
        for name, value in answer.headers:
            self.setHeader(name.encode("ascii"), value.encode("ascii"))
        self.write(body)
        self.finish()

    def _refuse_body(self) -> None:
        self.channel.refuse(
            problem(
                SenderError(
                    "body-too-large",
                    f"the body is larger than {self._max_body_bytes} bytes",
                    status=413,
                    title="Body too large",
                )
            )
        )


class ControlChannel(http.HTTPChannel):
    """twisted.web's HTTP/1.1 with limits for a link over which small questions are asked."""

    factory: ControlSite
    requestFactory = ControlRequest
    maxHeaders = 50
    totalHeadersSize = 8 * 1024
    _command = b""

    @property
    def command(self) -> bytes:
        """The method of the request that is being read."""
        return self._command

    def resetTimeout(self) -> None:
        """Not with each byte: a request must be whole within the time, or a drip could go on for ever."""

    def refuse(self, answer: ApiAnswer) -> None:
        """Answer in the middle of a request, and end the connection: what follows is of no interest."""
        transport: Any = self.transport
        transport.write(plain_answer(answer))
        self.loseConnection()


class ControlSite(http.HTTPFactory):
    """Makes HTTP channels in front of one API; any transport may use it."""

    protocol = ControlChannel  # type: ignore[assignment]
    noisy = False

    def __init__(self, api: ControlApi, *, reactor: Any) -> None:
        super().__init__(timeout=REQUEST_TIMEOUT_S, reactor=reactor)
        self.api: Final = api

    def startFactory(self) -> None:
        """No access log: nothing to open, no clock to keep running."""

    def stopFactory(self) -> None:
        """Nothing was opened."""

    def log(self, request: http.Request) -> None:
        if request.path == b"/v1/tail":
            return  # whoever watches the log would only read of himself
        log.debug("{method} {uri!r} {status}", method=request.method, uri=request.uri, status=request.code)


def plain_answer(answer: ApiAnswer) -> bytes:
    """An answer after which the connection ends, as it goes over the wire."""
    body = answer.encoded()
    return b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        answer.status,
        http.RESPONSES[answer.status],
        answer.content_type.encode("ascii"),
        len(body),
        body,
    )


def _refused(path: Path, error: OSError) -> MachineError:
    return MachineError(
        "control-socket",
        f"cannot listen on the control socket {str(path)!r} ({error.strerror}); "
        "the agent's user must be able to write in that folder",
        exit_status=ExitStatus.CANNOT_CREATE,
    )


def _clear_the_way(path: Path) -> None:
    """Make the folder where it is missing, and remove the socket of an agent that was killed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(path, error) from error
    if not stat.S_ISSOCK(mode):
        raise MachineError(
            "control-socket",
            f"{str(path)!r} should be the agent's control socket and is something else; move it away",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    path.unlink()


@contextlib.contextmanager
def _bindable(path: Path) -> Iterator[str]:
    """A name for `path` that fits into a socket address: long ones lead through a descriptor of their folder."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
