"""The way to the agent: one POST over a socket, and its answer."""

from __future__ import annotations

import socket
import time
from _thread import allocate_lock, start_new_thread
from binascii import b2a_base64

from apclient.submission import Submission

MAX_ANSWER_BYTES = 64 * 1024
DEFAULT_URL = "http://127.0.0.1:8081"
PROBLEM = "urn:integration-agent:problem:"
"""How the types of the agent's refusals begin (`agent.wire.answer`)."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]
"""What `getaddrinfo` gives for one address."""


class Unreachable(Exception):
    """No answer, or none that means anything; whether the event is stored is not known. The text says what failed."""


class BadUrl(Exception):
    """The gateway's URL is no such thing; the text is a sentence."""


class Url:
    """`http://host:port`. `path` is what stands before `/apxml/`."""

    __slots__ = ("host", "is_tls", "path", "port", "text")

    def __init__(self, text: str) -> None:
        """Raises `BadUrl`."""
        scheme, mark, rest = text.strip().partition("://")
        authority, _, path = rest.partition("/")
        host, colon, port = authority.rpartition(":")
        if not colon or "]" in port:
            host, port = authority, "443" if scheme == "https" else "80"
        host = host.removeprefix("[").removesuffix("]")
        is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \"'<>?#@\\")
        is_port = port.isdigit() and 0 < int(port[:6]) < 65536
        if not mark or scheme not in ("http", "https") or not host or not is_plain or not is_port:
            raise BadUrl(f"{text!r} is not the URL of a gateway, such as {DEFAULT_URL}")
        self.text = text.strip()
        self.is_tls = scheme == "https"
        self.host = host
        self.port = int(port)
        self.path = f"/{path.rstrip('/')}" if path.strip("/") else ""

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Answer:
    """A status and what was said with it."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    @property
    def is_commit(self) -> bool:
        """Whether the agent says that the event is on its disk; whoever else has its port may say 202 to everything."""
        # Not read as JSON, which takes a millisecond to load.
        return self.status == 202 and b'"requestId"' in self.body

    @property
    def is_the_agents(self) -> bool:
        """Whether it is the agent that says no, and not what stands in front of it, or has its port."""
        return str(self._said.get("type")).startswith(PROBLEM)

    @property
    def detail(self) -> str:
        """The agent's sentence, empty where there is none."""
        detail = self._said.get("detail")
        return "".join(c if c.isprintable() else "?" for c in detail) if isinstance(detail, str) else ""

    @property
    def _said(self) -> dict[str, object]:
        from json import loads

        try:
            found = loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Trust:
    """Whom to believe over TLS. `pinned` (PEM) is the agent's own certificate: then no name and no authority count;
    `cacert` is a file of certificates; neither: the system's."""

    __slots__ = ("cacert", "pinned")

    def __init__(self, *, pinned: str = "", cacert: str = "") -> None:
        self.pinned = pinned
        self.cacert = cacert


def request(url: Url, submission: Submission, authorization: str) -> bytes:
    """Return the request as it goes out."""
    lines = [
        f"POST {url.path}/apxml/{submission.service} HTTP/1.1",
        f"Host: {url.authority}",
        "User-Agent: apclient",
        f"Content-Type: {submission.content_type}",
        f"Content-Length: {len(submission.body)}",
        f"Idempotency-Key: {submission.key}",
        "Accept: application/json",
        "Connection: close",
    ]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + submission.body


def authorization(credentials: str) -> str:
    """The header's value for `USER:PASSWORD`, or for a bearer token; empty for none."""
    if ":" in credentials:
        return "Basic " + b2a_base64(credentials.encode(), newline=False).decode("ascii")
    return f"Bearer {credentials}" if credentials else ""


def read_answer(data: bytes) -> Answer:
    """Read what came until the connection ended; raise `Unreachable` for what is no whole answer."""
    head, blank, body = data.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    is_status = len(status) == 3 and status.isdigit() and rest[3:4] in (b" ", b"")
    if not blank or not version.startswith(b"HTTP/1.") or not is_status:
        raise Unreachable(
            "what answers there does not speak HTTP" if data else "the connection ended without an answer"
        )
    for field in fields:
        name, _, value = field.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(body) < int(value):
            raise Unreachable("the answer was cut off")
    return Answer(int(status), body)


def post(url: Url, submission: Submission, *, authorization: str, trust: Trust, timeout_s: float) -> Answer:
    """Send it and wait for the answer, for `timeout_s` in all; raise `Unreachable`."""
    end = time.monotonic() + timeout_s
    try:
        with _connected(url, end) as plain:
            connection = _secured(plain, url, trust) if url.is_tls else plain
            connection.settimeout(_left(end))
            try:
                connection.sendall(request(url, submission, authorization))
            except (BrokenPipeError, ConnectionResetError):
                # Refused before all was sent: the reason may be there to be read.
                pass
            return read_answer(_received(connection, end))
    except TimeoutError:
        raise Unreachable(f"no answer within {timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        raise Unreachable(str(getattr(error, "strerror", None) or error).lower()) from None


def _connected(url: Url, end: float) -> socket.socket:
    """Connect to the first address that answers."""
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in _addresses(url, end):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(end))
            connection.connect(address)
        except OSError as error:
            failure = error
            connection.close()
        else:
            return connection
    raise failure


def _addresses(url: Url, end: float) -> list[_Found]:
    """Look the name up in a thread, because the look-up itself knows no time-out; the thread ends with the process."""
    found: list[_Found] = []
    failures: list[Exception] = []
    done = allocate_lock()
    done.acquire()

    def look_up() -> None:
        try:
            # Bytes: for a text Python would load its tables of international names.
            found.extend(socket.getaddrinfo(url.host.encode("ascii"), url.port, type=socket.SOCK_STREAM))
        except Exception as error:
            failures.append(error)
        finally:
            done.release()

    start_new_thread(look_up, ())
    if not done.acquire(timeout=_left(end)):
        raise TimeoutError
    if failures:
        raise failures[0]
    return found


def _received(connection: socket.socket, end: float) -> bytes:
    pieces = []
    size = 0
    while size < MAX_ANSWER_BYTES:
        connection.settimeout(_left(end))
        try:
            piece = connection.recv(MAX_ANSWER_BYTES)
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _secured(plain: socket.socket, url: Url, trust: Trust) -> socket.socket:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust.pinned:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=trust.pinned)
    elif trust.cacert:
        context.load_verify_locations(cafile=trust.cacert)
    else:
        context.load_default_certs()
    return context.wrap_socket(plain, server_hostname=url.host)
