"""A configuration that exists in memory only: files by path, and one call that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from agent.config.lookup import Found
from agent.config.model import AgentConfig
from agent.config.parse import Parsed, parse_config
from agent.config.problem import ConfigFaults

ROOT = Path(__file__).parents[2]
SCHEMA = (ROOT / "conf" / "iaconfig.rng").read_bytes()
HOME = PurePath("/home-of-agent")
NAMESPACE = "http://www.alarmpoint.com/schema"

DESCRIPTOR = f"""<integration-service version="1.0" xmlns="{NAMESPACE}">
<domain>applications</domain>
<name>pumps</name>
<initial-state>active</initial-state>
<script lang="python"><file>pumps.py</file></script>
</integration-service>
"""


class MemoryFiles:
    """`Files` over a dictionary; a folder exists when a file lies in it."""

    def __init__(self, files: Mapping[str, str | bytes] | None = None, *, readable_by_others: bool = False) -> None:
        given = files or {}
        self.files = {HOME / name: data if isinstance(data, bytes) else data.encode() for name, data in given.items()}
        self.readable_by_others = readable_by_others

    def read(self, path: PurePath, *, max_bytes: int) -> Found:
        if path not in self.files:
            return Found(trouble="does not exist")
        if len(self.files[path]) > max_bytes:
            return Found(trouble=f"is larger than {max_bytes} bytes, the limit for it")
        return Found(data=self.files[path], readable_by_others=self.readable_by_others)

    def trouble(self, path: PurePath) -> str:
        return "" if path in self.files else "does not exist"

    def folder_trouble(self, path: PurePath) -> str:
        return "" if any(path in file.parents for file in self.files) else "does not exist"

    def names(self, folder: PurePath) -> Sequence[str]:
        return sorted({file.relative_to(folder).parts[0] for file in self.files if folder in file.parents})


def parse(data: str | bytes, files: MemoryFiles | None = None, *, name: str = "iaconfig.xml") -> Parsed:
    """Read a configuration that lies in `HOME/conf`."""
    return parse_config(
        source=HOME / "conf" / name,
        data=data if isinstance(data, bytes) else data.encode(),
        home=HOME,
        schema=SCHEMA,
        files=files or MemoryFiles(),
        machine="plant7/192.0.2.10",
    )


def config_of(inner: str, files: MemoryFiles | None = None) -> AgentConfig:
    """Return the configuration of `<iaconfig>` with these sections."""
    return parse(wrapped(inner), files).config


def problems_of(data: str | bytes, files: MemoryFiles | None = None) -> list[str]:
    """Return all problems, warnings too, as the operator reads them."""
    try:
        return [str(problem) for problem in parse(data, files).warnings]
    except ConfigFaults as faults:
        return [str(problem) for problem in faults.problems]


def wrapped(inner: str) -> str:
    """Return sections as a whole file, the first of them in line 1, with a gateway so that nothing warns."""
    return f'<iaconfig xmlns="{NAMESPACE}">{inner}<service-gateway/></iaconfig>'


def wrapped_problems(inner: str, files: MemoryFiles | None = None) -> list[str]:
    """Return the problems of sections."""
    return problems_of(wrapped(inner), files)
