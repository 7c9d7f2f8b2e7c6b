"""`iadmin tls` and `iadmin reload`, against fakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Any

import attrs
import pytest

from agent.config.model import GatewayConfig, HttpDestination
from agent.config.problem import Problem
from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.wire.misuse import Cause, Misuse
from agent.wire.strangerbook import StrangerBook
from iadmin.link import Refused
from iadmin.model import Anchors, Probed
from keystoretools import Certificate, open_keystore, read_anything
from keystoretools.hostnames import names_of
from tests.iadmin.fakes import NOW, World, agent_config
from tests.iadmin.keystores import authority, made, pem, pfx
from tests.keystoretools.authority import Made

XML = b"""<iaconfig>
  <!-- keep me: ssl="maybe" -->
  <service-gateway host="127.0.0.1"  ssl='false' port="8081"/>
</iaconfig>
"""
TWO = b'<iaconfig><service-gateway ssl="false" port="8081"/><service-gateway port="8443" ssl="false"/></iaconfig>'


@attrs.frozen
class FakeIdentity:
    alias: str
    chain: tuple[Certificate, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.chain[0])


@attrs.frozen
class FakeMaterial:
    identities: tuple[FakeIdentity, ...]
    anchors: tuple[Certificate, ...] = ()
    warnings: tuple[str, ...] = ()
    is_selfmade: bool = False


def material(*links: Made, **facts: Any) -> FakeMaterial:
    return FakeMaterial((FakeIdentity("web", tuple(one.certificate for one in links)),), **facts)


@attrs.define
class FakeProber:
    """Finds what it is told; whoever trusts `trusted` (DER) accepts, others refuse."""

    found: Probed = attrs.field(factory=lambda: Probed(host="", port=0))
    trusted: bytes = b""
    java: Sequence[Path] = ()
    asked: list[tuple[str, int, str]] = attrs.field(factory=list)

    def look(self, host: str, port: int, *, name: str) -> Probed:
        self.asked.append((host, port, name))
        return attrs.evolve(self.found, host=host, port=port, name=name)

    def trusts(self, chain: Sequence[bytes], anchors: Anchors) -> str:
        return "" if self.trusted in anchors.certificates else "self-signed certificate"

    def system_anchors(self) -> Anchors | None:
        return Anchors(name="/etc/ssl/x.crt")

    def java_truststores(self) -> Sequence[Path]:
        return self.java


@pytest.fixture
def home(world: World) -> World:
    """A home whose gateway presents a self-signed certificate for this machine's name."""
    (world.home / "conf" / "iaconfig.xml").write_bytes(XML)
    world.material = material(made("plant7.example.com"))
    world.prober = FakeProber()
    return world


def config_of(home: World) -> bytes:
    return (home.home / "conf" / "iaconfig.xml").read_bytes()


# ---- on, off, reload ---------------------------------------------------------------------------------------------


def test_on_edits_one_attribute_and_says_what_senders_must_do(home: World) -> None:
    """Comments and layout stay, the agent takes it over, the URL has a name that the certificate covers."""
    answer = home.run("tls", "on")
    assert 0 == answer.status
    assert XML.replace(b"ssl='false'", b'ssl="true"') == config_of(home)
    assert 1 == home.link.reloads
    assert [True] == [gateway.ssl for gateway in home.material_asked]
    for words in ("now (iaconfig.xml says so, and the agent has taken it over)", "self-signed", "iadmin tls export"):
        assert words in answer.out
    assert "https://plant7.example.com:8081/http/applications_sample-plan" in answer.out


def test_on_again_changes_nothing_and_reloads_all_the_same(home: World) -> None:
    """The agent may not have seen it yet."""
    home.run("tls", "on")
    answer = home.run("--json", "tls", "on")
    assert (False, True) == (answer.document["changed"], answer.document["ssl"])
    assert 2 == home.link.reloads


def test_without_an_agent_it_counts_from_the_next_start(home: World) -> None:
    """Nobody is asked, and it is said."""
    home.running = False
    answer = home.run("tls", "on")
    assert 0 == answer.status
    assert "the agent is not running" in answer.out
    assert 0 == home.link.reloads


def test_a_certificate_that_cannot_be_served_changes_nothing(home: World) -> None:
    """Looked at before the file is touched."""
    home.material = OperatorError("tls-several-identities", "there are two keys: a, b")
    answer = home.run("tls", "on")
    assert 78 == answer.status
    assert "there are two keys: a, b" in answer.err
    assert (XML, 0) == (config_of(home), home.link.reloads)


def test_an_agent_that_refuses_leaves_the_file_as_it_was(home: World) -> None:
    """Else the next start would fail where the reload did."""
    home.link.failure = Refused("tls-x", "the agent refused: no key", status=422)
    answer = home.run("tls", "on")
    assert 1 == answer.status
    assert "no key; iaconfig.xml is as it was before" in answer.err
    assert XML == config_of(home)


def test_faults_of_the_configuration_come_first(home: World) -> None:
    """All of them, as config check tells them."""
    home.faults = [Problem(file="iaconfig.xml", text="one"), Problem(file="iaconfig.xml", text="two")]
    answer = home.run("tls", "on")
    assert 78 == answer.status
    assert "one" in answer.err and "two" in answer.err
    assert XML == config_of(home)


def test_off_warns_and_names_the_url(home: World) -> None:
    """No certificate is looked at: there need not be one."""
    home.material = OperatorError("x", "no keystore")
    home.run("tls", "off")
    answer = home.run("tls", "off")
    assert 0 == answer.status
    assert "can be read" in answer.out and "http://127.0.0.1:8081/http/applications_sample-plan" in answer.out


def test_one_of_several_gateways_is_named_by_its_port(home: World) -> None:
    """Without --port the ports are listed, and nothing is guessed."""
    (home.home / "conf" / "iaconfig.xml").write_bytes(TWO)
    gateways = (GatewayConfig(port=8081), GatewayConfig(port=8443))
    home.config = attrs.evolve(agent_config(), gateways=gateways)
    answer = home.run("tls", "on")
    assert 64 == answer.status
    assert "8081 (http), 8443 (http)" in answer.err
    assert 64 == home.run("tls", "on", "--port", "1").status
    assert 0 == home.run("tls", "on", "--port", "8443").status
    assert TWO.replace(b'"8443" ssl="false"', b'"8443" ssl="true"') == config_of(home)


def test_reload_says_what_changed_and_what_needs_a_restart(home: World) -> None:
    """And 69 where nobody runs."""
    home.link.restart_needed = ["log"]
    answer = home.run("reload")
    assert 0 == answer.status
    assert "it has changed." in answer.out and "after a restart only: log." in answer.out
    home.running = False
    assert 69 == home.run("reload").status


# ---- check -------------------------------------------------------------------------------------------------------


def tls(*links: Made, **facts: Any) -> Probed:
    given: dict[str, Any] = {
        "speaks": "tls",
        "chain": tuple(one.certificate.der for one in links),
        "versions": {"TLS 1.3": "A", "TLS 1.2": "B", "TLS 1.1": "", "TLS 1.0": ""},
        "answer": "HTTP/1.1 404 Not Found",
    }
    return Probed(host="", port=0, **(given | facts))


def codes(answer: Any, level: str) -> set[str]:
    return {one["code"] for port in answer.document["ports"] for one in port["verdicts"] if one["level"] == level}


def switch_on(home: World) -> None:
    home.config = attrs.evolve(home.config, gateways=(GatewayConfig(host="127.0.0.1", port=8081, ssl=True),))


def test_check_holds_the_port_against_the_configuration(home: World) -> None:
    """All is well: status 0, the facts, and who would not trust it."""
    switch_on(home)
    own = made("plant7.example.com")
    home.material = material(own)
    home.prober.found = tls(own)
    answer = home.run("--json", "tls", "check")
    assert (0, set()) == (answer.status, codes(answer, "fault"))
    assert {"speaks", "as-configured", "dates", "name"} <= codes(answer, "good")
    assert {"not-trusted"} == codes(answer, "warning")
    assert [("127.0.0.1", 8081, "plant7.example.com")] == home.prober.asked
    assert "iadmin tls export" in home.run("tls", "check").out


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Probed(host="", port=0, trouble="nobody listens there"), "no-connection"),
        (Probed(host="", port=0, speaks="http", answer="HTTP/1.1 404"), "not-as-configured"),
        (Probed(host="", port=0, speaks="other"), "neither"),
        (Probed(host="", port=0, speaks="tls", trouble="the handshake fails"), "handshake-fails"),
        (tls(made("other.example.com")), "other-certificate"),
        (tls(made("other.example.com")), "wrong-name"),
        (tls(made("plant7.example.com", days=30)), "expired"),
        (tls(made("plant7.example.com", start=NOW + timedelta(days=3))), "not-yet-valid"),
    ],
)
def test_check_finds_faults(home: World, found: Probed, code: str) -> None:
    """Each has a sentence with a cure, and the exit status says so."""
    switch_on(home)
    home.prober.found = found
    answer = home.run("--json", "tls", "check")
    assert 1 == answer.status
    assert code in codes(answer, "fault")
    assert all(one["cure"] for one in answer.document["ports"][0]["verdicts"] if one["code"] == code)


def test_check_tells_what_cannot_be_served(home: World) -> None:
    """The port still presents what it had; the next start would fail."""
    switch_on(home)
    home.material = OperatorError("no-such-alias", 'there is no entry "agnt"')
    home.prober.found = tls(made("plant7.example.com"))
    answer = home.run("--json", "tls", "check")
    assert 1 == answer.status
    assert "cannot-be-served" in codes(answer, "fault")
    assert 'there is no entry "agnt"' in home.run("tls", "check").out


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Probed(host="h", port=22, speaks="other", answer="SSH-2.0-OpenSSH_9"), 'it says "SSH-2.0-OpenSSH_9"'),
        (Probed(host="h", port=22, speaks="other", trouble="it does not answer in time"), "it does not answer in time"),
        (Probed(host="h", port=22, speaks="other"), "it gives no answer"),
    ],
)
def test_check_of_something_else_does_not_send_to_http(home: World, found: Probed, said: str) -> None:
    """What was heard there is shown, and the advice is not a scheme that would not help either."""
    home.prober.found = found
    for url in ("https://h:22", "http://h:22"):
        answer = home.run("tls", "check", url)
        assert 1 == answer.status
        assert said in answer.out
        assert "use http://" not in answer.out


def test_check_of_http_on_a_port_of_https(home: World) -> None:
    """Who is about to give a sender that URL learns that it is refused."""
    home.prober.found = tls(made("plant7.example.com"))
    answer = home.run("--json", "tls", "check", "http://plant7.example.com:8081")
    assert {"needs-https"} == codes(answer, "fault")


def test_check_of_a_url_expects_nothing_of_ours(home: World) -> None:
    """Chain and versions are judged; names too, for the name of the URL or the one that is given."""
    chain = authority()
    home.prober.found = tls(chain.server, versions={"TLS 1.3": "", "TLS 1.2": "B", "TLS 1.1": "C", "TLS 1.0": ""})
    answer = home.run("--json", "tls", "check", "10.0.0.1:8443", "--name", "ia.example.com")
    assert 0 == answer.status
    assert {"old-versions", "no-intermediate", "not-trusted"} == codes(answer, "warning")
    assert [("10.0.0.1", 8443, "ia.example.com")] == home.prober.asked
    home.prober.found = tls(chain.server, chain.intermediate, chain.root)
    assert "chain" in codes(home.run("--json", "tls", "check", "https://ia.example.com"), "good")
    home.prober.found = tls(chain.server, chain.root, chain.intermediate)
    assert "wrong-order" in codes(home.run("--json", "tls", "check", "https://ia.example.com"), "warning")
    assert 64 == home.run("tls", "check", "ftp://x").status


def test_check_does_not_miss_a_root_that_is_at_hand(home: World) -> None:
    """A server sends no root. One in the keystore, or in the trust store that is asked for, needs no importing."""
    root = authority().root
    own = made("plant7.example.com", issuer=root)
    home.prober.found = tls(own)
    (home.cwd / "trust.pem").write_bytes(pem(root.certificate))
    url = "https://plant7.example.com"
    assert "no-intermediate" in codes(home.run("--json", "tls", "check", url), "warning")
    assert "chain" in codes(home.run("--json", "tls", "check", url, "--truststore", "trust.pem"), "good")
    switch_on(home)
    home.material = material(own)
    (home.home / "conf" / ".keystore").write_bytes(pfx("alarmpoint", "web", own, root))
    answer = home.run("--json", "tls", "check")
    assert ({"not-trusted"}, True) == (codes(answer, "warning"), "chain" in codes(answer, "good"))


def test_check_holds_the_chain_against_a_given_trust_store_and_javas(home: World) -> None:
    """That the store which was asked for refuses is a fault; Java's default is a warning."""
    own = made("plant7.example.com")
    (home.cwd / "cacerts").write_bytes(pfx("changeit", "x", made("y")))
    (home.cwd / "trust.pem").write_bytes(pem(own.certificate))
    home.prober = FakeProber(found=tls(own), trusted=own.certificate.der, java=[home.cwd / "cacerts"])
    answer = home.run("tls", "check", "https://plant7.example.com", "--truststore", "trust.pem")
    assert 0 == answer.status, answer.out
    assert "accepted by senders with the trust store trust.pem" in answer.out
    assert "refused by senders with Java's default trust" in answer.out
    home.prober.trusted = b"another"
    assert 1 == home.run("tls", "check", "https://plant7.example.com", "--truststore", "trust.pem").status
    assert 66 == home.run("tls", "check", "https://plant7.example.com", "--truststore", "nowhere").status


# ---- expiry, export, strangers -----------------------------------------------------------------------------------


def test_expiry_lists_everything_the_first_to_run_out_first(home: World) -> None:
    """Presented, trusted for clients, in the keystore, at destinations; each certificate once; status 1 when due."""
    switch_on(home)
    soon, later = made("plant7.example.com", days=215), made("ca.example.com", authority=True, days=2000)
    home.material = material(soon, anchors=(later.certificate,))
    (home.home / "conf" / ".keystore").write_bytes(pfx("alarmpoint", "web", soon))
    home.config = attrs.evolve(
        home.config,
        destinations=(HttpDestination(name="up", url="https://up.example:444/x"),),
    )
    home.prober.found = tls(made("up.example", days=300))
    home.link.presented = [
        {"use": "presented", "sha256": "1"},
        {"use": "client", "port": 8081, "subject": "CN=p", "not_after": "2025-08-09T12:00:00+00:00", "sha256": "2"},
    ]
    answer = home.run("--json", "tls", "expiry", "--destinations")
    told = [(one["use"], one["days_left"]) for one in answer.document["certificates"]]
    assert [("presented", 4), ("client", 10), ("destination", 89), ("trusted for clients", 1789)] == told
    assert (1, 2) == (answer.status, answer.document["due"])
    assert [("up.example", 444, "up.example")] == home.prober.asked
    assert "4 days" in home.run("tls", "expiry", "--within", "10").out
    home.material = material(made("plant7.example.com", days=365))
    (home.home / "conf" / ".keystore").unlink()
    home.link.presented = []
    assert 0 == home.run("tls", "expiry").status


def test_expiry_says_what_it_could_not_read(home: World) -> None:
    """A note, not a failure: the rest is still worth seeing."""
    switch_on(home)
    home.material = OperatorError("x", "the keystore does not open")
    answer = home.run("tls", "expiry")
    assert 0 == answer.status
    assert "port 8081: the keystore does not open" in answer.err


def test_export_gives_the_authority_and_never_a_secret(home: World) -> None:
    """The top of the chain as far as it is at hand, the root from the keystore; --leaf the certificate itself."""
    chain = authority()
    home.material = material(chain.server, chain.intermediate)
    answer = home.run("tls", "export")
    assert [chain.intermediate.certificate] == list(read_anything(answer.out.encode()).certificates)
    assert "SHA-256" in answer.err
    (home.home / "conf" / ".keystore").write_bytes(pfx("alarmpoint", "web", chain.server, chain.intermediate))
    answer = home.run("tls", "export", "--leaf")
    assert [chain.server.certificate] == list(read_anything(answer.out.encode()).certificates)
    home.config = attrs.evolve(
        home.config, gateways=(GatewayConfig(port=8081, tls=TlsConfig(certificate=PurePath("/x.pem"))),)
    )
    assert "PRIVATE" not in home.run("tls", "export").out


def test_export_finds_the_root_where_the_certificate_lies(home: World) -> None:
    """It is not presented to senders, but they must trust it: in the PEM file, or behind the entry of the keystore."""
    chain = authority()
    home.material = material(chain.server, chain.intermediate)
    (home.home / "conf" / ".keystore").write_bytes(
        pfx("alarmpoint", "web", chain.server, chain.intermediate, chain.root)
    )
    assert [chain.root.certificate] == list(read_anything(home.run("tls", "export").out.encode()).certificates)
    (home.home / "x.pem").write_bytes(
        pem(chain.server.certificate, chain.intermediate.certificate, chain.root.certificate)
    )
    tls = TlsConfig(certificate=PurePath("x.pem"))
    home.config = attrs.evolve(home.config, gateways=(GatewayConfig(port=8081, tls=tls),))
    assert [chain.root.certificate] == list(read_anything(home.run("tls", "export").out.encode()).certificates)


@pytest.mark.parametrize("form", ["jks", "pkcs12"])
def test_export_makes_trust_stores(home: World, form: str) -> None:
    """With Java's usual password, and the command that uses it; an existing file is not overwritten."""
    answer = home.run("tls", "export", "--format", form, "--out", "x.store")
    assert 0 == answer.status
    store = open_keystore((home.cwd / "x.store").read_bytes(), "changeit")
    assert home.material.identities[0].chain[0] == store.trusted_certificates[0].certificate
    assert "trustStore=x.store" in answer.out
    assert 73 == home.run("tls", "export", "--format", form, "--out", "x.store").status
    assert 0 == home.run("tls", "export", "--format", form, "--out", "x.store", "--force").status
    assert 64 == home.run("tls", "export", "--format", form).status


def book() -> StrangerBook:
    found = StrangerBook()
    now_us = int(NOW.timestamp() * 1_000_000)
    for cause, peer, age_s in (
        (Cause.LEFT, "10.0.0.9", 10),
        (Cause.PLAINTEXT, "10.2.3.4", 60),
        (Cause.SSL2, "::7", 9000),
    ):
        found.note(Misuse(peer=peer, port=8081, expects_tls=True, cause=cause), now_us - age_s * 1_000_000)
    return found


def test_strangers_are_told_with_their_sentences(home: World) -> None:
    """Health checks are counted and not shown, unless asked for."""
    home.link.book = book().document()
    answer = home.run("tls", "strangers")
    assert 0 == answer.status
    assert "Unrecognized SSL message, plaintext connection? 10.2.3.4" in answer.out
    assert "10.0.0.9" not in answer.out and "1 more only connected and left" in answer.out
    assert "10.0.0.9" in home.run("tls", "strangers", "--all").out


@pytest.mark.parametrize(
    ("arguments", "peers"),
    [
        (["--cause", "ssl2"], ["::7"]),
        (["--peer", "10.2.3.4"], ["10.2.3.4"]),
        (["--since", "1h"], ["10.2.3.4"]),
        (["--cause", "left"], ["10.0.0.9"]),
        (["--peer", "nobody"], []),
    ],
)
def test_strangers_can_be_narrowed_down(home: World, arguments: list[str], peers: list[str]) -> None:
    """By cause, address and time."""
    home.link.book = book().document()
    assert peers == [one["peer"] for one in home.run("--json", "tls", "strangers", *arguments).document["strangers"]]


def test_strangers_are_read_from_the_file_when_the_agent_is_down(home: World) -> None:
    """With a note; none where there was none; a damaged file is named."""
    home.running = False
    assert "Nobody has failed" in home.run("tls", "strangers").out
    path = home.home / "var" / "strangers.json"
    path.write_bytes(book().dump())
    answer = home.run("tls", "strangers")
    assert "10.2.3.4" in answer.out and "not running" in answer.err
    path.write_bytes(json.dumps([1]).encode())
    assert 78 == home.run("tls", "strangers").status


def test_texts_of_strangers_cannot_play_with_the_terminal(home: World) -> None:
    """Whatever a book holds is escaped when it is shown."""
    document = book().document()
    document["strangers"][1]["sentence"] = "\x1b[2J\rall is well"
    home.link.book = document
    assert "\x1b" not in home.run("tls", "strangers").out
