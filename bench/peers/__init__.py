"""The programs that the agent is held against. Each does less than it: what is said about the work they leave out
stands in `docs/performance.rst`. Where one is not installed its rows are left out by name.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from bench.home import Certificate
from bench.procs import Program, free_port

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
INSTALLED: Final = Path(os.environ.get("BENCH_FOLDER", ROOT / ".bench"))
"""Where `make bench` installs them."""


class Missing(Exception):
    """A program that is not installed."""


def nginx(folder: Path, certificate: Certificate | None = None, *, name: str = "nginx") -> Program:
    """nginx with one worker process, answering 202 by itself."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise Missing("nginx")
    folder.mkdir()
    port = free_port()
    tls = ""
    if certificate is not None:
        tls = f"ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};"
        tls += " ssl_protocols TLSv1.2 TLSv1.3;"
    text = (HERE / "nginx.conf").read_text(encoding="utf-8")
    text = text.format(folder=folder, port=port, listen="ssl" if certificate else "", tls=tls)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    argv = (found, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf")
    return Program(name, argv, port=port, folder=folder, with_children=True)


def node_red(folder: Path) -> Program:
    """Node-RED with three nodes: HTTP in, set the answer, HTTP out. No XML, no disk."""
    script, node = INSTALLED / "node" / "node_modules" / "node-red" / "red.js", shutil.which("node")
    if node is None or not script.exists():
        raise Missing("Node-RED")
    folder.mkdir()
    port = free_port()
    shutil.copy(HERE / "node_red.json", folder / "flows.json")
    argv = (node, script, "-s", HERE / "node_red_settings.js", "-u", folder, "-p", port, folder / "flows.json")
    return Program("Node-RED", argv, port=port, folder=folder, with_children=False)


def uvicorn(folder: Path, certificate: Certificate | None = None) -> Program:
    """uvicorn with httptools and uvloop, answering 202. No XML, no disk, no log."""
    found = INSTALLED / "venv" / "bin" / "uvicorn"
    if not found.exists():
        raise Missing("uvicorn")
    folder.mkdir()
    port = free_port()
    # Not as bench.peers.uvicorn_202: what the package needs is not installed beside uvicorn.
    argv = [found, "uvicorn_202:app", "--app-dir", HERE, "--loop", "uvloop", "--http", "httptools"]
    argv += ["--lifespan", "off", "--no-access-log", "--log-level", "error", "--port", str(port)]
    if certificate is not None:
        argv += ["--ssl-certfile", certificate.certificate, "--ssl-keyfile", certificate.key]
    return Program("uvicorn", argv, port=port, folder=folder, with_children=False)


def twisted_web(folder: Path) -> Program:
    """The same service with twisted.web, lxml and our own store."""
    folder.mkdir()
    port = free_port()
    argv = (sys.executable, HERE / "twisted_sqlite.py", port, folder)
    return Program("twisted.web + SQLite", argv, port=port, folder=folder, with_children=False)
