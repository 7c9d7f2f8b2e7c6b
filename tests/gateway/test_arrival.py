"""Who arrives, told from the first bytes; what strangers hear, and what the desk is told."""

from __future__ import annotations

import json

import pytest

from agent.gateway.arrival import PARTINGS, TLS_ALERT
from agent.wire.misuse import Cause, Misuse
from agent.wire.sniff import Tongue
from tests.support.gateway import SEED, Stage, post
from tests.support.tls import TlsStage, authority, client_context, pem_of

ROOT, SERVER = authority()
FILES = {"server.pem": pem_of(SERVER)}


class PlainStage(Stage):
    def __init__(self) -> None:
        self.misuses: list[Misuse] = []
        super().__init__(desk=self.misuses.append)


class TestTlsPort:
    def test_plain_http_is_told_the_right_url(self) -> None:
        """A 400 with a problem document; the event is not taken, its first line and host are noted once."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(post(SEED, target="/http/applications_sample-plan?a=1") + post())
        (answer,) = client.answers
        assert 400 == answer.status
        assert {"plaintext": 1} == stage.gateway.describe()["misuses_today"]
        assert "application/problem+json" == answer.headers["content-type"]
        assert "https://agent.example:0/http/applications_sample-plan?a=1;" in json.loads(answer.body)["detail"]
        assert [] == stage.sink.events
        (misuse,) = stage.misuses
        assert (Cause.PLAINTEXT, "POST /http/applications_sample-plan?a=1", "agent.example", True) == (
            misuse.cause,
            misuse.first_line,
            misuse.host,
            misuse.expects_tls,
        )
        assert ("agent.example", "192.0.2.1") == misuse.our_names

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PROPFIND", "CONNECT"])
    def test_every_method_is_refused(self, method: str) -> None:
        """Also those that OpenSSL does not know."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(post(b"", method=method, target="a:1" if method == "CONNECT" else "/"))
        assert [400] == client.statuses
        assert [Cause.PLAINTEXT] == stage.causes

    def test_a_sender_that_waits_for_100_does_not_send_its_body(self) -> None:
        """Refused from the head, before the event leaks."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(post(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 500"))
        assert [400] == client.statuses

    def test_what_is_no_http_at_all_is_noted_too(self) -> None:
        """It began like a request."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(b"POST nonsense\r\n\r\n")
        assert [400] == client.statuses
        assert [Cause.PLAINTEXT] == stage.causes

    @pytest.mark.parametrize(
        ("first", "tongue", "cause"),
        [
            (b"SSH-2.0-OpenSSH_9.2\r\n", Tongue.SSH, Cause.OTHER_PROTOCOL),
            (b"EHLO mail\r\n", Tongue.SMTP, Cause.OTHER_PROTOCOL),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Tongue.PROXY, Cause.OTHER_PROTOCOL),
            (b"<event/>", Tongue.XML, Cause.OTHER_PROTOCOL),
            (b"\0\1\2\3", Tongue.BINARY, Cause.OTHER_PROTOCOL),
            (b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10", Tongue.SSL2, Cause.SSL2),
        ],
    )
    def test_strangers_hear_their_own_tongue(self, first: bytes, tongue: Tongue, cause: Cause) -> None:
        """Where it has words for them; then the end, once they have read it."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(first)
        client.transport.drain(1000)
        assert PARTINGS.get(tongue, b"") == client.transport.written
        assert client.transport.half_closed and not client.transport.closed
        client.send(b"more of it")
        client.end()
        assert client.transport.closed
        (misuse,) = stage.misuses
        assert (cause, tongue.value) == (misuse.cause, misuse.tongue)

    def test_a_stranger_that_stays_is_cut_off(self) -> None:
        """After the moment in which it could have read."""
        stage = TlsStage(FILES)
        client = stage.client()
        client.send(b"SSH-2.0-x\r\n")
        stage.pass_time(6)
        assert client.transport.aborted


class TestPlainPort:
    def test_a_tls_hello_gets_an_alert(self) -> None:
        """So its sender sees a TLS failure and no garbage; what it asked for is noted."""
        stage = PlainStage()
        client = stage.client()
        sender = client_context()
        from tests.support.tls import TlsClient

        tls = TlsClient(client, sender, name="agent.example")
        import contextlib
        import ssl

        with contextlib.suppress(ssl.SSLWantReadError):
            tls.tls.do_handshake()
        client.send(tls._out.read())
        client.transport.drain(1000)
        assert TLS_ALERT == client.transport.written
        (misuse,) = stage.misuses
        assert (Cause.TLS_ON_PLAIN_PORT, False) == (misuse.cause, misuse.expects_tls)
        assert misuse.hello is not None
        assert "agent.example" == misuse.hello.server_name

    def test_other_tongues_get_a_400(self) -> None:
        """From the HTTP connection, and are noted."""
        stage = PlainStage()
        client = stage.client()
        client.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        assert [400] == client.statuses
        assert [Cause.OTHER_PROTOCOL] == [misuse.cause for misuse in stage.misuses]
        assert "SSH-2.0-OpenSSH_9.2" == stage.misuses[0].first_line

    def test_those_who_say_nothing_are_told_apart(self) -> None:
        """Left at once, silent until the deadline, cut short; who sends a request is no stranger."""
        stage = PlainStage()
        stage.client().end()
        stage.client().transport.loseConnection()
        short = stage.client()
        short.send(b"PO")
        short.end()
        stage.client()
        stage.pass_time(21)
        good = stage.client()
        good.send(post())
        good.end()
        assert [Cause.LEFT, Cause.LEFT, Cause.CUT_SHORT, Cause.SILENT] == [misuse.cause for misuse in stage.misuses]
        assert 20.0 <= stage.misuses[3].duration_s <= 21.0

    def test_a_desk_that_fails_harms_nobody(self) -> None:
        """The connection is refused all the same."""

        def broken(misuse: Misuse) -> None:
            raise RuntimeError("no desk")

        stage = Stage(desk=broken)
        client = stage.client()
        client.send(b"SSH-2.0-x\r\n")
        assert [400] == client.statuses
        assert 1 == stage.counters.counts["gateway.misused", "other-protocol"]


def test_connections_that_are_no_requests_yet_count_and_end() -> None:
    """Against the limit, and when the gateway stops."""
    from twisted.internet.defer import Deferred

    stage = PlainStage()
    client = stage.client()
    stopped: list[None] = []
    Deferred.fromCoroutine(stage.gateway.stop(1)).addCallback(stopped.append)
    assert client.transport.closed
    assert [None] == stopped
    assert [] == stage.misuses
