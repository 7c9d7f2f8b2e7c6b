"""Faults of a home without a running agent, each made for real: the doctor finds exactly that."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from agent.boundaries import EventSettlement
from agent.config import passwordfile
from agent.delivery import OutboundRequest, Outcome
from agent.event import BodyKind, Event
from agent.spool.batch import Batch, Change
from agent.spool.writer import Writer
from iadmin.commands.doctor_inside import WHOLE_CHECK_BYTES
from tests.e2e.clinic import NOW, YESTERDAY, Clinic, authority, issued
from tests.support.live import command, free_port, run
from tests.support.tls import pem_of

SERVICE = "applications|sample-plan"
CRLF = b"\r\n"


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


def test_a_healthy_home_has_no_fault(clinic: Clinic) -> None:
    """But that no agent runs on it; and what is good to know."""
    assert ["not-running"] == [one["code"] for one in clinic.before if one["severity"] != "note"]
    assert "only-outbox" in [one["code"] for one in clinic.before]


# The configuration and the files


def broken_xml(clinic: Clinic) -> None:
    clinic.config.write_text("<iaconfig><service-gateway></iaconfig>")


def unknown_element(clinic: Clinic) -> None:
    clinic.add("<service-gatewy/>")


def damaged_suspensions(clinic: Clinic) -> None:
    (clinic.home / "var" / "suspended.json").write_text('{"applications|sample-plan": true}')


def broken_script(clinic: Clinic) -> None:
    (clinic.home / "services" / "sample-plan" / "sample_plan.py").write_text("def on_event(:\n")


def readable_configuration(clinic: Clinic) -> None:
    for folder in (clinic.home / "conf", clinic.home):
        folder.chmod(0o755)
    clinic.config.chmod(0o644)


def passphrase_in_the_configuration(clinic: Clinic) -> None:
    root = authority()
    own = issued(issuer=root)
    key = own.signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"changeit7"))
    clinic.pem(own, root)
    clinic.write("conf/key.pem", key)
    clinic.gateway(private_key="key.pem", passphrase="changeit7")


def plain_to_the_outside(clinic: Clinic) -> None:
    clinic.gateway(host="0.0.0.0")


def open_to_everybody(clinic: Clinic) -> None:
    root = authority()
    clinic.pem(issued(issuer=root), root)
    clinic.gateway(host="0.0.0.0")


def service_that_nobody_lists(clinic: Clinic) -> None:
    there = (clinic.home / "services" / "sample-plan" / "sample-plan.xml").read_bytes()
    clinic.write("services/forgotten/forgotten.xml", there)


# The disk and the spool


def free_space(clinic: Clinic, times: float) -> None:
    found = os.statvfs(clinic.home)
    bound = int(found.f_bavail * found.f_frsize * times)
    clinic.edit("<min-free-bytes>268435456<", f"<min-free-bytes>{bound}<")


def full_disk(clinic: Clinic) -> None:
    free_space(clinic, 1.5)


def nearly_full_disk(clinic: Clinic) -> None:
    free_space(clinic, 0.5)


def spool(clinic: Clinic, *changes: Change, at: dt.datetime = NOW, number: int = 1) -> Path:
    """A spool with events as an agent leaves it."""
    folder = clinic.home / "var" / "spool"
    at_us = int(at.timestamp() * 1_000_000)
    writer = Writer(folder=folder, now_us=lambda: at_us)
    writer.open()
    for place in range(number):
        event = Event(
            id=f"0193b3f0-0000-7000-8000-{place:012x}",
            service=SERVICE,
            received_us=at_us,
            peer="192.0.2.7:1",
            kind=BodyKind.XML,
            body=b"<a/>" * 1000,
        )
        writer.commit(Batch(accepts=[(event, None)]))
    for change in changes:
        writer.commit(Batch(changes=[change]))
    writer.close()
    (folder / "reserve").write_bytes(b"")
    return folder


def settled(outcome: Outcome, *requests: OutboundRequest) -> Change:
    return Change(what=EventSettlement(seq=1, outcome=outcome, begun_us=1, ended_us=2, requests=requests))


def spool_without_reserve(clinic: Clinic) -> None:
    (spool(clinic, settled(Outcome.SUCCEED)) / "reserve").unlink()


def clock_that_went_back(clinic: Clinic) -> None:
    spool(clinic, settled(Outcome.SUCCEED), at=NOW + timedelta(hours=3))


def quarantine(clinic: Clinic) -> None:
    (clinic.home / "var" / "spool" / "quarantine-20261120").mkdir()


def doubted_spool(clinic: Clinic) -> None:
    folder = spool(clinic, settled(Outcome.SUCCEED))
    os.truncate(folder / "spool.db", WHOLE_CHECK_BYTES + 4096)
    (folder / "doubt").write_text("Tree 2 page 7: btreeInitPage() returns error code 11\n")


def damaged_page(clinic: Clinic) -> None:
    path = spool(clinic, settled(Outcome.SUCCEED), number=30) / "spool.db"
    octets = bytearray(path.read_bytes())
    octets[-8192:-4096] = os.urandom(4096)
    path.write_bytes(octets)


def dead_letter(clinic: Clinic) -> None:
    spool(clinic, settled(Outcome.GIVE_UP))


def long_wait(clinic: Clinic) -> None:
    spool(clinic, at=YESTERDAY)


def request_for_nobody(clinic: Clinic) -> None:
    spool(clinic, settled(Outcome.SUCCEED, OutboundRequest(destination="gone", body=b"x")))


def nearly_full_backlog(clinic: Clinic) -> None:
    clinic.edit("<max-service-events>250000<", "<max-service-events>10<")
    spool(clinic, number=9)


# Keys and certificates


def wrong_password(clinic: Clinic) -> None:
    clinic.keystore(("agent", issued(issuer=(root := authority())), [root]))
    clinic.write("conf/keystore.password", b"anotherone")


def no_keystore_at_all(clinic: Clinic) -> None:
    clinic.keystore(("agent", issued(issuer=(root := authority())), [root]))
    clinic.write("conf/.keystore", b"<html>404 Not Found</html>")


def empty_keystore(clinic: Clinic) -> None:
    clinic.keystore()


def several_keys(clinic: Clinic) -> None:
    root = authority()
    clinic.keystore(("one", issued(issuer=root), [root]), ("two", issued(issuer=root), [root]))


def alias_that_is_not_there(clinic: Clinic) -> None:
    clinic.keystore(("agent", issued(issuer=(root := authority())), [root]))
    clinic.gateway(alias="other")


def presented(clinic: Clinic, **facts: object) -> None:
    root = authority()
    clinic.keystore(("agent", issued(issuer=root, **facts), [root]))


def expired(clinic: Clinic) -> None:
    presented(clinic, start=NOW - timedelta(days=400), days=300)


def expires_soon(clinic: Clinic) -> None:
    presented(clinic, days=10)


def not_yet_valid(clinic: Clinic) -> None:
    presented(clinic, start=NOW + timedelta(days=5))


def wrong_names(clinic: Clinic) -> None:
    presented(clinic, names=("old-name.example",))


def weak_key(clinic: Clinic) -> None:
    presented(clinic, signer=rsa.generate_private_key(65537, 1024))


def missing_intermediate(clinic: Clinic) -> None:
    root = authority()
    middle = issued("Company Intermediate", issuer=root, authority=True)
    clinic.keystore(("agent", issued(issuer=middle), []))


def self_signed(clinic: Clinic) -> None:
    clinic.keystore(("agent", issued(), []))


def foreign_key(clinic: Clinic) -> None:
    root = authority()
    clinic.pem(issued(issuer=root), root)
    clinic.write("conf/agent.pem", pem_of(issued(issuer=root), root, key=False))
    other = issued(issuer=root).signer.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"changeit7")
    )
    clinic.write("conf/key.pem", other)
    clinic.write("conf/passphrase", b"changeit7")
    clinic.gateway(private_key="key.pem", passphrase_file="passphrase")


def wrong_passphrase(clinic: Clinic) -> None:
    foreign_key(clinic)
    clinic.write("conf/passphrase", b"wrong")


def another_key_expired(clinic: Clinic) -> None:
    root = authority()
    old = issued("old", issuer=root, start=NOW - timedelta(days=400), days=300)
    clinic.keystore(("agent", issued(issuer=root), [root]), ("old", old, [root]))
    clinic.gateway(alias="agent")


def trust_that_runs_out(clinic: Clinic) -> None:
    root = authority()
    clinic.pem(issued(issuer=root), root)
    old = authority(start=NOW - timedelta(days=400), days=300)
    clinic.write("conf/clients.pem", old.library.public_bytes(Encoding.PEM))
    clinic.gateway(client_auth="required", truststore="clients.pem")


# Addresses and destinations


def guarded(clinic: Clinic) -> None:
    """A gateway that may be open to the network."""
    root = authority()
    clinic.pem(issued(issuer=root), root)
    clinic.write("conf/clients.pem", root.library.public_bytes(Encoding.PEM))
    clinic.gateway(client_auth="required", truststore="clients.pem")


def address_of_another_machine(clinic: Clinic) -> None:
    guarded(clinic)
    clinic.gateway(host="192.0.2.77")


def host_that_is_no_name(clinic: Clinic) -> None:
    guarded(clinic)
    clinic.gateway(host="nowhere.invalid")


def destination_without_address(clinic: Clinic) -> None:
    clinic.destination("http://nowhere.invalid/in")


def destination_that_refuses(clinic: Clinic) -> None:
    clinic.destination(f"http://127.0.0.1:{free_port()}/in")


def proxy_that_refuses(clinic: Clinic) -> None:
    clinic.destination("http://127.0.0.1:1/in", f"<Proxy><host>127.0.0.1</host><port>{free_port()}</port></Proxy>")


def far_end(clinic: Clinic, answer: bytes) -> int:
    """Something on a port that answers whatever it is sent."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError), listening:
            listening.settimeout(20)
            peer, _ = listening.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def destination_that_speaks_no_tls(clinic: Clinic) -> None:
    clinic.destination(f"https://127.0.0.1:{far_end(clinic, b'220 mail.example ESMTP' + CRLF)}/in")


def destination_that_speaks_no_http(clinic: Clinic) -> None:
    clinic.destination(f"http://127.0.0.1:{far_end(clinic, b'SSH-2.0-x' + CRLF)}/in")


def destination_that_lets_nobody_in(clinic: Clinic) -> None:
    clinic.destination(f"http://127.0.0.1:{far_end(clinic, b'HTTP/1.1 401 Unauthorized' + CRLF + CRLF)}/in")


def proxy_that_does_not_go_there(clinic: Clinic) -> None:
    port = far_end(clinic, b"HTTP/1.1 403 Forbidden" + CRLF + CRLF)
    clinic.destination("https://192.0.2.1/in", f"<Proxy><host>127.0.0.1</host><port>{port}</port></Proxy>")


# What it needs of its home, and the admin gateway


def log_folder_that_is_a_file(clinic: Clinic) -> None:
    shutil.rmtree(clinic.home / "var" / "log", ignore_errors=True)
    clinic.write("var/log", b"")


def outbox_that_is_a_file(clinic: Clinic) -> None:
    shutil.rmtree(clinic.home / "var" / "outbox", ignore_errors=True)
    clinic.write("var/outbox", b"")


def log_folder_of_nobody(clinic: Clinic) -> None:
    path = clinic.home / "var" / "log"
    path.mkdir(exist_ok=True)
    os.chown(clinic.home, 65534, 65534)
    for inner in clinic.home.rglob("*"):
        os.chown(inner, 65534, 65534)
    os.chown(path, 0, 0)
    path.chmod(0o700)


def disk_that_is_not_mounted(clinic: Clinic) -> None:
    shutil.rmtree(clinic.home / "var")
    (clinic.home / "var").symlink_to("/nonexistent/var")


def event_that_apclient_kept(clinic: Clinic) -> None:
    argv = ["--gateway", f"http://127.0.0.1:{free_port()}", "--map-data", "applications|sample-plan", "a"]
    done = run(command("apclient"), "--home", clinic.home, *argv)
    assert done.returncode == 0, done.stderr


def event_that_was_put_aside(clinic: Clinic) -> None:
    clinic.write("var/apclient/refused/01795212994676544784-5433-36124136.parcel", b"APCLIENT 1")


def admin_gateway_without_a_key(clinic: Clinic) -> None:
    (clinic.home / "conf" / "admin.keystore").unlink()


def admin_gateway_on_the_senders_port(clinic: Clinic) -> None:
    text = clinic.config.read_text(encoding="utf-8")
    clinic.config.write_text(re.sub(r'(<admin-gateway [^>]*port=)"\d+"', rf'\1"{clinic.port}"', text), encoding="utf-8")


def admin_gateway_of_another_machine(clinic: Clinic) -> None:
    clinic.edit('<admin-gateway host="127.0.0.1"', '<admin-gateway host="192.0.2.77"')


# Secrets


def token_in_a_header(clinic: Clinic) -> None:
    clinic.destination(
        f"http://127.0.0.1:{far_end(clinic, b'HTTP/1.1 200 OK' + CRLF + CRLF)}/in",
        '<header name="Authorization">Bearer c2VjcmV0</header>',
    )


def password_of_a_sender(clinic: Clinic) -> None:
    clinic.gateway(authenticate="true", user="EMSAdmin", password="secret")


def password_file_of_the_original(clinic: Clinic) -> None:
    clinic.write("conf/old.pw", b"q2Fz5Dbt0vYyxW1PSM0e0w==")
    clinic.destination("http://127.0.0.1:1/", "<basic><user>a</user><password-file>old.pw</password-file></basic>")


def sealed_file_without_its_key(clinic: Clinic) -> None:
    sealed = passwordfile.seal("secret", bytes(range(passwordfile.KEY_BYTES)))
    clinic.write("conf/sealed.pw", sealed)
    clinic.destination("http://127.0.0.1:1/", "<basic><user>a</user><password-file>sealed.pw</password-file></basic>")


FAULTS: tuple[tuple[Callable[[Clinic], None], str], ...] = (
    (broken_xml, "config-fault"),
    (unknown_element, "config-warning"),
    (broken_script, "script-broken"),
    (damaged_suspensions, "held-back-unreadable"),
    (readable_configuration, "home-exposed"),
    (passphrase_in_the_configuration, "not-for-production"),
    (plain_to_the_outside, "plain-outside"),
    (open_to_everybody, "open-to-all"),
    (service_that_nobody_lists, "services-not-listed"),
    (full_disk, "disk-full"),
    (nearly_full_disk, "disk-low"),
    (spool_without_reserve, "no-reserve"),
    (clock_that_went_back, "clock-behind"),
    (quarantine, "quarantine"),
    (damaged_page, "spool-damaged"),
    (dead_letter, "dead-letters"),
    (long_wait, "waits-long"),
    (request_for_nobody, "destination-gone"),
    (nearly_full_backlog, "backlog-nearly-full"),
    (wrong_password, "tls-wrong-password"),
    (no_keystore_at_all, "tls-not-this-format"),
    (empty_keystore, "tls-no-private-key"),
    (several_keys, "tls-several-identities"),
    (alias_that_is_not_there, "tls-no-such-alias"),
    (expired, "key-expired"),
    (expires_soon, "key-expires-soon"),
    (not_yet_valid, "key-not-yet-valid"),
    (wrong_names, "host-not-covered"),
    (weak_key, "tls-not-served"),
    (missing_intermediate, "key-chain-incomplete"),
    (self_signed, "key-self-signed"),
    (foreign_key, "tls-key-does-not-match"),
    (wrong_passphrase, "tls-key-locked"),
    (another_key_expired, "key-expired"),
    (trust_that_runs_out, "trust-expiring"),
    (address_of_another_machine, "address-not-here"),
    (host_that_is_no_name, "no-such-host"),
    (destination_without_address, "destination-name"),
    (destination_that_refuses, "destination-tcp"),
    (proxy_that_refuses, "destination-proxy"),
    (destination_that_speaks_no_tls, "destination-tls"),
    (destination_that_speaks_no_http, "destination-http"),
    (destination_that_lets_nobody_in, "destination-credentials"),
    (proxy_that_does_not_go_there, "destination-tunnel"),
    (log_folder_that_is_a_file, "not-a-folder"),
    (outbox_that_is_a_file, "not-a-folder"),
    (disk_that_is_not_mounted, "link-to-nothing"),
    (event_that_apclient_kept, "parcels-kept"),
    (event_that_was_put_aside, "parcels-refused"),
    (admin_gateway_without_a_key, "admin-no-key"),
    (admin_gateway_on_the_senders_port, "admin-address"),
    (admin_gateway_of_another_machine, "admin-address"),
    (token_in_a_header, "clear-secret"),
    (password_of_a_sender, "config-warning"),
    (password_file_of_the_original, "config-fault"),
    (sealed_file_without_its_key, "config-fault"),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts")
def test_a_folder_that_the_account_cannot_write_to(clinic: Clinic) -> None:
    """As after a start as root, which left its log behind."""
    log_folder_of_nobody(clinic)
    assert ["not-writable"] == [one["code"] for one in clinic.news()]


def test_a_port_that_another_program_has(clinic: Clinic) -> None:
    """Named with its owner."""
    with socket.create_server(("127.0.0.1", clinic.port)):
        found = clinic.news()
    assert ["port-taken"] == [one["code"] for one in found]
    assert "python" in found[0]["what"]


def test_a_large_spool_is_not_read_but_a_doubt_is_told(clinic: Clinic) -> None:
    """What the agent has found out need not be found again."""
    doubted_spool(clinic)
    assert ["spool-damaged", "spool-not-read"] == [one["code"] for one in clinic.news()]


@pytest.mark.parametrize(("make", "code"), FAULTS, ids=[make.__name__ for make, _ in FAULTS])
def test_the_doctor_finds_it(clinic: Clinic, make: Callable[[Clinic], None], code: str) -> None:
    """That fault, once, and nothing else; with a sentence, how it is known, and a remedy."""
    make(clinic)
    found = clinic.news()
    assert [code] == [one["code"] for one in found], found
    assert all(found[0][field] for field in ("what", "known")), found
    assert found[0]["remedy"] or ": " in found[0]["what"]
    assert {"fault": 2, "warning": 1, "note": 1}[found[0]["severity"]] == clinic.status
