"""The world that destinations lead to: receivers, web servers, proxies and bad lines, on the loopback."""

from __future__ import annotations

import email.utils
import hashlib
import http.server
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.live import LiveHome, until

EVENT = "<event><pump>P-101</pump></event>"

FORWARD = """
from agent.sdk import context

def on_event(event):
    context.send(event.path.strip("/") or "out", body=event.body, content_type="application/xml")
"""

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
TINYPROXY = shutil.which("tinyproxy")
SQUID = shutil.which("squid") or shutil.which("squid", path="/usr/sbin")
SQUID_HELPERS = Path("/usr/lib/squid")


def sends_to(home: LiveHome, url: str, inner: str = "") -> None:
    """A service `forward` that sends each event on to the destination `out`, or to the one its path names."""
    home.edit(r'<destination name="outbox" type="outbox"/>\s*</destinations>', "<!-- --></destinations>")
    add_destination(home, "out", url, inner)
    home.add_service("forward", FORWARD)


def add_destination(home: LiveHome, name: str, url: str, inner: str = "", attributes: str = "") -> None:
    """List one more destination in the configuration."""
    home.edit(
        r"</destinations>", f'<destination name="{name}" url="{url}" {attributes}>{inner}</destination></destinations>'
    )


class Receiver:
    """Answers POST, GET and HEAD with what `answers` gives, then with `usual`: status and headers; notes all requests.

    Three headers are orders to it: `endless` (a body without end), `never` (no answer), `late` (seconds before it).
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.usual: tuple[int, dict[str, str]] = (200, {})
        self.is_over = threading.Event()
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                ours.got.append((self.command, self.path, headers, body))
                status, more = ours.answers.pop(0) if ours.answers else ours.usual
                if "never" in more:
                    ours.is_over.wait(60)
                    self.close_connection = True
                    return
                self.send_response(status)
                if "endless" in more:
                    self.end_headers()
                    try:
                        while True:
                            self.wfile.write(b"x" * 65536)
                    except OSError:
                        self.close_connection = True
                        return
                for name, value in more.items():
                    self.send_header(name, value)
                data = b'{"site": "north"}'
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    def at(self, path: str) -> list[tuple[str, str, dict[str, str], bytes]]:
        """What came to this path."""
        return [one for one in self.got if one[1] == path]

    def close(self) -> None:
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()


def http_date(seconds_from_now: float) -> str:
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


class Programs:
    """Server programs, ended with the test. `start` returns when the port listens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, port: int, *argv: object) -> None:
        output = self.folder / "server.log"
        with output.open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self._running.append(process)

        def listens() -> bool:
            assert process.poll() is None, f"{argv[0]} ended: {output.read_text()}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(f"{argv[0]} to listen", listens)

    def nginx(self, port: int, locations: str, *, tls: str = "") -> None:
        """A server at `port` with these locations; `tls` holds its certificate and what it asks of clients."""
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        path = folder / "nginx.conf"
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        path.write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;\n"
            "events { worker_connections 64; }\n"
            f"http {{ access_log off; client_body_buffer_size 1m; client_body_temp_path {folder}/body; {temporary}\n"
            f"server {{ listen 127.0.0.1:{port} {'ssl' if tls else ''}; {tls}\n{locations} }} }}\n",
            encoding="utf-8",
        )
        self.start(port, NGINX, "-p", folder, "-c", path)

    def squid(self, port: int, folder: Path, *settings: str) -> None:
        """`folder` is one that squid's own account can read."""
        path = folder / f"squid-{port}.conf"
        common = (
            f"http_port 127.0.0.1:{port}",
            "pid_filename none",
            "access_log none",
            "cache deny all",
            "shutdown_lifetime 0 seconds",
            "visible_hostname lab",
            "pinger_enable off",
            "netdb_filename none",
            *settings,
            "acl known proxy_auth REQUIRED",
            "http_access allow known",
            "http_access deny all",
        )
        path.write_text("\n".join(common) + "\n", encoding="utf-8")
        path.chmod(0o644)
        self.start(port, SQUID, "-N", "-f", path)

    def close(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def digest_settings(folder: Path, *, user: str, password: str) -> tuple[str, ...]:
    """Squid's settings for Digest; the file stands in `folder`."""
    file = folder / "digest"
    secret = hashlib.md5(f"{user}:lab:{password}".encode()).hexdigest()
    file.write_text(f"{user}:lab:{secret}\n", encoding="ascii")
    file.chmod(0o644)
    return (f"auth_param digest program {SQUID_HELPERS}/digest_file_auth -c {file}", "auth_param digest realm lab")


class BadLine:
    """A TCP line to `port` that does harm. `harms` are worked off connection by connection; then it is good.

    `cut`: reset at once. `cut-answer`: the request passes, the answer is lost. `garble`: the answer's octets are
    others, but for the ends of lines. `silence`: taken, and nothing passes. `half`: the first 40 octets of the answer
    pass, then the end.
    """

    def __init__(self, port: int) -> None:
        self.harms: list[str] = []
        self.connections = 0
        self._onward = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._kept.append(near)
            harm = self.harms.pop(0) if self.harms else ""
            if harm == "cut":
                # The answer to what has been sent is a reset.
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                near.close()
            elif harm != "silence":
                try:
                    far = socket.create_connection(("127.0.0.1", self._onward))
                except OSError:  # nobody is there for the moment
                    near.close()
                    continue
                self._kept.append(far)
                threading.Thread(target=_pass, args=(near, far), daemon=True).start()
                threading.Thread(target=_spoil, args=(far, near, harm), daemon=True).start()

    def close(self) -> None:
        self._listening.close()
        for one in self._kept:
            one.close()


def garbled(data: bytes) -> bytes:
    return bytes(octet if octet in b"\r\n" else octet ^ 0x55 for octet in data)


def _pass(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass


def _spoil(far: socket.socket, near: socket.socket, harm: str) -> None:
    try:
        while data := far.recv(65536):
            if harm == "cut-answer":
                break
            if harm == "half":
                near.sendall(data[:40])
                break
            near.sendall(garbled(data) if harm == "garble" else data)
        near.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
