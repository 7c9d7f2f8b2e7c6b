"""Who holds a port."""

import os
import socket
from pathlib import Path

import pytest

from agent.gateway.portowner import PROC, find_owner

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F92 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4343 1 0 100 0 0 10 0
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE)
    for pid, inode in ((17, 1), (4711, 4242)):
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (folder / "comm").write_text("ja\x1bva\n")
    return tmp_path


def test_names_the_listening_process(proc: Path) -> None:
    """Number and name of the process, the name made harmless."""
    assert "process 4711 (ja?va)" == find_owner(0x1F91, proc=proc)


def test_shows_the_command_line(proc: Path) -> None:
    """Short, printable, and without what looks like a password: `java` alone would name half the machine."""
    line = ["/usr/bin/java", "-Xmx1g", "-jar", "/opt/a.jar", "--password", "hunter2", "x\x1b" * 50, ""]
    (proc / "4711" / "cmdline").write_bytes("\0".join(line).encode())
    expected = "/usr/bin/java -Xmx1g -jar /opt/a.jar --password *** x?x?x?x?x?x?x?x?x?x?x?x?x..."
    assert f"process 4711 ({expected})" == find_owner(0x1F91, proc=proc)
    assert 80 == len(expected)


@pytest.mark.parametrize(
    ("line", "environment", "home"),
    [
        (b"/v/bin/python\0/v/bin/integration-agent\0--home\0/srv/ia\0", b"", " of /srv/ia"),
        (b"integration-agent\0--home=/srv/ia\0", b"", " of /srv/ia"),
        (b"/v/bin/integration-agent\0", b"A=b\0IA_HOME=/srv/ia\0", " of /srv/ia"),
        (b"/v/bin/integration-agent\0", b"", ""),
    ],
)
def test_another_agent_is_named_by_its_home(proc: Path, line: bytes, environment: bytes, home: str) -> None:
    """Two agents with one port: what tells them apart is their home."""
    (proc / "4711" / "cmdline").write_bytes(line)
    (proc / "4711" / "environ").write_bytes(environment)
    assert f"the integration agent{home} (process 4711)" == find_owner(0x1F91, proc=proc)


def test_says_nothing_where_nothing_is_known(proc: Path, tmp_path: Path) -> None:
    """Ports that are only connected to, unknown ports, and systems without /proc."""
    assert "" == find_owner(0x1F92, proc=proc)
    assert "" == find_owner(1, proc=proc)
    assert "" == find_owner(1, proc=tmp_path / "none")


@pytest.mark.skipif(not (PROC / "net" / "tcp").exists(), reason="this system has no /proc/net/tcp")
def test_finds_ourselves() -> None:
    """On a real Linux the test's own listener is found."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert find_owner(listener.getsockname()[1]).startswith(f"process {os.getpid()} (")
