"""A home that is made ill on purpose, and what the doctor finds in it that was not there before."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from iadmin.commandline import run_command
from keystoretools import Format, Keystore, Password, PrivateKeyEntry, save_keystore
from tests.keystoretools.authority import Made, make
from tests.support.live import free_port
from tests.support.tls import pem_of

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
PASSWORD = "changeit7"


def machine_name() -> str:
    """What the doctor thinks senders call this machine."""
    return socket.getfqdn().lower()


def issued(common: str = "agent", issuer: Made | None = None, **facts: Any) -> Made:
    """A certificate that is good today, for this machine, unless `facts` say otherwise."""
    good = {"start": YESTERDAY, "days": 200, "names": (machine_name(), socket.gethostname().lower(), "localhost")}
    return make(common, issuer, **(good | facts))


def authority(**facts: Any) -> Made:
    return make("Company Root", authority=True, **({"start": YESTERDAY, "days": 3650} | facts))


class Clinic:
    """A fresh home, and the doctor."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.port = free_port()
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_command(["init", str(self.home)]) == 0
        self.config = self.home / "conf" / "iaconfig.xml"
        self.edit('port="8081"', f'port="{self.port}"')
        # Its key has a file of its own, because many keystores for senders are tried here.
        (self.home / "conf" / "admin.keystore").write_bytes((self.home / "conf" / ".keystore").read_bytes())
        (self.home / "conf" / "admin.keystore").chmod(0o600)
        self.edit(
            '<admin-gateway host="127.0.0.1" port="8082"/>',
            f'<admin-gateway host="127.0.0.1" port="{free_port()}" keystore="admin.keystore"/>',
        )
        self.before = self.findings()

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in the configuration"
        self.config.write_text(text.replace(old, new, 1), encoding="utf-8")

    def add(self, xml: str) -> None:
        """Something more in the configuration, at its end."""
        self.edit("</iaconfig>", f"{xml}\n</iaconfig>")

    def destination(self, url: str, inside: str = "", **attributes: str) -> None:
        """A second destination beside the outbox."""
        more = "".join(f' {name}="{value}"' for name, value in attributes.items())
        self.edit("</destinations>", f'<destination name="out" url="{url}"{more}>{inside}</destination></destinations>')

    def gateway(self, **attributes: str) -> None:
        """Set attributes of the service gateway."""
        text = self.config.read_text(encoding="utf-8")
        tag = re.search(r"<service-gateway (ssl=[^>]*)>", text)
        assert tag is not None
        found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag[1])) | {
            name.replace("_", "-"): value for name, value in attributes.items()
        }
        written = " ".join(f'{name}="{value}"' for name, value in found.items())
        self.config.write_text(text.replace(tag[0], f"<service-gateway {written}>"), encoding="utf-8")

    def keystore(self, *made: tuple[str, Made, Sequence[Made]], password: str = PASSWORD) -> Path:
        """A keystore of entries with their issuers, and its password beside it."""
        store = Keystore(format=Format.PKCS12, password=Password(password))
        for alias, own, issuers in made:
            store = store.add(
                PrivateKeyEntry(
                    alias=alias, key=own.key, chain=(own.certificate, *(one.certificate for one in issuers))
                )
            )
        path = self.home / "conf" / ".keystore"
        self.write("conf/.keystore", save_keystore(store))
        self.write("conf/keystore.password", password.encode())
        self.gateway(ssl="true", keystore=".keystore", keystore_password_file="keystore.password")
        return path

    def pem(self, own: Made, *issuers: Made) -> None:
        """A PEM file with key and chain, served over TLS."""
        self.write("conf/agent.pem", pem_of(own) + b"".join(pem_of(one, key=False) for one in issuers))
        self.gateway(ssl="true", certificate="agent.pem")

    def write(self, name: str, data: bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def findings(self, *options: str) -> list[dict[str, str]]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            self.status = run_command(["--home", str(self.home), "--json", "doctor", *options])
        found: list[dict[str, str]] = json.loads(out.getvalue())["findings"]
        return found

    def news(self) -> list[dict[str, str]]:
        """What was not found in the healthy home."""
        return [one for one in self.findings() if one not in self.before]
