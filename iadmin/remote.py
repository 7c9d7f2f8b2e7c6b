"""The way to an agent on another machine: HTTP/1.1 over TLS to its admin gateway, both sides with the key `apia`.

Nothing is sent before the agent has proved that it has the key. Blocking; each wait for the network has a limit.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from typing import Any, Final

from OpenSSL import SSL, crypto

from agent.config.admin import DEFAULT_PORT
from agent.errors import ExitStatus, OperatorError
from agent.hosts import at_port
from agent.mutual import SharedKey, fingerprint_of, is_same, mutual_context, reason_of
from iadmin.link import TIMEOUT_S, Link, NoAnswer, NotAllowed

CONNECT_S: Final = 10.0
READ_BYTES: Final = 16 * 1024


def parse_address(text: str) -> tuple[str, int]:
    """Read `host`, `host:port`, `[address]:port`; raises `OperatorError` (exit status 64)."""
    host, _, port = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", str(DEFAULT_PORT))
    bare = host.removeprefix("[").removesuffix("]")
    is_address = ":" in bare
    fits = bare and "/" not in text and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    if not fits or is_address != host.startswith("["):
        raise OperatorError(
            "bad-address",
            f"{text!r} is not the address of an admin gateway; say HOST:PORT, as plant7.example.com:{DEFAULT_PORT} or "
            f"[2001:db8::7]:{DEFAULT_PORT}",
            exit_status=ExitStatus.USAGE,
        )
    return bare, int(port)


def remote_link(address: str, key: SharedKey, *, timeout_s: float = TIMEOUT_S) -> Link:
    """The link to the agent behind an admin gateway. Raises `OperatorError` for an address or a key of no use."""
    host, port = parse_address(address)
    context = mutual_context(key)
    return Link(lambda: AdminConnection(host, port, key=key, context=context, timeout_s=timeout_s), where=address)


class AdminConnection(HTTPConnection):
    """HTTP/1.1 to an admin gateway; raises `LinkError` where there is no way to it."""

    def __init__(self, host: str, port: int, *, key: SharedKey, context: SSL.Context, timeout_s: float) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._where = at_port(host, port)
        self._key = key
        self._context = context

    def connect(self) -> None:
        plain = self._reach()
        try:
            plain.settimeout(self.timeout)
            found: Any = TlsSocket(plain, self._context, self._complaint)
            self.sock = found
            found.handshake()
            if not is_same(self._key, found.shown_certificate()):
                raise self._complaint("", found.shown_certificate())
        except BaseException:
            plain.close()
            raise

    def _reach(self) -> socket.socket:
        try:
            return socket.create_connection((self.host, self.port), CONNECT_S)
        except ConnectionRefusedError as error:
            raise NoAnswer(
                "not-reached",
                f"nothing listens on {self._where}: the agent is down, or <admin-gateway> of its configuration names "
                "another port or an address that cannot be reached from here",
            ) from error
        except (socket.gaierror, UnicodeError) as error:
            raise NoAnswer("not-reached", f"the name {self.host!r} has no address here; correct it") from error
        except TimeoutError as error:
            raise NoAnswer(
                "not-reached",
                f"{self._where} does not answer within {CONNECT_S:g} s: a firewall is between, or it is down",
            ) from error
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise NoAnswer("not-reached", f"{self._where} cannot be reached ({said})") from error

    def _complaint(self, reason: str, shown: crypto.X509 | None) -> NoAnswer | NotAllowed:
        """The sentence for a TLS connection that came to nothing."""
        if shown is not None and not is_same(self._key, shown):
            return NotAllowed(
                "wrong-key",
                f"{self._where} has another key ({fingerprint_of(shown)}) than apia of {self._key.where} "
                f"({self._key.fingerprint}): this is another agent, or its key was renewed; take a copy of its "
                "conf/.keystore",
            )
        if "alert" in reason and "certificate" in reason:
            return NotAllowed(
                "key-refused",
                f"the agent on {self._where} does not take the key apia of {self._key.where} "
                f"({self._key.fingerprint}); take a copy of its conf/.keystore",
            )
        if reason in ("wrong version number", "packet length too long", "http request", "unexpected message"):
            return NoAnswer(
                "no-tls",
                f"what listens on {self._where} does not speak TLS; name the port of <admin-gateway> "
                f"({DEFAULT_PORT} where nothing else was said)",
            )
        if "protocol" in reason:
            return NoAnswer(
                "old-tls",
                f"what listens on {self._where} does not speak TLS 1.3, so it is no admin gateway; name its port "
                f"({DEFAULT_PORT} where nothing else was said)",
            )
        return NoAnswer(
            "no-tls",
            f"the TLS connection with {self._where} has failed ({reason or 'it was closed'}); is it the admin gateway "
            "of an agent?",
        )


class TlsSocket:
    """As much of a socket as `http.client` uses. `complaint` makes an error of OpenSSL's word and what was shown."""

    def __init__(
        self,
        plain: socket.socket,
        context: SSL.Context,
        complaint: Callable[[str, crypto.X509 | None], Exception],
    ) -> None:
        self.shown: crypto.X509 | None = None
        """The far side's certificate, where it was refused."""
        self._plain = plain
        self._complaint = complaint
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self)
        self._tls.set_connect_state()
        self._is_closed = False
        self._file: TlsFile | None = None

    def handshake(self) -> None:
        """Raises what `complaint` makes of a failure."""
        self._drive(self._tls.do_handshake)

    def shown_certificate(self) -> crypto.X509 | None:
        """What the far side presented in the handshake."""
        return self._tls.get_peer_certificate()

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data)
        for start in range(0, len(view), READ_BYTES):
            piece = bytes(view[start : start + READ_BYTES])
            self._drive(partial(self._tls.sendall, piece))

    def read(self, size: int) -> bytes:
        """Some octets, none at the end."""
        try:
            return bytes(self._drive(lambda: self._tls.recv(size)))
        except SSL.ZeroReturnError:
            return b""

    def makefile(self, mode: str) -> io.BufferedReader:
        """For reading answers."""
        self._file = TlsFile(self)
        return io.BufferedReader(self._file)

    def close(self) -> None:
        """Close it, once the answer has been read: http.client does so before."""
        self._is_closed = True
        if self._file is None or self._file.closed:
            self._plain.close()

    def file_closed(self) -> None:
        """The answer has been read."""
        if self._is_closed:
            self._plain.close()

    def _drive(self, step: Callable[[], Any]) -> Any:
        """Repeat a step of OpenSSL until it is through, carrying octets between it and the socket."""
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                data = self._plain.recv(READ_BYTES)
                if not data:
                    raise self._complaint("", None) from None
                self._tls.bio_write(data)
                continue
            except SSL.ZeroReturnError:
                raise
            except SSL.Error as error:
                self._flush()  # the alert
                raise self._complaint(reason_of(error), self.shown) from error
            self._flush()
            return result

    def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(READ_BYTES)
            except SSL.WantReadError:
                return
            try:
                self._plain.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                return  # reading says why


class TlsFile(io.RawIOBase):
    """The reading end, for `io.BufferedReader`."""

    def __init__(self, source: TlsSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._source.file_closed()
