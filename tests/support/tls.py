"""Keys, certificates and TLS clients for tests of the gateway: all made at run time, all in memory."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agent.config.model import GatewayConfig
from agent.config.tls import TlsConfig
from agent.gateway.supply import KeySupply
from agent.wire.misuse import Cause, Misuse
from keystoretools import ErrorCode
from keystoretools.errors import FileError
from tests.keystoretools.authority import Made, make
from tests.support.gateway import Stage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 10_000
"""TLS clients compare dates with the machine's own clock, which the tests must not depend on."""


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


def client_context(
    *trusted: Made, own: Made | None = None, chain: Sequence[Made] = (), folder: Path | None = None
) -> ssl.SSLContext:
    """A client that trusts `trusted`, or anybody without them. `own` is its certificate, put into `folder`; it sends
    `chain` with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(trusted)
    if not trusted:
        context.verify_mode = ssl.CERT_NONE
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for one in trusted:
        context.load_verify_locations(cadata=one.library.public_bytes(Encoding.PEM).decode())
    if own is not None:
        assert folder is not None
        path = folder / "client.pem"
        path.write_bytes(pem_of(own) + b"".join(pem_of(one, key=False) for one in chain))
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
        try:
            while not self.has_ended:
                data = self.tls.read(65536)
                self.has_ended = not data
                self.received += data
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass

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


def issued(common: str, issuer: Made | None = None, **facts: Any) -> Made:
    """A certificate that is valid for as long as these tests may be run."""
    return make(common, issuer, **{"start": START, "days": DAYS, **facts})


def authority() -> tuple[Made, Made]:
    """(root, server): an authority and agent.example, issued by it."""
    root = issued("Root", authority=True)
    return root, issued("agent.example", root, names=("agent.example", "192.0.2.1"))


class TlsStage(Stage):
    """A gateway that speaks TLS on a faked network. `misuses` is what its desk was told.

    `files` is the disk: `server.pem` is presented unless `tls` says otherwise.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        tls: TlsConfig | None = None,
        *,
        alias: str = "",
        supply: KeySupply | None = None,
        **facts: Any,
    ) -> None:
        self.misuses: list[Misuse] = []
        super().__init__(desk=self.misuses.append, supply=supply or MemoryDisk(files).supply(), **facts)
        config = self.gateway._config
        self.config = attrs.evolve(
            config, ssl=True, alias=alias, tls=tls or TlsConfig(certificate=PurePath("server.pem"))
        )
        self.reconfigure(self.config)

    def reconfigure(self, config: GatewayConfig) -> None:
        """Change the running gateway; raises what it raises."""
        outcome: list[Any] = []
        Deferred.fromCoroutine(self.gateway.reconfigure(config)).addBoth(outcome.append)
        self.run_threads()
        (result,) = outcome
        if isinstance(result, Failure):
            result.raiseException()

    def tls_client(self, context: ssl.SSLContext, *, room: int | None = None, **facts: Any) -> TlsClient:
        """A sender that has connected; its handshake is still to be done."""
        return TlsClient(self.client(room=room), context, **facts)

    @property
    def causes(self) -> list[Cause]:
        return [misuse.cause for misuse in self.misuses]


def ocsp_response(
    authority: Made, made: Made, *, start: datetime = NOW - timedelta(days=1), status: str = "GOOD", days: int = 7
) -> bytes:
    """What an authority says of a certificate that it has issued."""
    is_revoked = status == "REVOKED"
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=made.library,
        issuer=authority.library,
        algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus[status],
        this_update=start,
        next_update=start + timedelta(days=days),
        revocation_time=start if is_revoked else None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, authority.library)
    signed = builder.sign(authority.signer, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)
