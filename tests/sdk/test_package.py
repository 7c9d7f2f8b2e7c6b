"""agent.sdk: what its import costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("asyncio", "ssl", "twisted", "urllib.request", "agent.config", "agent.sdk.soap")


@pytest.mark.parametrize("module", ["agent.sdk", "agent.host.worker"])
def test_workers_start_without_what_they_do_not_need(module: str) -> None:
    """A worker is started for each service, and again after each crash; SOAP is imported by those who name it."""
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert "" == done.stdout.strip()


def test_soap_is_there_for_those_who_name_it() -> None:
    """By either spelling of the import."""
    code = "from agent.sdk import soap; import agent.sdk as sdk; print(sdk.soap.V11 == soap.V11, 'soap' in sdk.__all__)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert "True True" == done.stdout.strip()
