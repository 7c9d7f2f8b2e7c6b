"""`-printcert`: certificates of a file, of stdin or of a TLS server."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Container
from typing import TYPE_CHECKING, Final

from keystoretools.certificate import Certificate
from keystoretools.detect import Kind, sniff
from keystoretools.errors import KeystoreError
from keystoretools.keytool import stores, weak
from keystoretools.keytool.failures import KeytoolError
from keystoretools.keytool.importcert import read_certificates
from keystoretools.keytool.layout import plain
from keystoretools.keytool.session import Session
from keystoretools.keytool.texts import certificate_pem, certificate_text

if TYPE_CHECKING:
    from OpenSSL import SSL

# A server that does not answer must not hold the terminal.
_PATIENCE_S: Final = 20.0


def run(session: Session) -> int:
    """The command."""
    server = session.get("sslserver")
    if server is not None:
        return _server(session, server)
    if session.get("jarfile") is not None:
        raise KeytoolError("-jarfile is not available here", hint="Signed JAR files need the keytool of a JDK.")
    trusted = _look_at_store(session)
    certificates = _of_input(session)
    texts = []
    for number, certificate in enumerate(certificates, 1):
        title = f"Certificate[{number}]:\n" if len(certificates) > 1 else ""
        if session.has("rfc"):
            texts.append(title + certificate_pem(certificate))
        else:
            texts.append(title + certificate_text(certificate, session.zone, is_trusted=certificate in trusted))
    session.warnings.extend(weak.chain_warnings("The certificate", certificates, trusted=trusted))
    session.prompts.out("\n".join(texts))
    return 0


def _look_at_store(session: Session) -> Container[Certificate]:
    """What -keystore, or the user's own store, trusts: keytool looks there too, and asks for no password."""
    name = stores.keystore_name(session)
    if not session.path(name).is_file():
        return ()
    data = session.read_file(name)
    stores.require_store(session, data, session.get("storetype"))
    password = session.password("storepass")
    store = stores.opened(session, name, data, password, session.get("storetype"), loudly=False)
    stores.warn_about(session, store)
    return store.trusted


def _of_input(session: Session) -> tuple[Certificate, ...]:
    data = session.read_input()
    if not data:
        raise KeytoolError("Empty input")
    hint = ""
    try:
        found = read_certificates(session, data)
    except KeystoreError as error:
        found, hint = (), error.sentence
    if not found and sniff(data).kind is Kind.PKCS7:
        raise KeytoolError("Empty input", hint=hint)
    if not found or any(one.problem is not None for one in found):
        raise KeytoolError("Failed to parse input", hint=hint or next((one.problem or "" for one in found), ""))
    return found


def _server(session: Session, server: str) -> int:
    """What the server presents; nothing is verified, as in keytool."""
    host, port = _address(server)
    chain = _chain_of(host, port)
    for number, octets in enumerate(chain):
        certificate = Certificate(octets)
        if session.has("rfc"):
            session.prompts.out(certificate_pem(certificate))
        else:
            text = certificate_text(certificate, session.zone)
            session.prompts.out(f"Certificate #{number}\n{'=' * 36}\n{text}\n")
        label = "The certificate" if len(chain) == 1 else f"The certificate #{number} of {len(chain)}"
        session.warnings.extend(weak.warnings(label, certificate))
    return 0


def _address(server: str) -> tuple[str, int]:
    """host, host:port, [ipv6]:port; port 443 unless given."""
    host, colon, port = server.rpartition(":")
    if not colon or (server.count(":") > 1 and not host.endswith("]")):
        host, port = server, "443"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _no_certificate(f'"{plain(port)}" is no port; write host:port.')
    return host.removeprefix("[").removesuffix("]"), int(port)


def _chain_of(host: str, port: int) -> list[bytes]:
    """The chain as presented (DER), by whatever the server still speaks.  Raises KeytoolError."""
    from OpenSSL import SSL, crypto

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(0)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_verify(SSL.VERIFY_NONE)
    connection = SSL.Connection(context, None)
    if not _is_address(host):
        connection.set_tlsext_host_name(host.encode("idna"))
    connection.set_connect_state()
    where = f"{plain(host)}:{port}"
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S) as connected:
            _shake_hands(connection, connected)
    except SSL.Error as error:
        if not connection.get_peer_cert_chain():
            raise _no_certificate(f"{where} answers, but the TLS handshake fails: is it a TLS port?") from error
    except OSError as error:
        if not connection.get_peer_cert_chain():
            raise _no_certificate(f"{where} does not answer: {error.strerror or error}.") from error
    chain = [crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in connection.get_peer_cert_chain() or []]
    if not chain:
        raise _no_certificate(f"{where} presents no certificate.")
    return chain


def _shake_hands(connection: SSL.Connection, connected: socket.socket) -> None:
    """The handshake over memory buffers, so that it ends at a deadline.  Raises SSL.Error, OSError."""
    from OpenSSL import SSL

    deadline = time.monotonic() + _PATIENCE_S
    done = False
    while not done:
        try:
            connection.do_handshake()
            done = True
        except SSL.WantReadError:
            pass
        with contextlib.suppress(SSL.WantReadError):
            while octets := connection.bio_read(16384):
                connected.sendall(octets)
        if done:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        connected.settimeout(left)
        received = connected.recv(16384)
        if not received:
            raise ConnectionResetError("the connection was closed")
        connection.bio_write(received)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _no_certificate(hint: str) -> KeytoolError:
    return KeytoolError("No certificate from the SSL server", hint=hint)
