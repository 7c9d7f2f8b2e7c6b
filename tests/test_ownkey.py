"""A key of ours, shown by a TLS context of pyOpenSSL."""

from __future__ import annotations

import pytest
from OpenSSL import SSL, crypto

from agent.ownkey import REFUSED, openssl_certificate, present
from tests.keystoretools.authority import make

ROOT = make("Root", authority=True)
ISSUING = make("Issuing", ROOT, authority=True)
OWN = make("own.example", ISSUING)


def shown_by(context: SSL.Context) -> list[bytes]:
    """The certificates that a client gets to see."""
    server, client = (SSL.Connection(one, None) for one in (context, SSL.Context(SSL.TLS_CLIENT_METHOD)))
    server.set_accept_state()
    client.set_connect_state()
    for speaker, hearer in ((client, server), (server, client)):
        with pytest.raises(SSL.WantReadError):
            speaker.do_handshake()
        hearer.bio_write(speaker.bio_read(65536))
    client.do_handshake()
    return [crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in client.get_peer_cert_chain() or ()]


def test_the_whole_chain_is_shown() -> None:
    """The own certificate first, and what it was issued by behind it."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    present(context, OWN.key, [OWN.certificate, ISSUING.certificate])
    assert [OWN.certificate.der, ISSUING.certificate.der] == shown_by(context)


def test_a_key_of_another_certificate_is_refused() -> None:
    """At once, and not in the first handshake."""
    with pytest.raises(REFUSED):
        present(SSL.Context(SSL.TLS_SERVER_METHOD), ISSUING.key, [OWN.certificate])


def test_a_certificate_stays_what_it_is() -> None:
    """Byte for byte."""
    assert OWN.certificate.der == crypto.dump_certificate(crypto.FILETYPE_ASN1, openssl_certificate(OWN.certificate))
