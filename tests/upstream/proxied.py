"""Run by `test_proxied` in a process of its own: the real sender by a real proxy on the loopback.

Prints one JSON object: what each request came to, and what the proxy saw.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import sys
import threading
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from agent.config.outbound import Proxy, ProxyScheme
from agent.secret import Secret
from tests.upstream.loopback import certificate, post, sender_for, serve

BASIC = "Basic " + base64.b64encode(b"u:p").decode()


class SmallProxy:
    """One thread per connection: CONNECT and absolute form, with a login where `wants` says so.

    `leads_to`: one that opens TLS. Its tunnels end at this port, where a certificate of its own is shown.
    """

    def __init__(self, *, wants="", pem=None, leads_to=0):
        self.seen = []
        self.wants = wants
        self._leads_to = leads_to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._context = None
        if pem is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        first = head.decode("latin-1").splitlines()[0]
        login = re.search(rb"Proxy-Authorization: ([^\r]*)", head)
        self.seen.append([first.rpartition(" ")[0], login[1].decode() if login else ""])
        if self.wants and not (login and login[1].decode().startswith(self.wants.split(" ")[0])):
            answer = f"HTTP/1.1 407 No\r\nProxy-Authenticate: {self.wants}\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(answer.encode())
            connection.close()
            return
        method, target, _ = first.split(" ")
        place = target if method == "CONNECT" else target.split("/")[2]
        port = self._leads_to or int(place.rpartition(":")[2])
        onward = socket.create_connection(("127.0.0.1", port))
        if method == "CONNECT":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            onward.sendall(head.replace(f"http://{place}".encode(), b"", 1))
        for one, other in ((connection, onward), (onward, connection)):
            threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


async def scenes(folder):
    authority = certificate(folder, "authority")
    os.environ["SSL_CERT_FILE"] = str(authority[2])
    os.environ["SSL_CERT_DIR"] = str(folder / "none")
    pem = certificate(folder, "good", issuer=authority)[2]
    plain, secure = f"http://127.0.0.1:{serve()}/in", f"https://127.0.0.1:{serve(pem)}/in"
    found = {}
    opener = certificate(folder, "Zscaler Intermediate Root CA")
    anew = serve(certificate(folder, "anew", issuer=opener)[2])
    nameless = serve(certificate(folder, "nameless", issuer=certificate(folder, "Our Gateway"))[2])
    for name, url, proxy, scheme in (
        ("tunnel", secure, SmallProxy(), ProxyScheme.HTTP),
        ("tunnel-basic", secure, SmallProxy(wants='Basic realm="x"'), ProxyScheme.HTTP),
        ("tunnel-digest", secure, SmallProxy(wants='Digest realm="x", nonce="n", qop="auth"'), ProxyScheme.HTTP),
        ("forward", plain, SmallProxy(), ProxyScheme.HTTP),
        ("forward-digest", plain, SmallProxy(wants='Digest realm="x", nonce="n"'), ProxyScheme.HTTP),
        ("tls-in-tls", secure, SmallProxy(pem=pem), ProxyScheme.HTTPS),
        ("opens-tls", secure, SmallProxy(leads_to=anew), ProxyScheme.HTTP),
        ("opens-tls-nameless", secure, SmallProxy(leads_to=nameless), ProxyScheme.HTTP),
        ("ntlm", secure, SmallProxy(wants="NTLM"), ProxyScheme.HTTP),
    ):
        access = Proxy(host="127.0.0.1", port=proxy.port, scheme=scheme, user="u", password=Secret("p"))
        sender = sender_for(url, proxy=access)
        found[name] = {"first": await post(sender), "second": await post(sender, 2), "seen": proxy.seen}
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
