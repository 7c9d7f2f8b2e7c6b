"""What is sent arrives: through nginx with TLS, an authenticating proxy, odd receivers, and another agent."""

from __future__ import annotations

import base64
import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.tls_lab.papers import CLIENT, Papers
from tests.support.live import LiveHome, free_port, until
from tests.support.outside import EVENT, NGINX, TINYPROXY, Programs, Receiver, add_destination, sends_to

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: it is the TLS server of these tests")
needs_tinyproxy = pytest.mark.skipif(TINYPROXY is None, reason="tinyproxy is not installed: it is the proxy here")


def certificate_of(papers: Papers) -> str:
    return f"ssl_certificate {papers.server}; ssl_certificate_key {papers.server};"


def passing_to(receiver: Receiver) -> str:
    to = f"proxy_pass http://127.0.0.1:{receiver.port}; proxy_set_header X-Client $ssl_client_s_dn;"
    return f"location /in {{ {to} }}"


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
    home: LiveHome, receiver: Receiver, tmp_path: Path, programs: Programs
) -> None:
    """Not trusted without the truststore, which check says; with it and our certificate, it arrives."""
    papers = Papers(tmp_path / "papers")
    own = papers.write("plant7", papers.root, usage=(CLIENT,))
    port = free_port()
    tls = f"{certificate_of(papers)} ssl_client_certificate {papers.ca}; ssl_verify_client on;"
    programs.nginx(port, passing_to(receiver), tls=tls)
    sends_to(home, f"https://127.0.0.1:{port}/in", "<timeout-s>20</timeout-s>")
    broken = home.iadmin("destination", "check", "out")
    assert (1, True) == (broken.returncode, b"BROKEN" in broken.stdout and b"TLS" in broken.stdout)
    keystore = as_pkcs12(own, "plant7")
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
def test_a_far_end_that_misses_a_client_certificate_says_so(
    home: LiveHome, receiver: Receiver, tmp_path: Path, programs: Programs
) -> None:
    """By nginx's 400 or by an alert: the request waits, and the reason and the check name the certificate."""
    papers = Papers(tmp_path / "papers")
    old = papers.write("old", papers.root, usage=(CLIENT,), starts=-50, days=20)
    web, bare = free_port(), free_port()
    tls = f"{certificate_of(papers)} ssl_client_certificate {papers.ca}; ssl_verify_client on;"
    programs.nginx(web, passing_to(receiver), tls=tls)
    wants = ("-Verify", "2", "-verify_return_error", "-CAfile", papers.ca, "-quiet", "-www")
    programs.start(bare, "openssl", "s_server", "-accept", f"127.0.0.1:{bare}", "-cert", papers.server, *wants)
    trust = f"<SSL><Truststore><path>{papers.ca}</path></Truststore>"
    inner = "<RetryPolicy><MaximumRetries>0</MaximumRetries></RetryPolicy>"
    sends_to(home, f"https://127.0.0.1:{web}/in", f"{inner}{trust}</SSL>")
    add_destination(home, "bare", f"https://127.0.0.1:{bare}/in", f"{inner}{trust}</SSL>")
    shown = f"<Keystore><alias>old</alias><path>{as_pkcs12(old, 'old')}</path></Keystore>"
    add_destination(home, "old", f"https://127.0.0.1:{web}/in", f"{inner}{trust}{shown}</SSL>")
    home.start()
    for name, reason, checked in (
        ("out", "answered 400 Bad Request; it wants a client certificate: name the alias", b"the destination has none"),
        ("bare", "it wants a client certificate (tlsv13 alert certificate required); name", b"it wants a client cert"),
        ("old", "it does not accept our client certificate (expired", b"the one of the destination expired on 20"),
    ):
        event = home.accept(EVENT, f"applications_forward/{name}")
        until(f"{name} to say why", partial(has_said, home, event, reason))
        assert "waiting" == home.event(event)["requests"][0]["state"]
        walked = home.iadmin("destination", "check", name)
        assert (1, True) == (walked.returncode, checked in walked.stdout), walked.stdout.decode()
    assert [] == receiver.got


@needs_nginx
@needs_tinyproxy
def test_through_a_proxy_that_wants_a_password(
    home: LiveHome, receiver: Receiver, tmp_path: Path, programs: Programs
) -> None:
    """CONNECT with Basic; with a wrong password, check names the tunnel."""
    papers = Papers(tmp_path / "papers")
    port, proxy = free_port(), free_port()
    programs.nginx(port, passing_to(receiver), tls=certificate_of(papers))
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(f"Port {proxy}\nListen 127.0.0.1\nBasicAuth agent canary\nConnectPort {port}\nTimeout 60\n")
    programs.start(proxy, TINYPROXY, "-d", "-c", settings)
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


def has_said(home: LiveHome, event: str, words: str) -> bool:
    """Whether a step of the event's requests says so."""
    steps = [step["text"] for request in home.event(event)["requests"] for step in request["steps"]]
    return any(words in text for text in steps)


def as_pkcs12(pem: Path, alias: str) -> Path:
    """The same key and certificate as a keystore beside it."""
    path = pem.with_suffix(".p12")
    home_run(*("openssl", "pkcs12", "-export", "-in", pem, "-name", alias, "-out", path, "-passout", "pass:alarmpoint"))
    path.chmod(0o600)
    return path


def home_run(*argv: object) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, timeout=30)
    assert 0 == done.returncode, done.stderr.decode()
    return done.stdout.decode()
