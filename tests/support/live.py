"""The real program, started on free loopback ports for the end-to-end tests."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agent.control.lock import running_pid

START_PATIENCE_S = 30.0
"""A loaded two-core machine needs a few seconds to start the agent and its workers."""

LOG_PAUSE_S = 0.3
"""Longer than `agent.observe.scribe.PAUSE_S`."""

_Found = TypeVar("_Found")


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: str, look: Callable[[], _Found | None], patience_s: float = START_PATIENCE_S) -> _Found:
    """Look again and again until `look` finds something; fail with `what` when patience ends."""
    end = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s:g} s in vain for {what}")
        time.sleep(0.02)


def run(*argv: object, stdin: bytes | None = None, patience_s: float = 60.0) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run(
        [str(word) for word in argv], input=stdin, capture_output=True, timeout=patience_s, check=False
    )


def command(name: str) -> Path:
    """One of our installed commands, beside the running Python."""
    return Path(sys.executable).with_name(name)


class LiveHome:
    """An agent home made by `iadmin init`, and the agent that is started on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.console = folder.with_name(folder.name + ".console")
        made = run(command("iadmin"), "init", folder)
        assert made.returncode == 0, made.stderr.decode()
        self.edit(
            r'<service-gateway ssl="false" host="127.0.0.1" port="8081"',
            f'<service-gateway ssl="false" host="127.0.0.1" port="{self.port}"',
        )
        self.edit(r'<admin-gateway host="127.0.0.1" port="8082"', '<admin-gateway host="127.0.0.1" port="0"')

    @property
    def config_file(self) -> Path:
        return self.folder / "conf" / "iaconfig.xml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def outbox(self) -> list[dict[str, Any]]:
        """What has been delivered so far."""
        path = self.folder / "var" / "outbox" / "outbox.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @property
    def log(self) -> str:
        """What stands in the log; lines wait up to 0.2 s for others that are written with them."""
        time.sleep(LOG_PAUSE_S)
        path = self.folder / "var" / "log" / "agent.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def edit(self, pattern: str, replacement: str) -> None:
        """Replace the first match in the configuration file; it must be there."""
        text = self.config_file.read_text(encoding="utf-8")
        changed, times = re.subn(pattern, lambda _: replacement, text, count=1)
        assert times == 1, f"{pattern!r} is not in {self.config_file}"
        self.config_file.write_text(changed, encoding="utf-8")

    def add_service(self, name: str, code: str, *, extra: str = "", destination: str = "outbox") -> None:
        """Write a service `applications|name` with this Python code and list it in the configuration."""
        folder = self.folder / "services" / name
        folder.mkdir()
        script = name.replace("-", "_") + ".py"
        (folder / script).write_text(code, encoding="utf-8")
        (folder / f"{name}.xml").write_text(
            '<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema">'
            f"<domain>applications</domain><name>{name}</name><initial-state>active</initial-state>{extra}"
            f'<script lang="python"><file>{script}</file></script><classpath/><destination>{destination}</destination>'
            "</integration-service>",
            encoding="utf-8",
        )
        self.edit(r"</service-configs>", f"<path>{name}/{name}.xml</path></service-configs>")

    def start(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start the agent; with `wait`, return when it listens and its workers are up."""
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                [str(command("integration-agent")), "--home", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            until("the agent to come up", self._is_up)
        return self.process

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.console.read_text()}")
        return self.iadmin("status").returncode == 0

    def iadmin(self, *argv: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return run(command("iadmin"), "--home", self.folder, *argv, stdin=stdin)

    def iadmin_json(self, *argv: object) -> Any:
        done = self.iadmin("--json", *argv)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def curl(self, *argv: object, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Real curl; returns HTTP status, head and body of the last answer."""
        done = run("curl", "-sS", "-i", "--max-time", "30", *argv, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        text = done.stdout.decode("utf-8", "replace")
        head, _, body = text.partition("\r\n\r\n")
        while head.split(" ")[1] == "100":
            head, _, body = body.partition("\r\n\r\n")
        return int(head.split(" ")[1]), head, body

    def post(self, body: bytes | str, service: str = "applications_sample-plan", *argv: object) -> tuple[int, str, str]:
        data = body.encode() if isinstance(body, str) else body
        return self.curl(*argv, "--data-binary", "@-", f"{self.url}/http/{service}", stdin=data)

    def accept(self, body: bytes | str, service: str = "applications_sample-plan", *argv: object) -> str:
        """Post an event that must be accepted, with these options of curl; returns its id."""
        status, _, answer = self.post(body, service, *argv)
        assert status == 202, answer
        request_id: str = json.loads(answer)["requestId"]
        return request_id

    def event(self, event_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.iadmin_json("event", "show", event_id)
        return found

    def settled(self, event_id: str) -> dict[str, Any]:
        """The event, once it and everything it produced has come to an end."""

        def look() -> dict[str, Any] | None:
            event = self.event(event_id)
            states = [event["state"], *(request["state"] for request in event["requests"])]
            return event if all(state in {"done", "dead", "suppressed"} for state in states) else None

        return until(f"event {event_id} to be settled", look)

    def kill(self) -> None:
        """The power is cut, as far as the agent can tell: SIGKILL."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Ask politely; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def close(self) -> None:
        """End whatever is left, workers included."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        # One that iadmin has started in the background is nobody's child here.
        if pid := running_pid(self.folder / "var" / "run" / "agent.pid"):
            os.kill(pid, signal.SIGKILL)


def lines(text: bytes | str) -> Sequence[str]:
    return (text.decode() if isinstance(text, bytes) else text).splitlines()
