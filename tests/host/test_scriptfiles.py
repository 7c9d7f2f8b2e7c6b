"""Whether the files of a service have changed."""

from __future__ import annotations

from pathlib import Path, PurePath

from agent.config.model import ServiceConfig
from agent.host.scriptfiles import stamps_of
from agent.names import ServiceName


def test_code_counts_and_data_does_not(tmp_path: Path) -> None:
    """The script, the descriptor, and modules beside and below; not what the service may write itself."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "__pycache__").mkdir()
    for name in ("x.py", "x.xml", "lib/helper.py", "data.txt", "__pycache__/x.py"):
        (tmp_path / name).write_text("1")
    config = ServiceConfig(
        name=ServiceName(domain="a", name="x"),
        descriptor=PurePath(tmp_path / "x.xml"),
        script=PurePath(tmp_path / "x.py"),
    )
    before = stamps_of(config)
    assert 3 == len(before)
    for name in ("data.txt", "__pycache__/x.py"):
        (tmp_path / name).write_text("other")
    assert before == stamps_of(config)
    for name in ("x.py", "x.xml", "lib/helper.py"):
        (tmp_path / name).write_text(name)
        assert before != stamps_of(config)
        before = stamps_of(config)
    (tmp_path / "x.py").unlink()
    assert 2 == len(stamps_of(config))
