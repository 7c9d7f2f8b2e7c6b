"""The certificate changes while the gateway runs: hot reload, TLS on and off, fresh ticket keys."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Any

import attrs
import pytest
from twisted.logger import LogEvent, globalLogPublisher

from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.gateway.supply import KeySupply
from agent.gateway.watch import QUIET_S, Watch
from keystoretools import files
from tests.support.gateway import post
from tests.support.tls import NOW, TlsStage, authority, client_context, issued, ocsp_response, pem_of

ROOT, SERVER = authority()
RENEWED = issued("agent.example", ROOT, names=("agent.example",))
EXPIRED = issued("agent.example", ROOT, names=("agent.example",), days=30)


class DiskStage(TlsStage):
    """Its certificate and key lie in two files of a real folder, whose changes are seen by `stat`."""

    def __init__(self, folder: Path, *, staple: bytes = b"") -> None:
        self.folder = folder
        self.wall = NOW
        self.write(SERVER)
        if staple:
            (folder / "a.pem.ocsp").write_bytes(staple)
        supply = KeySupply(read=lambda path: files.load(Path(path)), folder=folder, now=lambda: self.wall)
        super().__init__({}, TlsConfig(certificate=folder / "a.pem", private_key=folder / "a.key"), supply=supply)

    def write(self, made: Any, *, certificate: bool = True, key: bool = True) -> None:
        pem = pem_of(made)
        at = pem.index(b"-----BEGIN CERTIFICATE")
        if certificate:
            (self.folder / "a.pem").write_bytes(pem[at:] + pem_of(ROOT, key=False))
        if key:
            (self.folder / "a.key").write_bytes(pem[:at])

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        while seconds > 0:
            super().pass_time(step)
            self.run_threads()
            seconds -= step

    @property
    def shown(self) -> bytes:
        """What a new connection is shown."""
        client = self.tls_client(client_context()).shake_hands()
        certificate = client.tls.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate

    @property
    def tls(self) -> Any:
        return self.gateway.describe()["tls"]


@pytest.fixture
def stage(tmp_path: Path) -> DiskStage:
    return DiskStage(tmp_path)


def test_a_new_pair_is_served_to_new_connections(stage: DiskStage) -> None:
    """Within a moment of both files being there; those who are connected stay."""
    old = stage.tls_client(client_context(ROOT)).shake_hands()
    stage.write(RENEWED)
    stage.pass_time(5)
    assert RENEWED.certificate.der == stage.shown
    old.send(post())
    assert old.received.startswith(b"HTTP/1.1 202")
    assert (1, "") == (stage.tls["reloads"], stage.tls["trouble"])


def test_half_a_pair_is_waited_for(stage: DiskStage) -> None:
    """The certificate comes first, its key a second later: nobody complains meanwhile."""
    stage.write(RENEWED, key=False)
    stage.pass_time(1.5)
    stage.write(RENEWED, certificate=False)
    stage.pass_time(5)
    assert RENEWED.certificate.der == stage.shown
    assert ("gateway.tls_reload_failed", "") not in stage.counters.counts


def test_replacing_by_rename_is_seen(stage: DiskStage, tmp_path: Path) -> None:
    """Size and name may be the same; the file is another."""
    stage.write(RENEWED)
    stage.pass_time(5)
    new = tmp_path / "new"
    new.write_bytes((tmp_path / "a.pem").read_bytes())
    new.replace(tmp_path / "a.pem")
    stage.pass_time(5)
    assert 2 == stage.tls["reloads"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda stage: stage.write(RENEWED, key=False), "a.key"),
        (lambda stage: stage.write(EXPIRED), "has expired on 2020-01-31"),
        (lambda stage: (stage.folder / "a.pem").write_bytes(b"-----BEGIN CERT"), "a.pem"),
    ],
)
def test_what_cannot_be_served_changes_nothing(stage: DiskStage, spoil: Any, words: str) -> None:
    """The old certificate stays; log, counter and status say why; the next good one mends it."""
    lines: list[LogEvent] = []
    globalLogPublisher.addObserver(lines.append)
    try:
        spoil(stage)
        stage.pass_time(10)
    finally:
        globalLogPublisher.removeObserver(lines.append)
    assert SERVER.certificate.der == stage.shown
    assert words in stage.tls["trouble"]
    assert "the old certificate stays" in stage.tls["trouble"]
    assert 1 == stage.counters.counts["gateway.tls_reload_failed", ""]
    assert 1 == len([line for line in lines if stage.tls["trouble"] == line.get("trouble")])
    stage.write(RENEWED)
    stage.pass_time(5)
    assert (RENEWED.certificate.der, "") == (stage.shown, stage.tls["trouble"])


def test_a_staple_that_runs_out_is_told_once(tmp_path: Path) -> None:
    """In the log and the counter when it comes to pass, in the status until a new one lies there."""
    stage = DiskStage(tmp_path, staple=ocsp_response(ROOT, SERVER))
    stage.pass_time(3)
    assert [] == stage.tls["doubts"]
    stage.wall += timedelta(days=7)
    stage.pass_time(3)
    (doubt,) = stage.tls["doubts"]
    assert doubt.startswith("the OCSP response of 'a.pem' has run out on ")
    assert 1 == stage.counters.counts["gateway.staple_expired", ""]
    assert not stage.tls["certificates"][0]["stapled"]
    (tmp_path / "a.pem.ocsp").write_bytes(ocsp_response(ROOT, SERVER, start=stage.wall))
    stage.pass_time(5)
    assert [] == stage.tls["doubts"]


def test_tls_is_switched_without_touching_the_port(stage: DiskStage) -> None:
    """New connections get what is configured now; open ones keep what they began with."""
    plain = attrs.evolve(stage.config, ssl=False)
    inside = stage.tls_client(client_context(ROOT)).shake_hands()
    stage.reconfigure(plain)
    outside = stage.client()
    outside.send(post())
    stage.reconfigure(stage.config)
    outside.send(post())
    inside.send(post())
    assert [202, 202] == outside.statuses
    assert inside.received.startswith(b"HTTP/1.1 202")
    late = stage.client()
    late.send(post())
    assert [400] == late.statuses


def test_a_configuration_that_cannot_be_served_changes_nothing(stage: DiskStage) -> None:
    """Whole or not at all."""
    bad = attrs.evolve(stage.config, tls=TlsConfig(certificate=PurePath("/no/such.pem")))
    with pytest.raises(OperatorError, match="no folder"):
        stage.reconfigure(bad)
    assert SERVER.certificate.der == stage.shown
    assert stage.config == stage.gateway._config


def test_an_expired_certificate_does_not_take_the_place_of_a_good_one(stage: DiskStage) -> None:
    """Whoever names another file by mistake keeps the port working."""
    (stage.folder / "old.pem").write_bytes(pem_of(EXPIRED))
    old = attrs.evolve(stage.config, tls=TlsConfig(certificate=stage.folder / "old.pem"))
    with pytest.raises(OperatorError, match="has expired on 2020-01-31"):
        stage.reconfigure(old)
    assert SERVER.certificate.der == stage.shown
    stage.reconfigure(attrs.evolve(stage.config, ssl=False))
    stage.reconfigure(old)
    assert EXPIRED.certificate.der == stage.shown


def test_another_port_is_another_gateway(stage: DiskStage) -> None:
    """The caller has mistaken one for the other."""
    with pytest.raises(ValueError, match="host and port"):
        stage.reconfigure(attrs.evolve(stage.config, port=9999))


def test_the_status_tells_what_is_presented(stage: DiskStage) -> None:
    """Names, days left, policy, misuses by cause."""
    stage.client().send(post())
    told = stage.gateway.describe()
    assert (True, {"plaintext": 1}) == (told["ssl"], told["misuses"])
    (certificate,) = stage.tls["certificates"]
    assert ("CN=agent.example", ["agent.example", "192.0.2.1"], "intermediate") == (
        certificate["subject"],
        certificate["names"],
        stage.tls["policy"],
    )
    end = SERVER.certificate.not_after
    assert end is not None
    assert (end - NOW).days == certificate["days_left"]


def test_a_watch_is_due_once_after_a_quiet_moment() -> None:
    """And again only for the next change; going back to what was loaded is no change."""
    watch = Watch((None,))
    assert [False, False, False, True, False] == [
        watch.is_due(stamps, now)
        for stamps, now in (
            (((1,),), 0.0),
            (((2,),), 1.0),
            (((2,),), 1.0 + QUIET_S / 2),
            (((2,),), 1.0 + QUIET_S),
            (((2,),), 100.0),
        )
    ]
    assert not watch.is_due(((3,),), 101.0)
    assert not watch.is_due(((2,),), 102.0)
    assert not watch.is_due(((2,),), 200.0)


def test_tls_clients_of_the_tests_do_check() -> None:
    """A client that trusts somebody else refuses, so the handshakes above mean something."""
    other = TlsStage({"server.pem": pem_of(SERVER)})
    with pytest.raises(ssl.SSLCertVerificationError):
        other.tls_client(client_context(issued("Other", authority=True))).shake_hands()
