"""What does that port really speak? Looks at it from outside, as a sender would, and says whether one would trust it.

Blocking; every wait has an end. Nothing is verified in the handshake itself, because what is wrong is the question; the
chain is held against trust stores afterwards. Trials name `x-iadmin-tls-check` as an application protocol, by which our
own gateway knows them.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
from OpenSSL import SSL, crypto

from agent.hosts import in_url
from agent.wire.strangers import CHECK_PROTOCOL
from iadmin.model import Anchors, Probed

PATIENCE_S: Final = 5.0
"""For each connection with its handshake: three round trips over a satellite take two seconds."""
MOST_BYTES: Final = 256 * 1024
MOST_LINE: Final = 200

VERSIONS: Final[Mapping[str, int]] = {
    "TLS 1.3": SSL.TLS1_3_VERSION,
    "TLS 1.2": SSL.TLS1_2_VERSION,
    "TLS 1.1": SSL.TLS1_1_VERSION,
    "TLS 1.0": SSL.TLS1_VERSION,
}
_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_JAVA_PLACES: Final = ("lib/security/cacerts", "jre/lib/security/cacerts")


class TlsProber:
    """Implements `iadmin.commands.tools.Prober`. `environ` names Java's home."""

    def __init__(self, *, environ: Mapping[str, str], patience_s: float = PATIENCE_S) -> None:
        self._environ = environ
        self._patience_s = patience_s

    def look(self, host: str, port: int, *, name: str) -> Probed:
        """One handshake with what is usual today, one for each version, and plain HTTP where TLS is not spoken."""
        found = Probed(host=host, port=port, name=name)
        try:
            with self._connect(host, port) as plain:
                found = attrs.evolve(found, address=str(plain.getpeername()[0]))
                found = self._handshake(plain, found, None)
        except socket.gaierror:
            return attrs.evolve(found, trouble=f"the name {host!r} has no address here")
        except OSError as error:
            if not found.address:
                return attrs.evolve(found, trouble=_why(error))
        if found.speaks == "tls":
            return attrs.evolve(found, versions={name: self._cipher(found, code) for name, code in VERSIONS.items()})
        return self._plain(found)

    def trusts(self, chain: Sequence[bytes], anchors: Anchors) -> str:
        """OpenSSL's verdict, in its words; an issuer in the middle may be an anchor, as for Java and curl."""
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        try:
            if anchors.file or anchors.folder:
                store.load_locations(anchors.file or None, anchors.folder or None)
            for der in anchors.certificates:
                store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
            own, *others = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
            crypto.X509StoreContext(store, own, others).verify_certificate()
        except crypto.X509StoreContextError as error:
            return str(error.errors[-1] if error.errors else error)
        except crypto.Error:
            return "OpenSSL cannot read one of the certificates"
        return ""

    def system_anchors(self) -> Anchors | None:
        """OpenSSL's own places, SSL_CERT_FILE included, else the usual bundles."""
        paths = ssl.get_default_verify_paths()
        file = paths.cafile or next((place for place in _BUNDLES if Path(place).is_file()), "")
        folder = paths.capath if paths.capath and any(Path(paths.capath).glob("*.0")) else ""
        if not file and not folder:
            return None
        return Anchors(name=file or folder or "", file=file, folder=folder or "")

    def java_truststores(self) -> Sequence[Path]:
        """That of JAVA_HOME, of the `java` in the path, and of the distribution."""
        java = shutil.which("java", path=self._environ.get("PATH", ""))
        homes = [
            *([Path(self._environ["JAVA_HOME"])] if self._environ.get("JAVA_HOME") else []),
            *([Path(os.path.realpath(java)).parent.parent] if java else []),
        ]
        places = [home / place for home in homes for place in _JAVA_PLACES] + [Path("/etc/ssl/certs/java/cacerts")]
        found: dict[str, Path] = {}
        for place in places:
            if place.is_file():
                found.setdefault(os.path.realpath(place), place)
        return list(found.values())

    # ---- inside ------------------------------------------------------------------------------------------------

    def _connect(self, host: str, port: int) -> socket.socket:
        found = socket.create_connection((host, port), timeout=self._patience_s)
        found.settimeout(self._patience_s)
        return found

    def _cipher(self, found: Probed, version: int) -> str:
        try:
            with self._connect(found.host, found.port) as plain:
                return self._handshake(plain, attrs.evolve(found, answer=""), version).answer
        except OSError:
            return ""

    def _handshake(self, plain: socket.socket, found: Probed, version: int | None) -> Probed:
        """Shake hands; with a `version` only that one, and `answer` is then the cipher."""
        asked: list[bool] = []
        connection = SSL.Connection(_context(version, asked), None)
        connection.set_connect_state()
        if found.name and not _is_address(found.name):
            connection.set_tlsext_host_name(found.name.encode("idna"))
        if version is None:
            connection.request_ocsp()
        talk = _Talk(plain, connection, time.monotonic() + self._patience_s)
        try:
            talk.drive(connection.do_handshake)
        except (SSL.Error, OSError) as error:
            # Who is asked for a certificate has come as far as to agree on a version; before TLS 1.3 it ends there.
            agreed = (connection.get_cipher_name() or "agreed") if asked and version is not None else ""
            return attrs.evolve(
                found, speaks="other", trouble=_why(error), asks_for_certificate=bool(asked), answer=agreed
            )
        if version is not None:
            cipher = connection.get_cipher_name() or ""
            talk.end()
            return attrs.evolve(found, answer=cipher)
        chain = connection.get_peer_cert_chain() or []
        answer = talk.ask(_request(found))
        return attrs.evolve(
            found,
            speaks="tls",
            chain=tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in chain),
            is_stapled=bool(connection.get_app_data()),
            asks_for_certificate=bool(asked),
            answer=answer,
            trouble="" if answer else talk.trouble,
        )

    def _plain(self, found: Probed) -> Probed:
        """TLS is not spoken; is HTTP?"""
        try:
            with self._connect(found.host, found.port) as plain:
                plain.sendall(_request(found))
                answer = plain.recv(4096)
        except OSError as error:
            return attrs.evolve(found, trouble=found.trouble or _why(error))
        line = _line(answer)
        if not line.startswith("HTTP/"):
            return attrs.evolve(found, speaks="other", answer=line)
        # A TLS port whose handshake fails may still tell plain HTTP that it is wrong there (ours, Apache, nginx).
        wants_tls = line.split(" ")[1:2] == ["400"] and b"https" in answer.lower()
        return attrs.evolve(found, speaks="tls" if wants_tls else "http", answer=line)


class _Talk:
    """OpenSSL over memory, a socket beside it, one deadline for all of it."""

    def __init__(self, plain: socket.socket, connection: SSL.Connection, deadline: float) -> None:
        self._plain = plain
        self._connection = connection
        self._deadline = deadline
        self._taken = 0
        self.trouble = ""

    def drive(self, step: Any) -> Any:
        """Repeat `step` until it is through; raises `SSL.Error` and `OSError`."""
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                self._take()
                continue
            except SSL.Error:
                self._flush()  # the alert
                raise
            self._flush()
            return result

    def ask(self, request: bytes) -> str:
        """Send an HTTP request and return the first line of the answer; `trouble` says why there is none."""
        try:
            self.drive(lambda: self._connection.send(request))
            answer = self.drive(lambda: self._connection.recv(4096))
        except (SSL.Error, OSError) as error:
            self.trouble = _why(error)
            return ""
        self.end()
        return _line(answer)

    def end(self) -> None:
        """Say goodbye, so that the other side does not note an accident."""
        try:
            self._connection.shutdown()
            self._flush()
        except (SSL.Error, OSError):
            return

    def _flush(self) -> None:
        while True:
            try:
                self._plain.sendall(self._connection.bio_read(65536))
            except SSL.WantReadError:
                return

    def _take(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._plain.settimeout(left)
        data = self._plain.recv(16384)
        self._taken += len(data)
        if not data:
            raise ConnectionResetError("it closes the connection")
        if self._taken > MOST_BYTES:
            raise OSError("it sends without end")
        self._connection.bio_write(data)


def _context(version: int | None, asked: list[bool]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Old versions and weak keys are to be seen, not to be avoided.
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        if version is not None:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        context.set_alpn_protos([CHECK_PROTOCOL.encode("ascii"), b"http/1.1"])
    context.set_verify(SSL.VERIFY_NONE, None)

    def stapled(connection: SSL.Connection, response: bytes, _: object) -> bool:
        connection.set_app_data(response)
        return True

    def state(connection: SSL.Connection, where: int, _: int) -> None:
        if where & SSL.SSL_CB_LOOP and b"certificate request" in connection.get_state_string().lower():
            asked.append(True)

    context.set_ocsp_client_callback(stapled)
    context.set_info_callback(state)
    return context


def _request(found: Probed) -> bytes:
    named = in_url(found.name or found.host)
    return f"GET / HTTP/1.1\r\nHost: {named}:{found.port}\r\nUser-Agent: iadmin\r\nConnection: close\r\n\r\n".encode(
        "ascii", "replace"
    )


def _line(answer: bytes) -> str:
    first = answer.split(b"\n", 1)[0].rstrip(b"\r")[:MOST_LINE]
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in first)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _why(error: BaseException) -> str:
    """The rest of a sentence: `nobody listens there`."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return "it does not answer in time; a firewall may be in between"
    if isinstance(error, SSL.SysCallError):
        return "it closes the connection in the middle of the handshake"
    if isinstance(error, SSL.Error):
        parts = error.args[0] if error.args else ()
        words = [str(part[-1]) for part in parts if part] if isinstance(parts, list | tuple) else []
        return f'the TLS handshake fails (OpenSSL: "{words[-1]}")' if words else "the TLS handshake fails"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return type(error).__name__
