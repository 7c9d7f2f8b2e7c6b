"""The admin gateway of a real agent: iadmin, openssl and curl from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from keystoretools import open_keystore, write_pem
from tests.support.live import LiveHome, command, run, until


def port_of(agent: LiveHome) -> int:
    port: int = agent.iadmin_json("status")["admin_gateway"]["port"]
    return port


def iadmin(*words: object) -> subprocess.CompletedProcess[bytes]:
    return run(command("iadmin"), *words)


def write_both(keystore: Path, pem: Path) -> Path:
    """Key and certificate of apia, as openssl and curl take them."""
    found = open_keystore(keystore.read_bytes(), "alarmpoint")
    entry = found.private_keys[0]
    key = found.unlock("apia")
    pem.write_bytes(write_pem([key, entry.chain[0]]))
    return pem


def test_two_homes_administer_themselves_and_not_one_another(agent: LiveHome, tmp_path: Path) -> None:
    """A copy of the keystore is all it takes; another home's keystore gets nowhere, and both sides say why."""
    address = f"127.0.0.1:{port_of(agent)}"
    copy = tmp_path / "copy.p12"
    shutil.copy(agent.folder / "conf" / ".keystore", copy)
    shown = iadmin("--connect", address, "--keystore", copy, "--json", "status")
    assert (0, b"") == (shown.returncode, shown.stderr)
    assert str(agent.folder) == json.loads(shown.stdout)["home"]

    stranger = LiveHome(tmp_path / "stranger")
    refused = iadmin("--home", stranger.folder, "--connect", address, "status")
    assert (77, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert b"has another key" in refused.stderr
    until("the agent to say so", lambda: "127.0.0.1 was turned away: it refused our key" in agent.log)

    paused = iadmin("--connect", address, "--keystore", copy, "destination", "pause", "outbox")
    assert 0 == paused.returncode, paused.stderr
    until("the order to be in the log", lambda: "destinations/outbox/pause asked for by 127.0.0.1" in agent.log)

    stopped = iadmin("--connect", address, "--keystore", copy, "stop")
    assert 0 == stopped.returncode, stopped.stderr
    assert agent.process is not None
    assert 0 == agent.process.wait(20)
    gone = iadmin("--connect", address, "--keystore", copy, "status")
    assert 69 == gone.returncode
    assert b"nothing listens" in gone.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_and_curl_meet_tls_13_and_the_key(agent: LiveHome, tmp_path: Path) -> None:
    """With the key they are let in; without, with another, over TLS 1.2 or in the clear they are not."""
    port = port_of(agent)
    both = write_both(agent.folder / "conf" / ".keystore", tmp_path / "both.pem")
    seen = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cert", both, "-key", both, stdin=b"Q\n")
    assert b"TLSv1.3" in seen.stdout
    assert b"CN = apia" in seen.stdout

    url = f"https://127.0.0.1:{port}/v1/status"
    good = run("curl", "-sS", "-k", "--cert", both, url)
    assert "running" == json.loads(good.stdout)["state"]
    stranger = LiveHome(tmp_path / "stranger")
    other = write_both(stranger.folder / "conf" / ".keystore", tmp_path / "other.pem")
    for words in (("-k",), ("-k", "--cert", other), ("-k", "--cert", both, "--tls-max", "1.2")):
        bad = run("curl", "-sS", *words, url)
        assert (True, b"") == (bad.returncode != 0, bad.stdout), words
    plain = run("curl", "-sS", f"http://127.0.0.1:{port}/v1/status")
    assert "tls-required" == json.loads(plain.stdout)["code"]
    for sentence in ("showed no certificate", "showed another key", "offers no TLS 1.3", "does not speak TLS"):
        until(f"the log to say: {sentence}", lambda sentence=sentence: sentence in agent.log)


def test_a_keystore_without_the_key_keeps_no_event_out(home: LiveHome) -> None:
    """The agent starts, takes events, and the status says what is missing and what makes it."""
    (home.folder / "conf" / ".keystore").unlink()
    home.start()
    home.accept("<event/>")
    warnings = home.iadmin_json("status")["warnings"]
    assert any("the admin gateway is not open" in warning and "keystore create apia" in warning for warning in warnings)


def test_an_address_of_another_machine_is_refused_by_a_reload(agent: LiveHome) -> None:
    """The remedy is about the address, and the gateway stays open where it was."""
    port = port_of(agent)
    agent.edit('<admin-gateway host="127.0.0.1"', '<admin-gateway host="192.0.2.77"')
    refused = agent.iadmin("reload")
    assert (1, True) == (refused.returncode, b"an address of this machine as its host" in refused.stderr)
    assert port == port_of(agent)
