"""Which TLS library a connection has, and what it is given."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path, PurePath

import attrs
import pytest

from agent.config.tls import ClientAuth, TlsConfig, TlsPolicy
from agent.errors import OperatorError
from agent.gateway.fullside import FullSide
from agent.gateway.identity import Identity
from agent.gateway.material import Material
from agent.gateway.policies import POLICIES
from agent.gateway.quickside import QuickContexts, QuickSide
from agent.gateway.served import Served
from tests.support.tls import authority, issued, ocsp_response
from tests.wire.test_keyshare import hello_of

ROOT, SERVER = authority()
OWN = Identity(alias="one", key=SERVER.key, chain=(SERVER.certificate,))
PLAIN = Material(identities=(OWN,))
CHEAP = hello_of("X25519", "ffdhe2048")


def kind(material: Material, config: TlsConfig | None = None, hello: bytes = CHEAP) -> type:
    return type(Served(material, config or TlsConfig()).accept(hello))


@pytest.mark.parametrize("policy", list(TlsPolicy))
def test_one_certificate_for_everybody_is_served_by_the_quick_one(policy: TlsPolicy) -> None:
    """What most ports are."""
    assert kind(PLAIN, TlsConfig(policy=policy)) is QuickSide


@pytest.mark.parametrize(
    "groups", [["ffdhe2048"], ["ffdhe3072", "X25519"], ["P-384", "X25519"], ["P-521"], ["X448", "P-256"]]
)
def test_a_dear_key_exchange_is_left_to_the_full_one(groups: Sequence[str]) -> None:
    """It knows fewer groups and computes them faster: with Python's, a hello could cost 0.1 s."""
    assert kind(PLAIN, hello=hello_of(*groups)) is FullSide


def test_the_newest_key_exchange_is_had_by_those_who_want_it() -> None:
    """From whichever library has it."""
    served = Served(PLAIN, TlsConfig())
    is_known = ssl.OPENSSL_VERSION_INFO >= (3, 5)
    side = served.accept(hello_of("X25519MLKEM768", "X25519"))
    assert isinstance(side, QuickSide if is_known else FullSide)


@pytest.mark.parametrize("cut", [1, 6, 100])
def test_a_hello_that_is_not_whole_is_left_to_the_full_one(cut: int) -> None:
    """Nobody knows what comes."""
    assert kind(PLAIN, hello=CHEAP[:cut]) is FullSide


@pytest.mark.parametrize("auth", [ClientAuth.OPTIONAL, ClientAuth.REQUIRED])
def test_senders_certificates_are_read_by_the_full_one(auth: ClientAuth) -> None:
    """Only it says which certificate was refused, and why."""
    config = TlsConfig(client_auth=auth, truststore=PurePath("root.pem"))
    assert kind(attrs.evolve(PLAIN, anchors=(ROOT.certificate,)), config) is FullSide


def test_several_certificates_are_chosen_by_the_full_one() -> None:
    """Names come from outside, and Python's `ssl` shows a traceback for one that is not ASCII."""
    assert kind(Material(identities=(OWN, OWN))) is FullSide


def test_staples_are_sent_by_the_full_one() -> None:
    """Python's `ssl` cannot."""
    stapled = attrs.evolve(OWN, staple=ocsp_response(ROOT, SERVER))
    assert kind(Material(identities=(stapled,))) is FullSide


def test_without_files_in_memory_the_full_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every system has them, and a key does not go to the disk."""

    def none(*_: object) -> int:
        raise OSError("no such call")

    monkeypatch.setattr(os, "memfd_create", none)
    assert kind(PLAIN) is FullSide
    monkeypatch.delattr(os, "memfd_create")
    assert kind(PLAIN) is FullSide


def test_the_file_in_memory_is_gone_when_it_was_read() -> None:
    """Nothing of the key stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    contexts = QuickContexts(OWN, POLICIES[TlsPolicy.INTERMEDIATE])
    assert before == len(list(Path("/proc/self/fd").iterdir()))
    del contexts


def test_what_cannot_be_served_is_refused_with_the_reason() -> None:
    """In the words of OpenSSL."""
    other = issued("agent.example", ROOT)
    with pytest.raises(OperatorError, match="OpenSSL refuses to serve 'one'"):
        Served(Material(identities=(attrs.evolve(OWN, key=other.key),)), TlsConfig())


def test_the_whole_chain_is_sent() -> None:
    """The own certificate first, then its issuers."""
    issuer = issued("Issuing", ROOT, authority=True)
    own = issued("agent.example", issuer, names=("agent.example",))
    identity = Identity(alias="one", key=own.key, chain=(own.certificate, issuer.certificate))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ecdh_curve("X25519")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=ROOT.certificate.der)
    client = context.wrap_bio(incoming, outgoing, server_hostname="agent.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    server = Served(Material(identities=(identity,)), TlsConfig()).accept(hello)
    assert isinstance(server, QuickSide)
    server.hear(hello)
    assert not server.shake_hands()
    incoming.write(server.output())
    client.do_handshake()  # it knows the root only
    assert own.certificate.der == client.getpeercert(binary_form=True)
