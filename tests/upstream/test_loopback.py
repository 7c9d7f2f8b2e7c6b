"""The real sender against real servers: the one place where our client, Twisted's sockets, OpenSSL
and the system's trust meet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_S = 60
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each request of `loopback.py` came to: [status, body, length] or [code, sentence, after_s]."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.upstream.loopback", str(tmp_path_factory.mktemp("loopback"))],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


def test_a_request_arrives_with_its_id(found):
    """And the answer comes back."""
    assert [202, '{"id": "event-1/1"}', 19] == found["plain"]


def test_the_connection_is_used_again(found):
    """The second request of a destination costs no handshake."""
    assert ([202, '{"id": "event-2/1"}', 19], 1) == (found["again"], found["reused"])


def test_retry_after_comes_through(found):
    """From the header to the error."""
    assert ["answered-retryable", 7.0] == [found["busy"][0], found["busy"][2]]


def test_a_slow_answer_is_timed_out_in_its_phase(found):
    """The connection stood."""
    assert found["slow"][1].endswith("timed out after 0.3 s while waiting for the answer")


def test_an_endless_answer_ends(found):
    """At the limit, as a success."""
    assert [200, 100_000] == [found["endless"][0], found["endless"][2]]


def test_a_connection_that_is_cut_is_named(found):
    """It was a new one, so it is not repeated in secret."""
    assert "connection-lost" == found["cut"][0]


def test_connections_that_die_while_idle_cost_nothing(found):
    """Five requests to a server that closes after each, without saying so."""
    assert [202] * 5 == [each[0] for each in found["idle"]]


def test_a_body_that_no_socket_takes_at_once_arrives(found):
    """And the connection goes on after it, in order."""
    size = str(32 * 1024 * 1024)
    assert ([size, "5", size], 1) == ([body for _, body, _ in found["large"]], found["large-lines"])
    assert [200, size] == found["tls-large"][:2]


def test_an_answer_that_comes_before_the_body_is_read_counts(found):
    """Its connection is left, so that the next request does not wait behind a body that nobody reads."""
    assert [("answered-final", "answered 413")] * 2 == [
        (code, "answered 413" if "answered 413" in sentence else sentence) for code, sentence, _ in found["early"]
    ]


def test_nobody_there_is_refused(found):
    """One sentence."""
    assert "refused" == found["refused"][0]
    assert found["refused"][1].endswith("connection refused; nothing listens there")


def test_https_works_with_an_authority_of_the_systems_trust(found):
    """The wheel's OpenSSL finds what the system trusts."""
    assert 202 == found["tls"][0]


@pytest.mark.parametrize(
    ("scene", "code", "words"),
    [
        ("unknown-ca", "tls-unknown-ca", "does not know who issued its certificate: 'CN=stranger'"),
        ("self-signed", "tls-unknown-ca", "signed by itself"),
        ("wrong-name", "tls-wrong-name", "127.0.0.1 shows a certificate for '127.0.0.9'"),
        ("expired", "tls-expired", "its certificate expired on 20"),
        ("tls-on-plain", "tls-failed", "does not speak TLS: is this a port for plain HTTP?"),
    ],
)
def test_each_cause_of_distrust_has_its_sentence(found, scene, code, words):
    """Not OpenSSL's."""
    assert code == found[scene][0]
    assert words in found[scene][1]
