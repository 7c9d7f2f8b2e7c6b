"""What is loaded before the gateways listen, and what is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEHIND = (
    "OpenSSL", "cryptography", "service_identity", "rich", "click", "zipfile", "http.client", "email.utils",
    "asyncio", "ssl", "subprocess", "concurrent.futures", "ctypes", "shutil",
    "twisted.web", "twisted.protocols.tls", "twisted.internet.ssl", "twisted.internet.endpoints",
    "keystoretools", "agent.control.admin", "agent.control.gateway", "agent.host.host", "agent.upstream.courier",
    "agent.view", "agent.reload", "agent.sdk", "agent.backrooms", "agent.spool.quarantine",
)  # fmt: skip
"""What a sender never meets: together as long as all the rest."""


def loaded(code: str) -> set[str]:
    """The modules that a new Python has after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_gateways_listen_before_the_rest_is_loaded() -> None:
    """Nothing of what is behind the gateways is imported with the agent, but when it is furnished."""
    found = loaded("import agent.main, agent.turning, agent.running")
    assert [] == [name for name in BEHIND if name in found]
    assert "agent.spool.spool" in found
    behind = loaded("import agent.running, agent.backrooms")
    assert {"OpenSSL", "agent.control.admin", "agent.host.host", "agent.upstream.courier"} <= behind


def test_the_command_line_alone_loads_neither() -> None:
    """`--help`, `--version` and a home that is none are answered at once."""
    found = loaded("import agent.main\nagent.main._parse(['--home', '.'])")
    assert [] == [name for name in ("twisted", "lxml", "attr", "agent.running", "shutil") if name in found]


def test_twisted_can_speak_tls_all_the_same() -> None:
    """What is kept from Twisted is kept only while its reactor is imported."""
    found = loaded(
        "import agent.turning\nassert 'OpenSSL' not in sys.modules\nimport twisted.internet.ssl, twisted.protocols.tls"
    )
    assert {"OpenSSL.SSL", "twisted.internet.ssl"} <= found


def test_asyncio_is_kept_from_twisted_only() -> None:
    """Whoever imports it afterwards gets Python's own, and Twisted takes coroutines without it, and nothing else."""
    loaded(
        """
import agent.turning
assert 'asyncio' not in sys.modules
from twisted.internet.defer import Deferred, NotACoroutineError, succeed
async def ask():
    return await succeed('answer')
told = []
Deferred.fromCoroutine(ask()).addCallback(told.append)
assert ['answer'] == told
try:
    Deferred.fromCoroutine(ask)
except NotACoroutineError:
    told.append('refused')
assert ['answer', 'refused'] == told
import asyncio
assert 'answer' == asyncio.run(asyncio.sleep(0, 'answer'))
"""
    )
