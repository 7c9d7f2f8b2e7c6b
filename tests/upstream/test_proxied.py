"""The real sender by a real proxy: tunnels, absolute form, logins, TLS within TLS."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.upstream.test_loopback import PATIENCE_S, ROOT


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each scene of `proxied.py` came to."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.upstream.proxied", str(tmp_path_factory.mktemp("proxied"))],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("scene", "methods"),
    [
        ("tunnel", ["CONNECT"]),
        ("tunnel-basic", ["CONNECT", "CONNECT"]),
        ("tunnel-digest", ["CONNECT", "CONNECT"]),
        ("forward", ["POST"]),
        ("forward-digest", ["POST", "POST"]),
        ("tls-in-tls", ["CONNECT"]),
    ],
)
def test_requests_go_by_the_proxy(found, scene, methods):
    """Both requests arrive, the second one over the same connection: the proxy saw no more than the first one took."""
    assert [202, 202] == [found[scene]["first"][0], found[scene]["second"][0]]
    assert methods == [line.split(" ")[0] for line, _ in found[scene]["seen"]]


@pytest.mark.parametrize(
    ("scene", "beginning"),
    [("tunnel-basic", "Basic dTpw"), ("tunnel-digest", "Digest username="), ("forward-digest", "Digest username=")],
)
def test_the_login_is_the_one_that_was_asked_for(found, scene, beginning):
    """And the first request carried none."""
    logins = [login for _, login in found[scene]["seen"]]
    assert "" == logins[0]
    assert logins[1].startswith(beginning)


def test_absolute_form_names_the_host(found):
    """RFC 9112, 3.2.2."""
    assert found["forward"]["seen"][0][0].startswith("POST http://127.0.0.1:")


def test_ntlm_is_refused_with_a_sentence(found):
    """Which says what to do."""
    assert ("proxy-login", True) == (found["ntlm"]["first"][0], "offers NTLM only" in found["ntlm"]["first"][1])


def test_a_proxy_that_opens_tls_is_named(found):
    """By its product where that is known, else by its address; and nothing of the request reaches it."""
    code, sentence, _ = found["opens-tls"]["first"]
    assert "tls-unknown-ca" == code
    assert "(Zscaler), which opens TLS and signs it anew: get its root certificate" in sentence
    sentence = found["opens-tls-nameless"]["first"][1]
    assert "CN=Our Gateway" in sentence
    assert "perhaps the proxy 127.0.0.1:" in sentence
    methods = {line.split(" ")[0] for scene in ("opens-tls", "opens-tls-nameless") for line, _ in found[scene]["seen"]}
    assert {"CONNECT"} == methods
