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
