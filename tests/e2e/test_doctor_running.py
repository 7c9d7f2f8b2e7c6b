"""Faults of a running agent and of those around it, each made for real: the doctor finds exactly that."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.e2e.clinic import authority, issued
from tests.support.live import LiveHome, free_port, until
from tests.support.tls import pem_of

EVENT = "<event><properties><city>Victoria</city></properties></event>"


def findings(home: LiveHome, *options: str) -> list[dict[str, str]]:
    done = home.iadmin("--json", "doctor", *options)
    assert done.stdout, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return [one for one in found if one["severity"] != "note"]


def codes(home: LiveHome, *options: str) -> list[str]:
    return [one["code"] for one in findings(home, *options)]


def soon(home: LiveHome, code: str) -> None:
    """It is found, and nothing else, as soon as the agent has noticed."""
    until(f"the doctor to find {code} alone", lambda: codes(home) == [code])


def serve_tls(home: LiveHome) -> None:
    """A good certificate of a company's authority, which curl is given."""
    root = authority()
    own = issued(issuer=root)
    (home.folder / "conf" / "agent.pem").write_bytes(pem_of(own, root))
    (home.folder / "conf" / "agent.pem").chmod(0o600)
    home.folder.with_name("root.pem").write_bytes(root.library.public_bytes(Encoding.PEM))
    home.edit('ssl="false"', 'ssl="true" certificate="agent.pem"')


@pytest.fixture
def tls(home: LiveHome) -> LiveHome:
    serve_tls(home)
    home.start()
    return home


def test_a_healthy_agent(agent: LiveHome) -> None:
    """Nothing is found, and the exit status says so."""
    assert ([], 0) == (codes(agent), agent.iadmin("doctor").returncode)


def test_a_test_event_is_followed(agent: LiveHome) -> None:
    """Each hop with its time, and it has really arrived."""
    found = json.loads(agent.iadmin("--json", "doctor", "--probe", "sample-plan").stdout)
    hops = [one["hop"] for one in found["probe"]["hops"]]
    assert ["hook of applications|sample-plan", "delivered to outbox"] == [hops[3], hops[5]]
    assert [found["probe"]["event"]] == [one["id"].split("/")[0] for one in agent.outbox]


def test_a_test_event_that_fails(home: LiveHome) -> None:
    """The finding has the reason, and the exit status is that of a fault."""
    home.add_service(
        "bad", "from agent.sdk import RejectEvent\n\n\ndef on_event(event):\n    raise RejectEvent('no')\n"
    )
    home.start()
    done = home.iadmin("--json", "doctor", "--probe", "bad")
    assert 2 == done.returncode
    assert "probe-died" in [one["code"] for one in json.loads(done.stdout)["findings"]]


def test_a_service_in_a_crash_loop(home: LiveHome) -> None:
    """With the last line of its stderr."""
    code = "import sys\n\nprint('licence is missing', file=sys.stderr)\nsys.exit(3)\n\n\ndef on_event(event): ...\n"
    home.add_service("loop", code)
    home.start(wait=False)
    until("the agent to answer", lambda: b"loop" in home.iadmin("service", "list").stdout)
    soon(home, "crash-loop")
    assert "licence is missing" in findings(home)[0]["what"]


def test_a_paused_destination(agent: LiveHome) -> None:
    """Somebody may have forgotten it."""
    agent.iadmin("destination", "pause", "outbox")
    assert ["destination-paused"] == codes(agent)


def test_a_destination_that_fails(home: LiveHome) -> None:
    """The way is broken, and the circuit is open once it was tried often enough."""
    home.edit(
        '<destination name="outbox" type="outbox"/>',
        f'<destination name="outbox" url="http://127.0.0.1:{free_port()}/"/>',
    )
    home.start()
    for _ in range(3):
        home.accept(EVENT)
    until("the circuit to open", lambda: "circuit-open" in codes(home))
    assert {"circuit-open", "destination-tcp"} == set(codes(home))


def test_plaintext_on_the_tls_port(tls: LiveHome) -> None:
    """The sender is named, with the remedy."""
    tls.curl("-d", EVENT, f"http://127.0.0.1:{tls.port}/http/applications_sample-plan")
    soon(tls, "stranger-plaintext")
    assert "https://" in findings(tls)[0]["what"]


def test_a_sender_that_does_not_trust(tls: LiveHome) -> None:
    """What to give it is in the finding."""
    subprocess.run(
        ["curl", "-s", "-d", EVENT, f"https://localhost:{tls.port}/http/applications_sample-plan"], check=False
    )
    soon(tls, "stranger-not-trusted")


def test_tls_on_the_plain_port(agent: LiveHome) -> None:
    """The other way round."""
    subprocess.run(["curl", "-sk", "-d", EVENT, f"https://127.0.0.1:{agent.port}/"], check=False)
    soon(agent, "stranger-tls-on-plain-port")


def test_another_protocol(tls: LiveHome) -> None:
    """Here a mail server's client."""
    with socket.create_connection(("127.0.0.1", tls.port)) as peer:
        peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        peer.recv(100)
    soon(tls, "stranger-other-protocol")


def test_a_new_certificate_that_is_not_good(tls: LiveHome) -> None:
    """The agent goes on with the old one; what a start would say comes with it."""
    (tls.folder / "conf" / "agent.pem").write_bytes(b"-----BEGIN nothing")
    until("the agent to refuse it", lambda: "new-key-refused" in codes(tls))
    assert {"new-key-refused", "tls-unrecognized"} >= {code for code in codes(tls) if not code.startswith("tls-")}


def test_a_configuration_that_is_not_in_force(agent: LiveHome) -> None:
    """TLS was switched on in the file, and nobody has said reload."""
    serve_tls(agent)
    assert ["not-in-force", "port-not-as-configured"] == sorted(codes(agent))


def test_an_agent_with_few_descriptors(agent: LiveHome) -> None:
    """Its gateways would take more connections than it may open files."""
    assert agent.process is not None
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    assert ["few-descriptors"] == codes(agent)


def test_a_script_that_is_not_in_force(agent: LiveHome) -> None:
    """It was mended, and nobody has said reload; then it is in force."""
    script = agent.folder / "services" / "sample-plan" / "sample_plan.py"
    os.utime(script, (time.time() + 60, time.time() + 60))
    assert ["code-not-in-force"] == codes(agent)


def test_a_new_admin_key_that_is_not_in_force(agent: LiveHome) -> None:
    """Administrators with the new keystore would be turned away; the remedy mends it."""
    assert agent.iadmin("keystore", "create", "apia", "--replace").returncode == 0
    assert ["admin-other-key"] == codes(agent)
    assert agent.iadmin("reload").returncode == 0
    assert [] == codes(agent)


def test_a_folder_that_is_gone(agent: LiveHome) -> None:
    """Somebody has tidied up."""
    shutil.rmtree(agent.folder / "var" / "apclient")
    assert ["folder-gone"] == codes(agent)
