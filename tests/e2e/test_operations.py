"""`docs/operations.rst`, done for real: under systemd's eyes, backed up while it works, restored, and upgraded."""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import LiveHome, free_port, until

EVENT = "<event><properties><city>Victoria</city></properties></event>"
PAGE = Path(__file__).parent.parent.parent / "docs" / "operations.rst"


class Supervisor:
    """systemd's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(30)

    def hear(self) -> str:
        """The first line of the next message."""
        return self._socket.recv(4096).decode().splitlines()[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    listening = Supervisor(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(listening.path))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield listening
    listening.close()


def test_systemd_is_told(home: LiveHome, supervisor: Supervisor) -> None:
    """Ready when the first event can be sent, alive, stopping; and no worker can speak in the agent's name."""
    home.add_service(
        "spy",
        "import os\nfrom pathlib import Path\n\n\ndef on_event(event):\n"
        "    names = [name for name in os.environ if 'NOTIFY' in name or 'WATCHDOG' in name]\n"
        "    Path('seen').write_text(repr(names))\n",
    )
    process = home.start(wait=False)
    assert "READY=1" == supervisor.hear()
    assert 202 == home.post(EVENT, service="applications_spy")[0]
    assert ["WATCHDOG=1"] * 3 == [supervisor.hear() for _ in range(3)]
    until("the service to have looked", lambda: (home.folder / "seen").exists() and (home.folder / "seen").read_text())
    assert "[]" == (home.folder / "seen").read_text()
    process.send_signal(signal.SIGTERM)
    until("systemd to be told of the stop", lambda: supervisor.hear() == "STOPPING=1")
    assert 0 == process.wait(30)


def test_a_backup_of_a_running_agent_is_a_home(agent: LiveHome, tmp_path: Path) -> None:
    """Every event that was acknowledged before it is in it, and a new agent goes on where the old one was."""
    ids = {agent.accept(EVENT) for _ in range(20)}
    archive, again = tmp_path / "b.tar.gz", tmp_path / "again"
    assert 0 == agent.iadmin("backup", archive).returncode
    agent.stop()
    restored = agent.iadmin("restore", archive, again)
    assert 0 == restored.returncode, restored.stderr
    shutil.rmtree(agent.folder)
    again.rename(agent.folder)
    agent.edit(rf'port="{agent.port}"', f'port="{(port := free_port())}"')
    agent.port = port
    agent.start()
    until(
        "the restored events to be done", lambda: ids <= {one["id"] for one in events(agent) if one["state"] == "done"}
    )
    assert 202 == agent.post(EVENT)[0]


def events(agent: LiveHome) -> list[dict[str, str]]:
    found: list[dict[str, str]] = agent.iadmin_json("event", "list", "--limit", "100")["events"]
    return found


def test_what_waits_is_worked_off_after_an_upgrade(home: LiveHome) -> None:
    """Stopped with a backlog and started again: as the page says, in order."""
    home.add_service(
        "slow",
        "import time\n\nfrom agent.sdk import context\n\n\ndef on_event(event):\n    time.sleep(0.05)\n"
        "    context.send(json={})\n",
    )
    home.start()
    ids = [home.accept(EVENT, "applications_slow") for _ in range(30)]
    assert 0 == home.stop()
    home.start()
    until("the backlog to be worked off", lambda: len({one["id"].split("/")[0] for one in home.outbox}) == len(ids))
    delivered = list(dict.fromkeys(one["id"].split("/")[0] for one in home.outbox))
    assert ids == delivered


def test_every_command_of_the_page_exists(home: LiveHome) -> None:
    """With the options that stand there."""
    text = PAGE.read_text(encoding="utf-8")
    said = {tuple(words.split()) for words in re.findall(r"``iadmin ((?:[a-z-]+ ?)+)``", text)}
    said |= {tuple(words.split()) for words in re.findall(r"iadmin (?:--home \S+ )?([a-z][a-z-]*)", text)}
    unknown = [words for words in sorted(said) if home.iadmin(*words, "--help").returncode]
    assert [] == unknown
