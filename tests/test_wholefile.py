"""agent.wholefile: the old content or the new one, for its owner only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.wholefile import write_whole


def test_it_is_written_for_its_owner_only(tmp_path: Path) -> None:
    """Its folder, too, where that is made."""
    path = tmp_path / "var" / "book.json"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert b"second" == path.read_bytes()
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
    assert [path] == list(path.parent.iterdir())


def test_the_old_content_stays_when_the_new_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is left beside it."""
    path = tmp_path / "book.json"
    write_whole(path, b"first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"second")
    assert (b"first", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))
