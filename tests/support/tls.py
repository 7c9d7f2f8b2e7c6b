"""Keys, certificates and TLS clients for tests of the gateway: all made at run time, all in memory."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.gateway.keeper import KeySupply
from keystoretools import ErrorCode
from keystoretools.errors import FileError
from tests.keystoretools.authority import Made, make

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = NOW - timedelta(days=30)


def pem_of(*made: Made, key: bool = True) -> bytes:
    """The certificates in this order, after the key of the first."""
    own = made[0].signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if key else b""
    return own + b"".join(one.library.public_bytes(Encoding.PEM) for one in made)


class MemoryDisk:
    """Files as a dictionary; `read` is what the gateway reads with."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def read(self, path: PurePath) -> bytes:
        try:
            return self.files[str(path)]
        except KeyError:
            raise FileError(f"There is no file {str(path)!r}.", code=ErrorCode.NO_SUCH_FILE, path=str(path)) from None

    def supply(self, folder: Path = Path("/nowhere"), now: datetime = NOW) -> KeySupply:
        return KeySupply(read=self.read, folder=folder, now=lambda: now, names=lambda: ("plant7.example", "192.0.2.10"))


def client_context(*trusted: Made, own: Made | None = None, folder: Path | None = None) -> ssl.SSLContext:
    """A client that trusts `trusted`, or anybody without them. `own` is its certificate; `folder` for a moment's file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(trusted)
    if not trusted:
        context.verify_mode = ssl.CERT_NONE
    # The certificates of the tests are valid around NOW, wherever the machine's clock stands.
    for one in trusted:
        context.load_verify_locations(cadata=one.library.public_bytes(Encoding.PEM).decode())
    if own is not None:
        assert folder is not None
        path = folder / "client.pem"
        path.write_bytes(pem_of(own))
        context.load_cert_chain(path)
    return context


class TlsClient:
    """A sender that speaks TLS over a faked transport (`tests.support.gateway.Client`)."""

    def __init__(self, raw: Any, context: ssl.SSLContext, *, name: str | None = "agent.example", session: Any = None):
        self.raw = raw
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name, session=session)
        self._read = 0
        self.received = b""
        self.has_ended = False
        """Whether the gateway has said, inside TLS, that nothing more will come."""

    def exchange(self) -> None:
        """Carry bytes to and fro until both sides are silent."""
        while True:
            moved = False
            waiting = self._out.read()
            if waiting:
                moved = True
                self.raw.send(waiting)
            fresh = self.raw.transport.written[self._read :]
            if fresh:
                moved = True
                self._read += len(fresh)
                self._in.write(fresh)
            self._decrypt()
            if not moved:
                return

    def _decrypt(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            while not self.has_ended:
                data = self.tls.read(65536)
                self.has_ended = not data
                self.received += data

    def shake_hands(self) -> TlsClient:
        """Do the handshake; raises what the client raises."""
        for _ in range(6):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.exchange_handshake()
                continue
            except ssl.SSLError:
                self.exchange_handshake()  # the alert
                raise
            break
        self.exchange()
        return self

    def exchange_handshake(self) -> None:
        waiting = self._out.read()
        if waiting:
            self.raw.send(waiting)
        fresh = self.raw.transport.written[self._read :]
        self._read += len(fresh)
        self._in.write(fresh)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.exchange()

    def end(self) -> None:
        """Say inside TLS that nothing more will be sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.exchange()


def authority() -> tuple[Made, Made]:
    """(root, server): an authority and agent.example, issued by it."""
    root = make("Root", authority=True, start=START)
    return root, make("agent.example", root, names=("agent.example", "192.0.2.1"), start=START)
