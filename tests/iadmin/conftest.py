"""A world for iadmin in each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.iadmin.fakes import World, make_home
from tests.iadmin.keystores import Site, apia, entry


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> World:
    """A running agent on `./home`."""
    make_home(tmp_path / "home")
    return World(cwd=tmp_path, capsys=capsys)


@pytest.fixture
def site(world: World) -> Site:
    """A home with a stock keystore: JKS, the default password, the entry `apia`."""
    found = Site(world)
    found.put(entry("apia", apia()))
    return found
