"""Our agent in a home of its own, with everything on that a site would have on: senders are authenticated, the limits,
time-outs, counters and the log are those of a new home.
"""

from __future__ import annotations

import compileall
import importlib.util
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from bench.procs import Program, free_port

KEEPS: Final = """
import time

def on_event(event):
    time.sleep(86400)
"""
"""A service that never finishes its first event: what is taken in stays, and accepting is all that the agent does."""

SENDS: Final = '<destination name="sink" url="http://127.0.0.1:{port}/sink"><concurrency>4</concurrency></destination>'


@attrs.frozen(kw_only=True)
class Certificate:
    """A P-256 key and its self-signed certificate, for all that speak TLS."""

    certificate: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Make one with openssl."""
    made = Certificate(certificate=folder / "bench.pem", key=folder / "bench.key")
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    argv += f" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {made.key} -out {made.certificate}"
    subprocess.run(argv.split(), check=True, capture_output=True)
    made.key.chmod(0o600)
    return made


def command(name: str) -> Path:
    """One of our commands, beside the running Python."""
    return Path(sys.executable).with_name(name)


def compile_ours() -> None:
    """As pip does at an installation: a source tree on which Python may write nothing is compiled at each start."""
    for package in ("agent", "apclient", "keystoretools"):
        found = importlib.util.find_spec(package)
        if found is None or not compileall.compile_dir(Path(str(found.origin)).parent, quiet=1):
            raise RuntimeError(f"{package} cannot be compiled")


class Home:
    """An agent home for measuring. `sink_port`: services are the shipped sample-plan, and send there; None: they keep
    what they get. `services` is how many of them there are."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "integration-agent",
        certificate: Certificate | None = None,
        sink_port: int | None = None,
        services: int = 1,
    ) -> None:
        self.name: Final = name
        self.folder: Final = folder
        self.port: Final = free_port()
        _run(command("iadmin"), "init", folder)
        printed = _run(
            command("iadmin"), "--home", folder, "secret", "token", "bench", "--add", folder / "conf" / ".senders"
        )
        self.authorization: Final = "Bearer " + printed.split()[1]
        if certificate is not None:
            files = f'certificate="{certificate.certificate}" private-key="{certificate.key}"'
            self._edit('ssl="false"', f'ssl="true" {files}')
        self._edit('port="8081"', f'port="{self.port}"')
        self._edit("</limits>", '</limits><authentication><senders file=".senders"/></authentication>')
        # More is sent in a minute than waits anywhere in a day.
        # All senders of a benchmark come from one address.
        self._edit("<max-connections-per-peer>1024<", "<max-connections-per-peer>4096<")
        self._edit("<max-events>1000000<", "<max-events>0<")
        self._edit("<max-service-events>250000<", "<max-service-events>0<")
        if sink_port is not None:
            self._edit("</destinations>", SENDS.format(port=sink_port) + "</destinations>")
        for number in range(services):
            self._add_service("bench" if number == 0 else f"bench{number}", sends=sink_port is not None)
        self._edit("<path>sample-plan/sample-plan.xml</path>", "")

    def program(self) -> Program:
        """The agent on this home, to be started."""
        argv = (command("integration-agent"), "--home", self.folder)
        return Program(self.name, argv, port=self.port, folder=self.folder, with_children=False)

    def is_ready(self) -> bool:
        """Whether the agent has come up: its port is open before its store is."""
        return self.times_ready() > 0

    def times_ready(self) -> int:
        """How often an agent has come up on this home."""
        log = self.folder / "var" / "log" / "agent.log"
        return log.read_text(encoding="utf-8").count("listening for events") if log.exists() else 0

    def stored(self) -> int:
        """Events in the spool."""
        return self._ask("SELECT count(*) FROM event")

    def delivered(self) -> int:
        """Requests that are at their end; with the shipped service each event has one."""
        return self._ask("SELECT count(*) FROM request WHERE state = 3")  # `agent.delivery.State.DONE`

    def _ask(self, question: str) -> int:
        path = self.folder / "var" / "spool" / "spool.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return int(connection.execute(question).fetchone()[0])

    def _add_service(self, name: str, *, sends: bool) -> None:
        folder = self.folder / "services" / name
        folder.mkdir()
        sample = self.folder / "services" / "sample-plan"
        code = (sample / "sample_plan.py").read_text(encoding="utf-8") if sends else KEEPS
        (folder / "code.py").write_text(code, encoding="utf-8")
        (folder / "service.xml").write_text(
            '<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema">'
            f"<domain>applications</domain><name>{name}</name><initial-state>active</initial-state>"
            '<script lang="python"><file>code.py</file></script>'
            f"<destination>{'sink' if sends else 'outbox'}</destination><hook-timeout>86400</hook-timeout>"
            "</integration-service>",
            encoding="utf-8",
        )
        self._edit("</service-configs>", f"<path>{name}/service.xml</path></service-configs>")

    def _edit(self, old: str, new: str) -> None:
        path = self.folder / "conf" / "iaconfig.xml"
        text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        if old not in text:
            raise RuntimeError(f"{path} has no {old!r}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _run(*argv: object) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} {argv[1:]}: {done.stderr}")
    return done.stdout
