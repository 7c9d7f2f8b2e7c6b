"""What is sent arrives: through nginx with TLS, an authenticating proxy, odd receivers, and another agent."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tls_lab.papers import CLIENT, Papers
from tests.support.live import LiveHome, free_port, until

EVENT = "<event><pump>P-101</pump></event>"
FORWARD = """
from agent.sdk import context

def on_event(event):
    context.send("out", body=event.body, content_type="application/xml")
"""
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
TINYPROXY = shutil.which("tinyproxy")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: it is the TLS server of these tests")
needs_tinyproxy = pytest.mark.skipif(TINYPROXY is None, reason="tinyproxy is not installed: it is the proxy here")


class Receiver:
    """Answers POST and GET with what `say` gives: status and headers; notes all requests."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                ours.got.append((self.command, self.path, headers, body))
                status, more = ours.answers.pop(0) if ours.answers else (200, {})
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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Starts a server program and waits until its port listens; ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(port: int, *argv: object) -> None:
        with (tmp_path / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        running.append(process)

        def listens() -> bool:
            import socket

            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(f"{argv[0]} to listen: {(tmp_path / 'server.log').read_text()}", listens)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def sends_to(home: LiveHome, url: str, inner: str = "") -> None:
    """A service `forward` that sends each event on to the destination `out`."""
    home.edit(r'<destination name="outbox" type="outbox"/>\s*</destinations>', "<!-- --></destinations>")
    home.edit(r"<!-- --></destinations>", f'<destination name="out" url="{url}">{inner}</destination></destinations>')
    home.add_service("forward", FORWARD)


def nginx_config(folder: Path, port: int, papers: Papers, back: int, *, more: str = "") -> Path:
    path = folder / "nginx.conf"
    path.write_text(
        f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {papers.server}; ssl_certificate_key {papers.server}; {more}
    location /in {{ proxy_pass http://127.0.0.1:{back}; proxy_set_header X-Client $ssl_client_s_dn; }}
    location /moved {{ return 307 https://127.0.0.1:{port}/in; }}
  }}
}}
""",
        encoding="utf-8",
    )
    return path


def test_an_outage_with_retry_after_a_401_and_an_endless_answer(home: LiveHome, receiver: Receiver) -> None:
    """503 waits as asked; 401 then 200 is delivered; of an endless answer the limit is kept."""
    sends_to(home, receiver.url)
    receiver.answers = [(503, {"Retry-After": "1"}), (401, {}), (200, {}), (200, {"endless": "1"})]
    home.start()
    first = home.accept(EVENT, "applications_forward")
    assert "done" == home.settled(first)["requests"][0]["state"]
    ids = {headers["idempotency-key"] for _, _, headers, _ in receiver.got}
    assert (3, {f"{first}/1"}) == (len(receiver.got), ids)
    second = home.settled(home.accept(EVENT, "applications_forward"))["requests"][0]
    assert ("done", 200) == (second["state"], second["answer"]["status"])


def test_a_paused_destination_waits_over_a_restart_and_check_walks_to_it(home: LiveHome, receiver: Receiver) -> None:
    """Nothing arrives until it is resumed; the operator's own question does, and HEAD is all that a check sends."""
    sends_to(home, receiver.url)
    home.start()
    assert 0 == home.iadmin("destination", "pause", "out").returncode
    event = home.accept(EVENT, "applications_forward")
    assert 0 == home.iadmin("destination", "check", "out").returncode
    assert ["HEAD"] == [method for method, *_ in receiver.got]
    assert {"site": "north"} == json.loads(home.iadmin_json("destination", "send", "out", home.config_file)["body"])
    home.stop()
    home.start()
    [told] = [one for one in home.iadmin_json("destination", "list")["destinations"] if one["destination"] == "out"]
    assert told["paused"]
    assert 2 == len(receiver.got)
    home.iadmin("destination", "resume", "out")
    assert "done" == home.settled(event)["requests"][0]["state"]


def test_a_service_asks_and_uses_the_answer(home: LiveHome, receiver: Receiver) -> None:
    """`await context.request` in a real worker; what it looked up is sent."""
    sends_to(home, receiver.url)
    home.add_service(
        "asks",
        "from agent.sdk import context\n"
        "async def on_event(event):\n"
        "    answer = await context.request('out', path='/pumps/' + event.find('pump'))\n"
        "    context.send('outbox', json={'site': answer.json()['site']})\n",
    )
    home.start()
    home.settled(home.accept(EVENT, "applications_asks"))
    assert [{"site": "north"}] == [one["body"] for one in home.outbox]
    assert ("GET", "/in/pumps/P-101") == receiver.got[0][:2]


@needs_nginx
def test_nginx_with_a_private_authority_and_client_certificates(
    home: LiveHome, receiver: Receiver, tmp_path: Path, started: Callable[..., None]
) -> None:
    """Not trusted without the truststore, which check says; with it and our certificate, it arrives."""
    papers = Papers(tmp_path / "papers")
    own = papers.write("plant7", papers.root, usage=(CLIENT,))
    port = free_port()
    more = f"ssl_client_certificate {papers.ca}; ssl_verify_client on;"
    started(port, NGINX, "-p", tmp_path, "-c", nginx_config(tmp_path, port, papers, receiver.port, more=more))
    sends_to(home, f"https://127.0.0.1:{port}/in", "<timeout-s>20</timeout-s>")
    broken = home.iadmin("destination", "check", "out")
    assert (1, True) == (broken.returncode, b"BROKEN" in broken.stdout and b"TLS" in broken.stdout)
    keystore = tmp_path / "plant7.p12"
    made = subprocess.run(
        [
            "openssl",
            "pkcs12",
            "-export",
            "-in",
            own,
            "-name",
            "plant7",
            "-out",
            keystore,
            "-passout",
            "pass:alarmpoint",
        ],
        check=False,
        capture_output=True,
    )
    assert 0 == made.returncode, made.stderr
    keystore.chmod(0o600)
    home.edit(
        r"<timeout-s>20</timeout-s>",
        f"<SSL><Truststore><path>{papers.ca}</path></Truststore>"
        f"<Keystore><alias>plant7</alias><path>{keystore}</path></Keystore></SSL>",
    )
    walked = home.iadmin("destination", "check", "out")
    assert 0 == walked.returncode, walked.stdout.decode()
    home.start()
    assert "done" == home.settled(home.accept(EVENT, "applications_forward"))["requests"][0]["state"]
    assert "CN=plant7" == receiver.got[-1][2]["x-client"]


@needs_nginx
@needs_tinyproxy
def test_through_a_proxy_that_wants_a_password(
    home: LiveHome, receiver: Receiver, tmp_path: Path, started: Callable[..., None]
) -> None:
    """CONNECT with Basic; with a wrong password, check names the tunnel."""
    papers = Papers(tmp_path / "papers")
    port, proxy = free_port(), free_port()
    started(port, NGINX, "-p", tmp_path, "-c", nginx_config(tmp_path, port, papers, receiver.port))
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(f"Port {proxy}\nListen 127.0.0.1\nBasicAuth agent canary\nConnectPort {port}\nTimeout 60\n")
    started(proxy, TINYPROXY, "-d", "-c", settings)
    word = home.folder / "conf" / ".proxypasswd"
    word.write_text("wrong\n")
    word.chmod(0o600)
    sends_to(
        home,
        f"https://127.0.0.1:{port}/in",
        f"<Proxy><host>127.0.0.1</host><port>{proxy}</port><user>agent</user>"
        "<password-file>./.proxypasswd</password-file></Proxy>"
        f"<SSL><Truststore><path>{papers.ca}</path></Truststore></SSL>",
    )
    broken = json.loads(home.iadmin("--json", "destination", "check", "out").stdout)["destinations"][0]["hops"][-1]
    assert ("tunnel", False) == (broken["hop"], broken["good"])
    word.write_text("canary\n")
    assert 0 == home.iadmin("destination", "check", "out").returncode
    home.start()
    assert "done" == home.settled(home.accept(EVENT, "applications_forward"))["requests"][0]["state"]
    assert "proxy-authorization" not in receiver.got[-1][2]
    assert "canary" not in home.log


def test_agent_to_agent_and_a_receiver_behind(home: LiveHome, receiver: Receiver, tmp_path: Path) -> None:
    """Over TLS with Basic on both; the id survives the hop, and a double of it is recognised there."""
    papers = Papers(tmp_path / "papers")
    far = LiveHome(tmp_path / "far")
    try:
        for agent in (home, far):
            agent.edit(
                r'<service-gateway ssl="false"',
                '<service-gateway authenticate="true" user="EMSAdmin" password="pass-word" ssl="true" '
                f'certificate="{papers.server}"',
            )
        secret = home.folder / "conf" / ".farpasswd"
        secret.write_text("pass-word\n")
        secret.chmod(0o600)
        sends_to(far, receiver.url)
        sends_to(
            home,
            f"https://127.0.0.1:{far.port}/http/applications_forward",
            "<basic><user>EMSAdmin</user><password-file>./.farpasswd</password-file></basic>"
            f"<SSL><Truststore><path>{papers.ca}</path></Truststore></SSL>",
        )
        far.start()
        home.start()
        post = ("curl", "-sS", "--cacert", papers.ca, "-u", "EMSAdmin:pass-word", "--data-binary", EVENT)
        said = home_run(*post, f"https://127.0.0.1:{home.port}/http/applications_forward")
        event = json.loads(said)["requestId"]
        request = home.settled(event)["requests"][0]
        there = json.loads(request["answer"]["body"])["requestId"]
        assert "done" == far.settled(there)["requests"][0]["state"]
        key = ("-H", f"Idempotency-Key: {request['id']}")
        again = home_run(*post, *key, f"https://127.0.0.1:{far.port}/http/applications_forward")
        assert there == json.loads(again)["requestId"]
        assert [EVENT.encode()] == [body for *_, body in receiver.got]
        assert base64.b64encode(b"EMSAdmin:pass-word").decode() not in home.log + far.log
    finally:
        far.close()


def home_run(*argv: object) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, timeout=30)
    assert 0 == done.returncode, done.stderr.decode()
    return done.stdout.decode()
