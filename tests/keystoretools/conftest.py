"""Sample stores, the real keytool where there is one, and keys made at run time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent / "samples"


def manifest() -> list[dict[str, Any]]:
    """The description of every sample file."""
    return list(json.loads((SAMPLES / "manifest.json").read_text("utf-8"))["items"])


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of recorded stores."""
    return SAMPLES


@pytest.fixture(scope="session")
def keytool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real keytool with the given arguments and returns what it said."""
    program = shutil.which("keytool")
    if program is None:
        pytest.skip("no keytool here: not compared with the real one")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
        )

    return run
