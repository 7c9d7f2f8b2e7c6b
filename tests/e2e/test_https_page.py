"""What `docs/https.rst` tells people to type works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keystoretools import Format, Keystore, PrivateKeyEntry, save_keystore
from tests.keystoretools.authority import make
from tests.support.live import LiveHome, command, until

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parent.parent.parent / "docs" / "https.rst"


def commands(title: str) -> list[str]:
    """The commands of one section, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^{re.escape(title)}\n-+\n(.*?)(?=^[^\n]+\n-{{5,}}\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(r"^ +\$ (.*)$", section[1], re.MULTILINE)


class Desk:
    """A person with a shell beside a running agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = LiveHome(folder / "home")
        self.home.start()

    def type(self, line: str) -> str:
        """Run a line as it stands on the page, but for the port; it must succeed."""
        done = subprocess.run(
            ["bash", "-c", line.replace("8081", str(self.home.port))],
            cwd=self.folder,
            env={
                "PATH": f"{command('iadmin').parent}{os.pathsep}{os.environ['PATH']}",
                "IA_HOME": "home",
                "HOME": str(self.folder),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.home.close()


def write_pfx(folder: Path) -> None:
    """What a certificate department sends: key, certificate and issuer in a .pfx, and its password."""
    start = datetime.now(UTC) - timedelta(days=1)
    issuer = make("Example Issuing CA", authority=True, start=start, days=1000)
    server = make("localhost", issuer, names=("localhost",), start=start, days=300)
    entry = PrivateKeyEntry(
        alias="new-cert", key=server.key, chain=(server.certificate, issuer.certificate), created_ms=0
    )
    (folder / "filename.pfx").write_bytes(save_keystore(Keystore(format=Format.PKCS12, entries=(entry,)), "geheim"))
    (folder / "pfx-password").write_text("geheim\n")


def test_the_quick_way(desk: Desk) -> None:
    """Three commands, and the event of the third is delivered."""
    on, export, curl = commands("The quick way")[:3]
    before = desk.home.config_file.read_text()
    desk.type(on)
    assert before.replace('ssl="false" host', 'ssl="true" host') == desk.home.config_file.read_text()
    assert "There is no secret in it" in desk.type(export)
    assert "PRIVATE" not in (desk.folder / "agent.pem").read_text()
    assert "requestId" in desk.type(curl)


@pytest.mark.skipif(shutil.which("keytool") is None, reason="there is no Java on this machine")
def test_the_ten_steps(desk: Desk) -> None:
    """As the original recipe, in its order, with a certificate from a .pfx file; each step does what it says."""
    write_pfx(desk.folder)
    steps = commands("The ten steps of the original agent")
    said = {line: desk.type(line) for line in steps}

    def answer(beginning: str) -> str:
        return next(text for line, text in said.items() if line.startswith(beginning))

    assert "new-cert" in answer("iadmin keystore list")
    assert "Example Issuing CA" in answer("iadmin tls on")
    assert "needs-tls" in answer("curl -d")
    assert "Unrecognized SSL message, plaintext connection? 127.0.0.1" in answer("iadmin tls strangers")
    assert "Unrecognized SSL message, plaintext connection? 127.0.0.1" in desk.home.log
    assert "requestId" in answer("curl --fail")
    assert "accepted by senders with the trust store truststore.jks" in answer("iadmin tls check")


def test_connections_that_are_open_survive_the_switch(desk: Desk) -> None:
    """A request that was begun before is answered in the clear after; the next connection has to be TLS."""
    body = b"<event><properties><city>Victoria</city></properties></event>"
    with socket.create_connection(("127.0.0.1", desk.home.port), timeout=20) as sender:
        head = f"POST /http/applications_sample-plan HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        sender.sendall(head.encode() + body[:10])
        desk.type("iadmin tls on")
        sender.sendall(body[10:])
        assert sender.recv(4096).startswith(b"HTTP/1.1 202 ")
    status, _, answer = desk.home.curl("-d", "<event/>", f"{desk.home.url}/http/applications_sample-plan")
    assert (400, "HTTPS needed") == (status, json.loads(answer)["title"])
    desk.type("iadmin tls off")
    desk.home.accept(body)


def test_a_keystore_that_cannot_be_served_changes_nothing(desk: Desk) -> None:
    """The sentence names the file; configuration and port are as before, and so after a reload."""
    before = desk.home.config_file.read_bytes()
    keystore = desk.home.folder / "conf" / ".keystore"
    keystore.write_bytes(b"no keystore at all")
    done = desk.home.iadmin("tls", "on")
    assert done.returncode != 0
    assert str(keystore) in done.stderr.decode() or ".keystore" in done.stderr.decode()
    assert before == desk.home.config_file.read_bytes()
    desk.home.edit(r'ssl="false"', 'ssl="true"')
    done = desk.home.iadmin("reload")
    assert done.returncode == 1, done.stderr.decode()
    assert ".keystore" in done.stderr.decode()
    desk.home.accept("<event><properties><city>Victoria</city></properties></event>")


def test_strangers_survive_a_restart(desk: Desk) -> None:
    """What happened before is on the page after, and while the agent is down."""
    desk.type("iadmin tls on")
    desk.home.curl("-d", "<event/>", f"{desk.home.url}/http/applications_sample-plan")
    until("the stranger", lambda: desk.home.iadmin_json("tls", "strangers")["strangers"])
    assert desk.home.stop() == 0
    assert ["plaintext"] == [one["cause"] for one in desk.home.iadmin_json("tls", "strangers")["strangers"]]
    desk.home.start()
    assert 1 == desk.home.iadmin_json("tls", "strangers", "--cause", "plaintext")["strangers"][0]["count"]
