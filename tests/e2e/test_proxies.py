"""Through a real squid: Digest, Basic, NTLM refused, TLS to the proxy itself, and a password mended while it runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tls_lab.papers import Papers
from tests.support.live import LiveHome, free_port, until
from tests.support.outside import (
    EVENT,
    NGINX,
    SQUID,
    SQUID_HELPERS,
    Programs,
    Receiver,
    add_destination,
    digest_settings,
    sends_to,
)

pytestmark = pytest.mark.skipif(
    SQUID is None or NGINX is None, reason="squid and nginx are not both installed: they are the proxy and the server"
)

FORWARD = "applications_forward"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that squid's own account can read."""
    folder = Path(tempfile.mkdtemp(prefix="squid-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def hops(home: LiveHome, name: str) -> list[dict[str, Any]]:
    done = home.iadmin("--json", "destination", "check", name)
    found: list[dict[str, Any]] = json.loads(done.stdout)["destinations"][0]["hops"]
    return found


def test_squid_with_digest_over_tls_and_in_the_clear(
    home: LiveHome, receiver: Receiver, programs: Programs, tmp_path: Path, open_folder: Path
) -> None:
    """CONNECT and absolute form, to a plain and to a TLS port of the proxy; what is for the proxy stays there."""
    papers = Papers(tmp_path / "papers")
    port, proxy, secure = free_port(), free_port(), free_port()
    tls = f"ssl_certificate {papers.server}; ssl_certificate_key {papers.server};"
    programs.nginx(port, f"location / {{ proxy_pass http://127.0.0.1:{receiver.port}; }}", tls=tls)
    shown = open_folder / "proxy.pem"
    shown.write_bytes(papers.server.read_bytes())
    shown.chmod(0o644)
    programs.squid(
        proxy,
        open_folder,
        *digest_settings(open_folder, user="agent", password="canary"),
        f"https_port 127.0.0.1:{secure} tls-cert={shown}",
    )
    word = home.folder / "conf" / ".proxypasswd"
    word.write_text("wrong\n")
    word.chmod(0o600)

    def by(number: int, scheme: str = "http") -> str:
        return (
            f"<SSL><Truststore><path>{papers.ca}</path></Truststore></SSL><RetryPolicy><RetryDelay>10</RetryDelay>"
            f'</RetryPolicy><Proxy scheme="{scheme}"><host>127.0.0.1</host><port>{number}</port><user>agent</user>'
            "<password-file>./.proxypasswd</password-file></Proxy>"
        )

    sends_to(home, f"https://127.0.0.1:{port}/tunnel", by(proxy))
    add_destination(home, "plain", f"http://127.0.0.1:{receiver.port}/plain", by(proxy))
    add_destination(home, "secure", f"https://127.0.0.1:{port}/secure", by(secure, "https"))
    add_destination(home, "secure-plain", f"http://127.0.0.1:{receiver.port}/secure-plain", by(secure, "https"))
    names = ("out", "plain", "secure", "secure-plain")
    home.start()
    for name in ("out", "plain"):
        walked = hops(home, name)[-1]
        assert (False, True) == (walked["good"], "refuses the user and password" in walked["sentence"]), walked
    early = home.accept(EVENT, f"{FORWARD}/out")
    request = until("the proxy to refuse it", lambda: waiting(home, early))
    assert "does not take the password of 'agent'" in request["reason"]
    word.write_text("canary\n")
    for name in names:
        walked = hops(home, name)[-1]
        assert walked["good"], walked
    sent = [home.accept(EVENT, f"{FORWARD}/{name}") for name in names[1:]]
    for event in sent:
        assert "done" == home.settled(event)["requests"][0]["state"]
    said = home.iadmin("destination", "send", "out", home.config_file)
    assert 0 == said.returncode, said.stdout.decode()
    posted = [one for one in receiver.got if one[0] == "POST"]
    assert ["/plain", "/secure", "/secure-plain", "/tunnel"] == sorted(path for _, path, _, _ in posted)
    assert not any("proxy-authorization" in headers for _, _, headers, _ in receiver.got)
    assert "canary" not in home.log


def waiting(home: LiveHome, event: str) -> dict[str, Any] | None:
    """The request of this event, once it waits for its next attempt."""
    [request] = home.event(event)["requests"] or [{"state": ""}]
    return request if "waiting" == request["state"] else None


def test_squid_that_wants_ntlm(
    home: LiveHome, receiver: Receiver, programs: Programs, tmp_path: Path, open_folder: Path
) -> None:
    """Recognised and refused with a sentence that says what helps, by the agent and by check."""
    proxy = free_port()
    programs.squid(
        proxy, open_folder, f"auth_param ntlm program {SQUID_HELPERS}/ntlm_fake_auth", "auth_param ntlm children 1"
    )
    sends_to(home, receiver.url, f"<Proxy><host>127.0.0.1</host><port>{proxy}</port></Proxy>")
    word = home.folder / "conf" / ".proxypasswd"
    word.write_text("canary\n")
    word.chmod(0o600)
    add_destination(
        home,
        "known",
        receiver.url.replace("http:", "https:"),
        f"<Proxy><host>127.0.0.1</host><port>{proxy}</port><user>agent</user>"
        "<password-file>./.proxypasswd</password-file></Proxy>",
    )
    for name in ("out", "known"):
        last = hops(home, name)[-1]
        assert ("NTLM" in last["sentence"], "cntlm" in last["cure"]) == (True, True), last
    home.start()
    event = home.accept(EVENT, f"{FORWARD}/known")
    request = until("the proxy to refuse it", lambda: waiting(home, event))
    assert "offers NTLM only, which the agent does not speak" in request["reason"]
    assert [] == receiver.got
