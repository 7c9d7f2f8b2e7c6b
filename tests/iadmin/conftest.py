"""A world for iadmin in each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.iadmin.fakes import World, make_home


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> World:
    """A running agent on `./home`."""
    make_home(tmp_path / "home")
    return World(cwd=tmp_path, capsys=capsys)
