"""Redirects by a real nginx over TLS: what is followed, what goes along, and what is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.tls_lab.papers import Papers
from tests.support.live import LiveHome, free_port, run, until
from tests.support.outside import EVENT, NGINX, Programs, Receiver, add_destination, sends_to

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: it is the server that redirects here")

FORWARD = "applications_forward"
KEPT = ("301", "302", "307", "308")


def test_each_kind_of_redirect(home: LiveHome, receiver: Receiver, programs: Programs, tmp_path: Path) -> None:
    """Method and body are kept but for 303; the login stays at home; downgrades, chains and nowhere are refused."""
    papers = Papers(tmp_path / "papers")
    port, other = free_port(), free_port()
    tls = f"ssl_certificate {papers.server}; ssl_certificate_key {papers.server};"
    back = f"proxy_pass http://127.0.0.1:{receiver.port};"
    here = f"https://127.0.0.1:{port}"
    programs.nginx(other, f"location / {{ {back} }}", tls=tls)
    redirects = [f"location /in/{status} {{ return {status} {here}/to/{status}; }}" for status in (*KEPT, "303")]
    programs.nginx(
        port,
        " ".join(redirects)
        + f"location /to {{ {back} }}"
        + f"location /other {{ return 307 https://localhost:{other}/elsewhere; }}"
        + f"location /down {{ return 307 {receiver.url}; }}"
        + f"location /round {{ return 302 {here}/round; }}"
        + "location /nowhere { return 308 mailto:x@y; }",
        tls=tls,
    )
    word = home.folder / "conf" / ".word"
    word.write_text("pass-word\n")
    word.chmod(0o600)
    inner = (
        f"<SSL><Truststore><path>{papers.ca}</path></Truststore></SSL>"
        "<basic><user>u</user><password-file>./.word</password-file></basic><RetryPolicy><RetryDelay>10</RetryDelay>"
        "</RetryPolicy>"
    )
    sends_to(home, f"{here}/to/out", inner)
    for name in (*KEPT, "303"):
        add_destination(home, f"r{name}", f"{here}/in/{name}", inner)
    for name in ("other", "down", "round", "nowhere"):
        add_destination(home, name, f"{here}/{name}", inner)
    add_destination(
        home, "off", f"{here}/in/302", inner + "<RedirectPolicy><EnableRedirect>false</EnableRedirect></RedirectPolicy>"
    )
    home.start()
    sent = {
        name: home.accept(EVENT, f"{FORWARD}/{name}")
        for name in (*(f"r{status}" for status in KEPT), "r303", "other", "down", "round", "nowhere", "off")
    }
    for status in KEPT:
        assert "done" == home.settled(sent[f"r{status}"])["requests"][0]["state"]
        [(method, _, headers, body)] = receiver.at(f"/to/{status}")
        assert ("POST", EVENT.encode(), "Basic dTpwYXNzLXdvcmQ=") == (method, body, headers["authorization"])
    home.settled(sent["r303"])
    assert [("GET", b"")] == [(method, body) for method, _, _, body in receiver.at("/to/303")]
    home.settled(sent["other"])
    [(method, _, headers, body)] = receiver.at("/elsewhere")
    assert ("POST", EVENT.encode(), None) == (method, body, headers.get("authorization"))
    assert f"{sent['other']}/1" == headers["idempotency-key"]
    for name, words in (
        ("down", "from https to http, where everybody on the way could read it, nothing is sent"),
        ("round", "that is one redirect more than the 3 that are followed"),
        ("nowhere", "which is no http or https URL"),
    ):
        request = until(f"{name} to be refused", lambda name=name: waiting(home, sent[name]))
        assert words in request["reason"]
    off = home.settled(sent["off"])["requests"][0]
    assert ("dead", True) == (off["state"], f"points to {here}/to/302" in off["reason"])
    assert [] == receiver.at("/in")


def waiting(home: LiveHome, event: str) -> dict[str, str] | None:
    """The request of this event, once it waits for its next attempt."""
    [request] = home.event(event)["requests"] or [{"state": ""}]
    return request if "waiting" == request["state"] else None


def test_a_key_of_ones_own_goes_to_no_other_host(
    home: LiveHome, receiver: Receiver, programs: Programs, tmp_path: Path
) -> None:
    """A destination that shows a certificate is led to nobody else; check tells of the redirect before."""
    papers = Papers(tmp_path / "papers")
    port = free_port()
    tls = f"ssl_certificate {papers.server}; ssl_certificate_key {papers.server};"
    programs.nginx(port, "location / { return 307 https://localhost:1/in; }", tls=tls)
    own = papers.write("plant7", papers.root)
    keystore = tmp_path / "plant7.p12"
    run("openssl", "pkcs12", "-export", "-in", own, "-name", "plant7", "-out", keystore, "-passout", "pass:alarmpoint")
    keystore.chmod(0o600)
    sends_to(
        home,
        f"https://127.0.0.1:{port}/in",
        f"<SSL><Truststore><path>{papers.ca}</path></Truststore><Keystore><alias>plant7</alias>"
        f"<path>{keystore}</path></Keystore></SSL>",
    )
    hops = json.loads(home.iadmin("--json", "destination", "check", "out").stdout)["destinations"][0]["hops"]
    assert "it redirects to https://localhost:1/in" in hops[-1]["sentence"]
    home.start()
    event = home.accept(EVENT, FORWARD)
    request = until("it to be refused", lambda: waiting(home, event))
    assert "the key of this destination is shown to no other host" in request["reason"]
