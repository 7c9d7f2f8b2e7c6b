"""Run by `test_loopback` in a process of its own: the real sender and reactor against real loopback servers.

Prints one JSON object: what each request came to.
"""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import os
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.config.outbound import TriesPolicy
from agent.delivery import OutboundRequest
from agent.errors import DestinationError
from agent.upstream.http import HttpSender
from agent.upstream.trust import system_context

ONE_TRY = TriesPolicy(maximum_retries=0)
LARGE = b"x" * 32 * 1024 * 1024
"""More than the buffers of two sockets hold."""
YEAR = datetime.timedelta(days=365)


def certificate(folder, name, *, issuer=None, san="127.0.0.1", expired=False):
    """Make a key and a certificate signed by `issuer`, or by itself as an authority; return what was made."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    end = now - YEAR if expired else now + YEAR
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * YEAR)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(san))]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return built, key, path


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers by path; remembers the port of each connection."""

    protocol_version = "HTTP/1.1"
    peers: list[int] = []  # noqa: RUF012 -- the class is the only place the server and the script share

    def do_POST(self):
        self.peers.append(self.client_address[1])
        if self.path == "/early":
            self.reply(413, b"too much")
            time.sleep(1)  # and reads nothing of the body
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.path:
            case "/slow":
                time.sleep(1)
                self.close_connection = True
            case "/endless":
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b"x" * 65536)
                except OSError:
                    self.close_connection = True
            case "/cut":
                self.close_connection = True
            case "/last":
                self.reply(202, body)
                self.close_connection = True  # without saying so: the client's connection dies while idle
            case "/large":
                self.reply(200, str(len(body)).encode())
            case "/busy":
                self.reply(503, b"busy", ("Retry-After", "7"))
            case _:
                self.reply(202, json.dumps({"id": self.headers["Idempotency-Key"]}).encode())

    def reply(self, status, body, *headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(pem=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


async def post(sender, number=1, body=b'{"a": 1}'):
    request = StoredRequest(
        seq=number,
        id=f"event-{number}/1",
        event_seq=number,
        service="s",
        group="",
        request=OutboundRequest(destination="out", body=body),
    )
    try:
        answer = await sender.send(request, 1)
    except DestinationError as error:
        return [error.code, error.sentence, error.after_s]
    return [answer.status, answer.body[:64].decode(), len(answer.body)]


def sender_for(url, **fields):
    return HttpSender(
        destination=HttpDestination(
            name="out", url=url, **{"timeout_s": 10.0, "tries": TriesPolicy(maximum_retries=0), **fields}
        ),
        reactor=reactor,
        now_us=lambda: int(time.time() * 1e6),
        context=lambda: succeed(system_context()),
    )


async def scenes(folder):
    authority = certificate(folder, "authority")
    stranger = certificate(folder, "stranger")
    # What `set_default_verify_paths` reads: the system's trust, for this process.
    os.environ["SSL_CERT_FILE"] = str(authority[2])
    os.environ["SSL_CERT_DIR"] = str(folder / "none")
    plain = f"http://127.0.0.1:{serve()}"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        found = {"refused": await post(sender_for(nobody))}
    reused = sender_for(f"{plain}/in")
    found["plain"] = await post(reused)
    found["again"] = await post(reused, 2)
    found["reused"] = len(Receiver.peers) - len(set(Receiver.peers))
    found["busy"] = await post(sender_for(f"{plain}/busy"))
    found["slow"] = await post(sender_for(f"{plain}/slow", timeout_s=0.3))
    found["endless"] = await post(sender_for(f"{plain}/endless", max_answer_bytes=100_000))
    before = len(set(Receiver.peers))
    large = sender_for(f"{plain}/large")
    found["large"] = [await post(large, 1, LARGE), await post(large, 2, b"small"), await post(large, 3, LARGE)]
    found["large-lines"] = len(set(Receiver.peers)) - before
    early = sender_for(f"{plain}/early", timeout_s=5.0)
    found["early"] = [await post(early, 1, LARGE), await post(early, 2, LARGE)]
    found["cut"] = await post(sender_for(f"{plain}/cut"))
    dying = sender_for(f"{plain}/last")
    found["idle"] = [await post(dying, number) for number in range(5)]
    found["tls-on-plain"] = await post(sender_for(plain.replace("http:", "https:")))
    for name, made in {
        "tls": certificate(folder, "good", issuer=authority),
        "unknown-ca": certificate(folder, "unknown", issuer=stranger),
        "self-signed": stranger,
        "wrong-name": certificate(folder, "wrong", issuer=authority, san="127.0.0.9"),
        "expired": certificate(folder, "expired", issuer=authority, expired=True),
    }.items():
        sender = sender_for(f"https://127.0.0.1:{serve(made[2])}/in")
        found[name] = await post(sender)
        if name == "tls":
            found["tls-large"] = await post(sender_for(sender.target.replace("/in", "/large")), 1, LARGE)
        await sender.close()
    return found


def main():
    def start():
        running = Deferred.fromCoroutine(scenes(Path(sys.argv[1])))
        running.addCallback(lambda found: print(json.dumps(found)))  # noqa: T201 -- the result of the process
        running.addErrback(lambda failure: failure.printTraceback(sys.stderr))
        running.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()


if __name__ == "__main__":
    main()
