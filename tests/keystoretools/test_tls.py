"""TLS contexts: a real handshake shows what clients get."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from keystoretools import Format, Keystore, OperationError, PrivateKeyEntry, UnsupportedError, open_keystore
from keystoretools.errors import ErrorCode
from keystoretools.tls import sent_chain, ssl_context
from tests.keystoretools.authority import NOW, Made, make

ROOT = make("Root", authority=True)
INTERMEDIATE = make("Intermediate", ROOT, authority=True)
SERVER = make("ia.example.com", INTERMEDIATE, names=("ia.example.com",))


def store(*entries: PrivateKeyEntry) -> Keystore:
    return Keystore(format=Format.PKCS12, entries=entries)


def entry(made: Made, *issuers: Made, alias: str = "server") -> PrivateKeyEntry:
    return PrivateKeyEntry(alias=alias, key=made.key, chain=tuple(one.certificate for one in (made, *issuers)))


def handshake(context: SSL.Context, root: Made | None = None) -> bytes:
    """Connect a client in memory; return the certificate it was shown."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root is None:
        client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    else:
        client_context.load_verify_locations(cadata=root.certificate.der)
        client_context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="ia.example.com")
    server = SSL.Connection(context)
    server.set_accept_state()
    for _ in range(6):
        for step in (client.do_handshake, server.do_handshake):
            with contextlib.suppress(ssl.SSLWantReadError, SSL.WantReadError):
                step()
            if waiting := to_server.read():
                server.bio_write(waiting)
            with contextlib.suppress(SSL.WantReadError):
                to_client.write(server.bio_read(1 << 16))
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_a_client_that_knows_only_the_root_is_convinced() -> None:
    """The intermediate goes along, whatever the order in the entry."""
    context = ssl_context(store(entry(SERVER, ROOT, INTERMEDIATE)), now=datetime.now(UTC))
    assert SERVER.certificate.der == handshake(context, ROOT)


def test_without_its_intermediate_such_a_client_refuses() -> None:
    """So the test above shows what it says."""
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ssl_context(store(entry(SERVER)), now=NOW), ROOT)


def test_the_root_and_strangers_are_not_sent() -> None:
    """Only what the client needs."""
    stranger = make("Stranger", authority=True)
    chain = [one.certificate for one in (SERVER, stranger, ROOT, INTERMEDIATE)]
    assert (INTERMEDIATE.certificate,) == sent_chain(chain)


def test_the_named_entry_is_served() -> None:
    """One of several."""
    other = make("other.example.com", names=("other.example.com",))
    both = store(entry(SERVER), entry(other, alias="other"))
    assert other.certificate.der == handshake(ssl_context(both, "other", now=NOW))
    with pytest.raises(OperationError) as caught:
        ssl_context(both, now=NOW)
    assert ErrorCode.SEVERAL_IDENTITIES is caught.value.code


def test_a_certificate_of_another_key_is_refused_before_any_handshake() -> None:
    """With a sentence of ours."""
    wrong = PrivateKeyEntry(alias="server", key=ROOT.key, chain=(SERVER.certificate,))
    with pytest.raises(OperationError) as caught:
        ssl_context(store(wrong), now=NOW)
    assert ErrorCode.KEY_DOES_NOT_MATCH is caught.value.code


def test_a_key_that_openssl_refuses_is_explained() -> None:
    """RSA with 1024 bits."""
    small = make("ia.example.com", signer=rsa.generate_private_key(65537, 1024))
    with pytest.raises(UnsupportedError, match="its key is too small"):
        ssl_context(store(entry(small)), now=NOW)


@pytest.mark.parametrize(
    ("name", "password", "alias"),
    [
        ("jks/ia-apia-and-newcert.keystore", "alarmpoint", "new-cert"),
        ("p12/keytool-jdk17.p12", "alarmpoint", None),
    ],
)
def test_real_stores_are_served(samples: Path, name: str, password: str, alias: str | None) -> None:
    """From the octets of keytool to a handshake."""
    keystore = open_keystore((samples / name).read_bytes(), password)
    try:
        context = ssl_context(keystore, alias, now=NOW)
    except OperationError as error:
        assert ErrorCode.SEVERAL_IDENTITIES is error.code
        context = ssl_context(keystore, keystore.private_keys[0].alias, now=NOW)
    assert handshake(context) in {one.chain[0].der for one in keystore.private_keys}
