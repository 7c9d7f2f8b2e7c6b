"""Whom a destination trusts, what it presents, and what is said when that fails: handshakes in memory."""

from __future__ import annotations

import contextlib
from pathlib import PurePath

import attrs
import pytest
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import formatEvent, globalLogPublisher

from agent.config.outbound import ClientTls
from agent.errors import DestinationError, OperatorError
from agent.secret import Secret
from agent.upstream.contexts import Contexts
from agent.upstream.material import context_of
from agent.upstream.trust import TrustedPeer, resigner_of
from keystoretools import Format, Keystore, PrivateKeyEntry, TrustedCertificateEntry, save_keystore
from tests.keystoretools.authority import make
from tests.support.tls import DAYS, NOW, START, MemoryDisk, pem_of
from tests.support.twisted_results import failure_of, result_of

HOST = "receiver.example"


def made(common, issuer=None, **more):
    return make(common, issuer, start=START, days=DAYS, **more)


ROOT = made("Plant Root", authority=True)
MIDDLE = made("Plant Issuing", ROOT, authority=True)
SERVER = made("receiver", MIDDLE, names=(HOST,))
STRANGER = made("other", made("Zscaler Root CA", authority=True), names=(HOST,))
SELF_SIGNED = made("box", names=(HOST,))
CLIENT = made("agent", ROOT)


def store(password, form, *trusted, key=None):
    built = Keystore(format=form).set_password(password)
    for number, one in enumerate(trusted):
        built = built.add(TrustedCertificateEntry(alias=f"ca{number}", certificate=one.certificate))
    if key is not None:
        built = built.add(PrivateKeyEntry(alias="twx", key=key.key, chain=(key.certificate, ROOT.certificate)))
    return save_keystore(built)


class Receiver:
    """The TLS server of one handshake; `asks` makes it want a client certificate of the plant."""

    def __init__(self, *chain, asks=False):
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(chain[0].library)
        context.use_privatekey(chain[0].signer)
        for issuer in chain[1:]:
            context.add_extra_chain_cert(issuer.library)
        if asks:
            context.get_cert_store().add_cert(crypto.X509.from_cryptography(ROOT.library))
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        self.tls = SSL.Connection(context, None)
        self.tls.set_accept_state()


class Protocol:
    """What Twisted's TLS protocol is asked for."""

    def __init__(self):
        self.fault = None

    def failVerification(self, failure):
        self.fault = self.fault or failure.value


def shake(receiver, files, config, *, via="", password=None):
    """One handshake; returns the fault, or None."""
    context = context_of(config, read=MemoryDisk(files).read, password=password, now=NOW)
    protocol = Protocol()
    peer = TrustedPeer(context=context, host=HOST, rules=config, via=via)
    client = peer.clientConnectionForTLS(protocol)
    client.set_connect_state()
    ends = [client, receiver.tls]
    for _ in range(8):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                return protocol.fault or error
            with contextlib.suppress(SSL.WantReadError):
                ends[1 - number].bio_write(end.bio_read(65536))
    return protocol.fault


TRUST = ClientTls(truststore=PurePath("trust"))


@pytest.mark.parametrize(
    "data",
    [
        pem_of(ROOT, key=False),
        store("changeit", Format.JKS, ROOT),
        store("changeit", Format.PKCS12, ROOT),
        store("changeit", Format.JKS, MIDDLE),
    ],
    ids=["pem", "jks", "pkcs12", "intermediate"],
)
def test_a_truststore_of_any_form_is_trusted(data):
    """Also one that holds only the issuing authority, as Java takes it."""
    assert shake(Receiver(SERVER, MIDDLE), {"trust": data}, TRUST) is None


def test_a_truststore_replaces_the_machines_trust():
    """What it does not hold is a stranger, named with the remedy and the fingerprint to compare."""
    fault = shake(Receiver(SELF_SIGNED), {"trust": pem_of(ROOT, key=False)}, TRUST)
    assert "tls-unknown-ca" == fault.code
    assert "into the destination's Truststore" in fault.sentence
    assert SELF_SIGNED.certificate.sha256.hex() in fault.sentence


def test_a_self_signed_certificate_can_be_trusted():
    """As the certificate of the EMS stands in the LSR's rap_cert_file."""
    assert shake(Receiver(SELF_SIGNED), {"trust": pem_of(SELF_SIGNED, key=False)}, TRUST) is None


def test_a_trusted_chain_does_not_excuse_the_wrong_name():
    """Not said anywhere in the original; checked here."""
    other = made("x", ROOT, names=("elsewhere.example",))
    fault = shake(Receiver(other), {"trust": pem_of(ROOT, key=False)}, TRUST)
    assert "tls-wrong-name" == fault.code


def test_a_pin_takes_the_place_of_every_other_check():
    """A self-signed certificate of another name is right when it is the pinned one."""
    box = made("box", names=("localhost",))
    pinned = ClientTls(fingerprints=(box.certificate.sha256.hex(),))
    assert shake(Receiver(box), {}, pinned) is None
    fault = shake(Receiver(SELF_SIGNED), {}, pinned)
    assert "tls-pin" == fault.code
    assert SELF_SIGNED.certificate.sha256.hex() in fault.sentence


def test_a_pin_is_the_leafs_and_not_an_issuers():
    """Whoever can show the chain of the pinned certificate must also have its key."""
    pinned = ClientTls(fingerprints=(ROOT.certificate.sha256.hex(),))
    assert "tls-pin" == shake(Receiver(SERVER, MIDDLE, ROOT), {}, pinned).code


def test_verbose_tells_each_step():
    """The chain with its dates and the verdict on each certificate, the version and the cipher."""
    told = []
    globalLogPublisher.addObserver(told.append)
    try:
        shake(Receiver(SERVER, MIDDLE), {"trust": pem_of(ROOT, key=False)}, attrs.evolve(TRUST, verbose=True))
    finally:
        globalLogPublisher.removeObserver(told.append)
    lines = [formatEvent(event) for event in told]
    assert "the handshake begins" in lines[0]
    assert f"TLS {HOST}: certificate 0: 'CN=receiver', issued by 'CN=Plant Issuing'" in lines[3]
    assert lines[3].endswith(": accepted")
    assert f"TLS {HOST}: TLSv1.3 with TLS_AES" in lines[4]


def test_ignored_errors_are_ignored():
    """Chain and name alike."""
    assert shake(Receiver(made("x")), {}, ClientTls(ignore_errors=True)) is None


def test_a_proxy_that_signs_anew_is_named():
    """By the issuer it leaves in the certificate, and with what to do about it."""
    fault = shake(Receiver(STRANGER), {"trust": pem_of(ROOT, key=False)}, TRUST, via="proxy.example:3128")
    assert "that is the proxy proxy.example:3128 (Zscaler), which opens TLS and signs it anew" in fault.sentence
    unknown = shake(Receiver(SELF_SIGNED), {"trust": pem_of(ROOT, key=False)}, TRUST, via="proxy.example:3128")
    assert "perhaps the proxy proxy.example:3128 opens TLS" in unknown.sentence


@pytest.mark.parametrize(
    ("issuer", "product"), [("CN=FortiGate CA,O=Fortinet", "Fortinet FortiGate"), ("CN=Plant Root", "")]
)
def test_known_products_are_recognised(issuer, product):
    """And others are not accused."""
    assert product == resigner_of(issuer)


@pytest.mark.parametrize("form", [Format.JKS, Format.PKCS12])
def test_the_agent_presents_the_key_of_its_alias(form):
    """Two-way TLS: the receiver takes it; without one it refuses."""
    files = {"trust": pem_of(ROOT, key=False), "keys": store("s3cret", form, key=CLIENT), "pw": b"s3cret\n"}
    both = attrs.evolve(TRUST, keystore=PurePath("keys"), keystore_password_file=PurePath("pw"), alias="twx")
    receiver = Receiver(SERVER, MIDDLE, asks=True)
    assert shake(receiver, files, both) is None
    presented = receiver.tls.get_peer_certificate(as_cryptography=True)
    assert CLIENT.library == presented
    assert isinstance(shake(Receiver(SERVER, MIDDLE, asks=True), files, TRUST), SSL.Error)


@pytest.mark.parametrize(
    ("config", "files", "words"),
    [
        (TRUST, {}, "There is no file 'trust'"),
        (TRUST, {"trust": b"no store"}, "trust: "),
        (TRUST, {"trust": store("geheim", Format.PKCS12, ROOT)}, "Truststore/password-file"),
        (TRUST, {"trust": store("changeit", Format.JKS, key=CLIENT)}, "no trusted certificate in the truststore"),
        (
            ClientTls(keystore=PurePath("k"), alias="twx"),
            {"k": store("geheim", Format.JKS, key=CLIENT)},
            "Keystore/password-file",
        ),
        (
            ClientTls(keystore=PurePath("k"), alias="nobody"),
            {"k": store("alarmpoint", Format.JKS, key=CLIENT)},
            "nobody",
        ),
    ],
)
def test_files_that_do_not_serve_have_a_sentence(config, files, words):
    """Which file, and what to do."""
    with pytest.raises(OperatorError) as caught:
        context_of(config, read=MemoryDisk(files).read, password=None, now=NOW)
    assert words in caught.value.sentence


def test_the_environments_password_opens_stores_without_a_password_file():
    """As for the gateway."""
    files = {"k": store("geheim", Format.JKS, key=CLIENT)}
    config = ClientTls(keystore=PurePath("k"), alias="twx")
    assert context_of(config, read=MemoryDisk(files).read, password=Secret("geheim"), now=NOW)


def test_password_files_are_opened_whatever_they_are():
    """Sealed ones too: who can open them is passed in. One without a password says so."""
    files = {"k": store("geheim", Format.JKS, key=CLIENT), "pw": b"sealed"}
    config = ClientTls(keystore=PurePath("k"), alias="twx", keystore_password_file=PurePath("pw"))
    opened = {b"sealed": Secret("geheim")}
    assert context_of(
        config, read=MemoryDisk(files).read, password=None, now=NOW, opened=lambda path, data: opened[data]
    )
    files["pw"] = b"\n"
    with pytest.raises(OperatorError, match="the password file pw has an empty first line"):
        context_of(config, read=MemoryDisk(files).read, password=None, now=NOW)


class Making:
    """Contexts whose files change when the test says so."""

    def __init__(self):
        self.signature = 1
        self.outcomes = []
        self.contexts = Contexts(
            ClientTls(), name="out", make=None, in_thread=lambda _: self.outcomes.pop(0), look=lambda _: self.signature
        )

    def ask(self):
        return Deferred.fromCoroutine(self.contexts())


def test_a_context_is_made_once_and_anew_when_a_file_changes():
    """New connections take the new trust, without a restart."""
    making = Making()
    making.outcomes = [succeed("first"), succeed("second")]
    found = [result_of(making.ask()), result_of(making.ask())]
    making.signature = 2
    assert ["first", "first", "second"] == [*found, result_of(making.ask())]


def test_a_broken_file_leaves_the_trust_that_works():
    """And without one the request waits with the sentence."""
    making = Making()
    making.outcomes = [fail(OperatorError("x", "the file is broken")), succeed("first"), fail(OperatorError("x", "y"))]
    error = failure_of(making.ask())
    assert (DestinationError, "the file is broken", True) == (type(error), error.sentence, error.retryable)
    result_of(making.ask())
    making.signature = 2
    assert "first" == result_of(making.ask())
