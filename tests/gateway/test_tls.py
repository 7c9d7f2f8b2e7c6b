"""TLS on one connection, over a faked network: a real client of the standard library at the other end."""

from __future__ import annotations

import contextlib
import gc
import itertools
import ssl
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.logger import LogEvent, globalLogPublisher

from agent.access import Access, CertificatePattern
from agent.config.tls import ClientAuth, TlsConfig, TlsPolicy
from agent.gateway import served
from agent.gateway.quickside import CannotQuickly
from agent.wire.misuse import Cause
from tests.keystoretools.authority import make
from tests.support.garbage import garbage_of
from tests.support.gateway import post, read_replies
from tests.support.tls import NOW, TlsStage, authority, client_context, issued, ocsp_response, pem_of

ROOT, SERVER = authority()
FILES = {"server.pem": pem_of(SERVER), "root.pem": pem_of(ROOT, key=False)}
KEY = PurePath("server.pem")


@pytest.fixture(scope="module", params=["quick", "full"], autouse=True)
def library(request: pytest.FixtureRequest) -> Iterator[str]:
    """What is claimed here holds for both TLS libraries."""

    def cannot(*_: object) -> None:
        raise CannotQuickly

    with pytest.MonkeyPatch.context() as patch:
        if request.param == "full":
            patch.setattr(served, "QuickContexts", cannot)
        yield request.param


OUTDATED_HELLO = bytes.fromhex("16030100330100002f0301") + bytes(32) + bytes.fromhex("000008002fc013c01400350100")
"""A ClientHello of TLS 1.0."""


def statuses(received: bytes) -> list[int]:
    return [reply.status for reply in read_replies(received)]


def test_events_are_taken_inside_tls() -> None:
    """Several requests over one connection, their bodies larger than a record, nothing in the clear."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    assert "TLSv1.3" == client.tls.version()
    client.send(post() + post())
    client.send(post(b"<a>" + b"x" * 40_000 + b"</a>"))
    assert [202, 202, 202] == statuses(client.received)
    assert b"HTTP/1.1" not in client.raw.transport.written
    assert [] == stage.misuses


def test_a_hello_in_single_bytes_is_a_hello() -> None:
    """The sniffing gives on what it has read, whole and once."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT))
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.raw.send(*(bytes((byte,)) for byte in client._out.read()))
    client.shake_hands().send(post())
    assert [202] == statuses(client.received)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.lists(st.integers(0, 600), min_size=1, max_size=6))
def test_requests_arrive_however_they_are_cut(cuts: list[int], sizes: list[int]) -> None:
    """Into records and pieces of records: each request is answered as soon as its last byte is there."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    requests = b"".join(post(b"<a>" + b"x" * size + b"</a>") for size in sizes)
    for start in range(0, len(requests), 150):
        client.tls.write(requests[start : start + 150])
    sealed = client._out.read()
    for cut in itertools.cycle(cuts):
        client.raw.send(sealed[:cut])
        sealed = sealed[cut:]
        if not sealed:
            break
    client.exchange()
    assert [202] * len(sizes) == statuses(client.received)


def test_a_sender_that_ends_its_side_gets_its_answer() -> None:
    """close_notify says that no further request comes, not that nobody listens."""
    stage = TlsStage(FILES, at_once=False)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.send(post())
    client.end()
    assert not client.raw.transport.closed
    stage.sink.commit()
    client.exchange()
    assert [202] == statuses(client.received)
    assert client.has_ended and client.raw.transport.closed


def test_a_connection_ends_with_close_notify() -> None:
    """So the sender knows that nothing was cut off."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.send(post(b"<a/>", "Connection: close"))
    assert [202] == statuses(client.received)
    assert client.has_ended


def test_the_end_goes_along_with_the_last_answer() -> None:
    """A packet of its own costs as much as the answer."""
    stage = TlsStage(FILES, at_once=False)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.send(post(b"<a/>", "Connection: close"))
    transport = client.raw.transport
    sent: list[bytes] = []
    send = transport.writeSomeData
    transport.protocol._outlet._send_now = lambda data: sent.append(data) or send(data)
    stage.sink.commit()
    client.exchange()
    assert ([202], True, 1) == (statuses(client.received), client.has_ended, len(sent))


def test_an_error_in_the_middle_is_told_before_the_end() -> None:
    """The answer, close_notify and our half-close go out; what still comes is dropped."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.send(b"BAD REQUEST\r\n\r\n")
    assert [400] == statuses(client.received)
    assert client.has_ended and client.raw.transport.half_closed


def test_an_answer_waits_for_a_slow_reader() -> None:
    """What the socket does not take is kept, in order, and memory is bounded by not encrypting ahead."""
    stage = TlsStage(FILES, at_once=False)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.raw.transport.room = 10
    for _ in range(20):
        client.send(post())
    stage.sink.commit()
    client.raw.transport.drain(1_000_000)
    client.exchange()
    assert [202] * 20 == statuses(client.received)


def test_a_reader_that_does_not_read_is_cut_off() -> None:
    """As over plain HTTP."""
    stage = TlsStage(FILES, at_once=False)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.raw.transport.room = 0
    for _ in range(3):
        client.send(post())
        stage.sink.commit()
    stage.pass_time(32)
    assert client.raw.transport.aborted


@pytest.mark.parametrize(
    ("policy", "version", "works"),
    [
        (TlsPolicy.MODERN, ssl.TLSVersion.TLSv1_2, False),
        (TlsPolicy.MODERN, ssl.TLSVersion.TLSv1_3, True),
        (TlsPolicy.INTERMEDIATE, ssl.TLSVersion.TLSv1_1, False),
        (TlsPolicy.INTERMEDIATE, ssl.TLSVersion.TLSv1_2, True),
        (TlsPolicy.LEGACY, ssl.TLSVersion.TLSv1_1, False),
        (TlsPolicy.LEGACY, ssl.TLSVersion.TLSv1_2, True),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_policies_bound_the_versions(policy: TlsPolicy, version: ssl.TLSVersion, works: bool) -> None:
    """An old client is refused with its reason, whatever the policy."""
    stage = TlsStage(FILES, TlsConfig(certificate=KEY, policy=policy))
    context = client_context(ROOT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    client = stage.tls_client(context)
    if works:
        assert version.name.replace("_", ".").replace("v1", "v1") == client.shake_hands().tls.version()
        return
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        client.shake_hands()
    assert [Cause.NO_SHARED_VERSION] == stage.causes
    (misuse,) = stage.misuses
    assert misuse.hello is not None
    assert "agent.example" == misuse.hello.server_name


def test_no_shared_cipher_tells_what_was_offered() -> None:
    """Ciphers without forward secrecy are not spoken in `intermediate`."""
    stage = TlsStage(FILES)
    context = client_context(ROOT)
    context.set_ciphers("AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        stage.tls_client(context).shake_hands()
    assert [Cause.NO_SHARED_CIPHER] == stage.causes
    assert stage.misuses[0].hello is not None
    assert ("RSA-AES128-SHA",) == stage.misuses[0].hello.ciphers


def test_legacy_takes_older_ciphers() -> None:
    """In TLS 1.2, and says so by what was agreed on."""
    stage = TlsStage(FILES, TlsConfig(certificate=KEY, policy=TlsPolicy.LEGACY))
    context = client_context(ROOT)
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    agreed = stage.tls_client(context).shake_hands().tls.cipher()
    assert agreed is not None
    assert agreed[0].endswith("AES128-SHA")


def test_a_sender_that_does_not_trust_us_is_told_apart() -> None:
    """By its alert; one that asked for a name we do not have is another case."""
    stage = TlsStage(FILES)
    stranger = client_context(issued("Other root", authority=True))
    for name in ("agent.example", "other.example"):
        with pytest.raises(ssl.SSLCertVerificationError):
            stage.tls_client(stranger, name=name).shake_hands()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        stage.tls_client(client_context(ROOT), name="plant7").shake_hands()
    assert [Cause.NOT_TRUSTED, Cause.WRONG_NAME, Cause.WRONG_NAME] == stage.causes
    assert "unknown ca" == stage.misuses[0].alert
    assert ("agent.example", "192.0.2.1") == stage.misuses[2].our_names


@pytest.mark.parametrize(("start", "days"), [(NOW - timedelta(days=30), 10), (NOW + timedelta(days=10), 10_000)])
def test_a_certificate_out_of_its_time_is_the_matter(start: datetime, days: int) -> None:
    """Whatever the sender says of it: that it knows our authority or not is not the question then."""
    made = make("agent.example", ROOT, names=("agent.example",), start=start, days=days)
    stage = TlsStage({"server.pem": pem_of(made)})
    with pytest.raises(ssl.SSLCertVerificationError):
        stage.tls_client(client_context(issued("Other root", authority=True))).shake_hands()
    assert [Cause.EXPIRED] == stage.causes


def test_an_issuer_that_we_do_not_send_is_the_matter() -> None:
    """The sentence about it goes with what the desk is told."""
    middle = issued("Issuing", ROOT, authority=True)
    made = issued("agent.example", middle, names=("agent.example",))
    stage = TlsStage({"server.pem": pem_of(made)})
    with pytest.raises(ssl.SSLCertVerificationError):
        stage.tls_client(client_context(ROOT)).shake_hands()
    assert "is missing in 'server.pem'" in stage.misuses[0].our_gap


def test_who_leaves_in_the_middle_is_noted_once() -> None:
    """In the handshake, after it without a request; not after a request."""
    stage = TlsStage(FILES)
    early = stage.tls_client(client_context(ROOT))
    early.raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    early.raw.transport.loseConnection()
    stage.tls_client(client_context(ROOT)).shake_hands().end()
    stage.tls_client(client_context(), name="other.example").shake_hands().end()
    busy = stage.tls_client(client_context(ROOT)).shake_hands()
    busy.send(post())
    busy.end()
    assert [Cause.HANDSHAKE_RESET, Cause.LEFT_AFTER_HANDSHAKE, Cause.WRONG_NAME] == stage.causes


def test_a_handshake_has_a_deadline() -> None:
    """Ten seconds from the accept, however it drips."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT))
    for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03":
        client.raw.send(bytes((byte,)))
        stage.pass_time(1)
    assert client.raw.transport.aborted
    assert [Cause.HANDSHAKE_TIMEOUT] == stage.causes


def test_damage_ends_the_connection() -> None:
    """Bytes that are not TLS any more are never guessed at."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    client.send(post())
    client.raw.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert client.raw.transport.closed
    assert [202] == statuses(client.received)


def test_sessions_are_resumed() -> None:
    """With a ticket, over another connection; not after the keys have been changed."""
    stage = TlsStage(FILES)
    context = client_context(ROOT)
    first = stage.tls_client(context).shake_hands()
    first.send(post())
    session = first.tls.session
    assert session is not None and session.has_ticket
    assert stage.tls_client(context, session=session).shake_hands().tls.session_reused
    stage.pass_time(4 * 3600, step=1800)
    assert not stage.tls_client(context, session=session).shake_hands().tls.session_reused


def test_nobody_renegotiates() -> None:
    """The wish is answered with no_renegotiation, at once, and the connection goes on."""
    stage = TlsStage(FILES)
    raw = stage.client()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    read = 0

    def exchange() -> bytes:
        nonlocal read
        with contextlib.suppress(SSL.WantReadError):
            raw.send(client.bio_read(65536))
        fresh, read = raw.transport.written[read:], len(raw.transport.written)
        if fresh:
            client.bio_write(fresh)
        return fresh

    for _ in range(4):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        exchange()
    client.renegotiate()
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    answer = exchange()
    assert 0x15 == answer[0], "an alert"
    with pytest.raises(SSL.Error, match="no renegotiation"):
        client.do_handshake()
    assert not raw.transport.closed


class TestClientCertificates:
    """Off, optional, required; held against a truststore, a list of fingerprints, or both."""

    def stage(self, auth: ClientAuth, **more: object) -> TlsStage:
        facts = {"truststore": PurePath("root.pem"), **more}
        return TlsStage(FILES, TlsConfig(certificate=KEY, client_auth=auth, **facts))  # type: ignore[arg-type]

    def test_a_verified_certificate_is_known_to_the_connection(self, tmp_path: Path) -> None:
        """With its names and fingerprint, for whoever authenticates."""
        own = issued("plant7", ROOT, names=("plant7.example",))
        stage = self.stage(ClientAuth.REQUIRED)
        client = stage.tls_client(client_context(ROOT, own=own, folder=tmp_path)).shake_hands()
        client.send(post())
        assert [202] == statuses(client.received)
        (visitor,) = stage.gateway._visitors
        found = visitor._connection.client_certificate  # type: ignore[attr-defined]
        assert ("CN=plant7", (("dns", "plant7.example"),), own.certificate.sha256.hex()) == (
            found.subject,
            found.names,
            found.fingerprint,
        )

    def test_a_good_one_that_nobody_has_named_is_told_to_the_operator(self, tmp_path: Path) -> None:
        """With its subject, once a minute; the sender only hears that it is not permitted."""
        own = issued("plant7", ROOT)
        stage = self.stage(ClientAuth.REQUIRED)
        stage.gateway._doorman.configure(Access(certificates=(CertificatePattern(subject="CN=pump*"),)), {})
        client = stage.tls_client(client_context(ROOT, own=own, folder=tmp_path)).shake_hands()
        lines: list[LogEvent] = []
        globalLogPublisher.addObserver(lines.append)
        try:
            for _ in range(2):
                client.send(post())
        finally:
            globalLogPublisher.removeObserver(lines.append)
        assert [403, 403] == statuses(client.received)
        assert ["CN=plant7"] == [line["subject"] for line in lines if "subject" in line]

    @pytest.mark.parametrize(("auth", "causes"), [(ClientAuth.OPTIONAL, []), (ClientAuth.OFF, [])])
    def test_none_is_needed_where_it_is_not_required(self, auth: ClientAuth, causes: list[Cause]) -> None:
        """And none is known then."""
        stage = self.stage(auth)
        client = stage.tls_client(client_context(ROOT)).shake_hands()
        client.send(post())
        assert [202] == statuses(client.received)
        assert causes == stage.causes

    def test_a_missing_one_is_refused(self) -> None:
        """With the alert that says so, although the client thinks that the handshake went well."""
        stage = self.stage(ClientAuth.REQUIRED)
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
            stage.tls_client(client_context(ROOT)).shake_hands()
        assert [Cause.CLIENT_CERTIFICATE_MISSING] == stage.causes

    @pytest.mark.parametrize("auth", [ClientAuth.OPTIONAL, ClientAuth.REQUIRED])
    def test_a_wrong_one_is_refused(self, tmp_path: Path, auth: ClientAuth) -> None:
        """Unknown, expired, made for another purpose: each has its cause, and the certificate is told."""
        other = issued("Other root", authority=True)
        for own, cause in (
            (issued("mallory", other), Cause.CLIENT_CERTIFICATE_UNKNOWN),
            (issued("old", ROOT, days=30), Cause.CLIENT_CERTIFICATE_EXPIRED),
        ):
            stage = self.stage(auth)
            with pytest.raises(ssl.SSLError):
                stage.tls_client(client_context(ROOT, own=own, folder=tmp_path)).shake_hands()
            (misuse,) = stage.misuses
            assert cause is misuse.cause
            assert misuse.client_certificate is not None
            assert f"CN={own.library.subject.rfc4514_string()[3:]}" == misuse.client_certificate.subject
            assert misuse.verify_error

    @pytest.mark.parametrize("sends_root", [True, False])
    def test_a_chain_that_ends_elsewhere_is_told_by_its_first(self, tmp_path: Path, sends_root: bool) -> None:
        """The operator knows the sender's certificate, not the root; the root is named beside it."""
        root = issued("Other root", authority=True)
        middle = issued("Other issuing", root, authority=True)
        own = issued("mallory", middle)
        sent = (middle, root) if sends_root else (middle,)
        stage = self.stage(ClientAuth.REQUIRED)
        with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
            stage.tls_client(client_context(ROOT, own=own, chain=sent, folder=tmp_path)).shake_hands()
        (misuse,) = stage.misuses
        assert misuse.client_certificate is not None
        assert ("CN=mallory", "CN=Other issuing") == (
            misuse.client_certificate.subject,
            misuse.client_certificate.issuer,
        )
        assert ("CN=Other root" if sends_root else "CN=Other issuing") == misuse.culprit

    def test_an_issuing_authority_may_stand_without_its_root(self, tmp_path: Path) -> None:
        """What is in the truststore is trusted, as in Java; the client itself may stand there, too."""
        middle = issued("Issuing", ROOT, authority=True)
        own = issued("plant7", middle)
        for anchor in (middle, own):
            files = {**FILES, "root.pem": pem_of(anchor, key=False)}
            config = TlsConfig(certificate=KEY, client_auth=ClientAuth.REQUIRED, truststore=PurePath("root.pem"))
            client = TlsStage(files, config).tls_client(client_context(ROOT, own=own, folder=tmp_path)).shake_hands()
            client.send(post())
            assert [202] == statuses(client.received)

    def test_fingerprints_alone_pin(self, tmp_path: Path) -> None:
        """Without a truststore those on the list are taken, whoever issued them, and nobody else."""
        friend, other = issued("friend"), issued("other")
        stage = self.stage(
            ClientAuth.REQUIRED, truststore=None, fingerprint_allowlist=(friend.certificate.sha256.hex(),)
        )
        client = stage.tls_client(client_context(ROOT, own=friend, folder=tmp_path)).shake_hands()
        client.send(post())
        assert [202] == statuses(client.received)
        with pytest.raises(ssl.SSLError):
            stage.tls_client(client_context(ROOT, own=other, folder=tmp_path)).shake_hands()
        assert [Cause.CLIENT_CERTIFICATE_UNKNOWN] == stage.causes

    def test_fingerprints_narrow_a_truststore(self, tmp_path: Path) -> None:
        """With a truststore both must fit."""
        one, two, forged = issued("one", ROOT), issued("two", ROOT), issued("one")
        listed = (one.certificate.sha256.hex(), forged.certificate.sha256.hex())
        stage = self.stage(ClientAuth.REQUIRED, fingerprint_allowlist=listed)
        stage.tls_client(client_context(ROOT, own=one, folder=tmp_path)).shake_hands()
        for refused in (two, forged):
            with pytest.raises(ssl.SSLError):
                stage.tls_client(client_context(ROOT, own=refused, folder=tmp_path)).shake_hands()
        assert [Cause.CLIENT_CERTIFICATE_UNKNOWN] * 2 == stage.causes


def test_a_connection_that_is_gone_leaves_no_keys_behind() -> None:
    """What TLS keeps for it is given back at once, not when the garbage collector comes by."""
    stage = TlsStage(FILES)
    client = stage.tls_client(client_context(ROOT)).shake_hands()
    (visitor,) = stage.gateway._visitors
    side = weakref.ref(visitor._side._tls)  # type: ignore[attr-defined]
    client.send(post())
    gc.disable()
    try:
        client.raw.transport.loseConnection()
        assert side() is None
    finally:
        gc.enable()


def test_nothing_of_a_connection_waits_for_the_garbage_collector() -> None:
    """It would have to come by for every few connections: one that ends well, one whose handshake fails."""
    stage = TlsStage(FILES)

    def well() -> None:
        client = stage.tls_client(client_context(ROOT)).shake_hands()
        client.send(post())
        client.raw.transport.loseConnection()

    def badly() -> None:
        client = stage.client()
        client.send(OUTDATED_HELLO)
        client.end()

    assert [] == garbage_of(well) + garbage_of(badly)
    assert [Cause.NO_SHARED_VERSION] == stage.causes
    assert not len(stage.gateway._visitors)


@pytest.mark.parametrize(
    ("version", "comes_with_request", "acknowledged"),
    [
        (ssl.TLSVersion.TLSv1_3, False, 1),
        (ssl.TLSVersion.TLSv1_3, True, 0),
        (ssl.TLSVersion.TLSv1_2, False, 0),
    ],
)
def test_the_end_of_a_handshake_is_acknowledged_at_once(
    version: ssl.TLSVersion, comes_with_request: bool, acknowledged: int
) -> None:
    """The tickets wait for the first answer, and a sender that obeys Nagle's rule for the acknowledgement: 40 ms."""
    stage = TlsStage(FILES)
    context = client_context(ROOT)
    context.maximum_version = version
    client = stage.tls_client(context)
    if comes_with_request:
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.exchange_handshake()
        client.tls.do_handshake()
    else:
        client.shake_hands()
    client.send(post())
    assert [202] == statuses(client.received)
    assert acknowledged == client.raw.transport.acknowledged


@pytest.mark.parametrize("is_owed", [True, False])
def test_tickets_go_along_with_the_first_answer(is_owed: bool) -> None:
    """A packet of their own costs as much as the answer; who asks for nothing gets them with the next sweep."""
    stage = TlsStage(FILES, TlsConfig(certificate=KEY), at_once=False)
    client = stage.tls_client(client_context(ROOT))
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.exchange_handshake()
    client.tls.do_handshake()
    if is_owed:
        client.tls.write(post())
    before = len(client.raw.transport.written)
    client.raw.send(client._out.read())
    assert before == len(client.raw.transport.written)
    if is_owed:
        stage.sink.commit()
    else:
        stage.pass_time(1)
    client.exchange()
    assert ([202] if is_owed else []) == statuses(client.received)
    assert client.tls.session is not None
    assert client.tls.session.has_ticket


def test_every_name_gets_its_certificate() -> None:
    """Several entries: chosen by SNI; who asks for none of them gets the first."""
    from keystoretools import Format, Keystore, PrivateKeyEntry, save_keystore

    other = issued("other.example", ROOT, names=("other.example",))
    entries = [
        PrivateKeyEntry(alias=alias, key=made.key, chain=(made.certificate,))
        for alias, made in (("main", SERVER), ("other", other))
    ]
    store = Keystore(format=Format.PKCS12).set_password("alarmpoint")
    for entry in entries:
        store = store.add(entry)
    stage = TlsStage({"ks": save_keystore(store)}, TlsConfig(keystore=PurePath("ks")), alias="main")
    for name, made in (("agent.example", SERVER), ("other.example", other), ("third.example", SERVER), (None, SERVER)):
        client = stage.tls_client(client_context(), name=name).shake_hands()
        assert made.certificate.der == client.tls.getpeercert(binary_form=True)


@pytest.mark.parametrize(("day", "is_sent"), [(0, True), (5, True), (6, False), (30, False)])
def test_a_staple_is_sent_to_those_who_ask(day: int, is_sent: bool) -> None:
    """The OCSP response that lies beside the certificate, as it is, until it runs out while it is served."""
    from agent.gateway.identity import Identity
    from agent.gateway.material import Material
    from agent.gateway.served import Served

    staple = ocsp_response(ROOT, SERVER)
    identity = Identity(alias="one", key=SERVER.key, chain=(SERVER.certificate,), staple=staple)
    material = Material(identities=(identity,))
    server = Served(material, TlsConfig(), now=lambda: NOW + timedelta(days=day)).accept(b"")
    shown: list[bytes] = []

    def look(connection: SSL.Connection, response: bytes, data: None) -> bool:
        shown.append(response)
        return True

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_ocsp_client_callback(look)
    client = SSL.Connection(context, None)
    client.request_ocsp()
    client.set_connect_state()
    for _ in range(4):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            server.hear(client.bio_read(65536))
        server.shake_hands()
        if output := server.output():
            client.bio_write(output)
    assert [staple if is_sent else b""] == shown
