"""What the operator holds back: a small file of names, so that a restart does not let it go.

One for paused destinations, one for suspended services.
"""

from __future__ import annotations

import json
from pathlib import Path

from twisted.logger import Logger

from agent.errors import MachineError
from agent.wholefile import write_whole

log = Logger(namespace="upstream")


class PausedBook:
    """A set of names in one JSON file. Blocking; the file is a line, and changes when an operator says so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = self._read()

    def write(self, names: frozenset[str]) -> None:
        """Note these names and no others. Raises `MachineError` when the disk refuses; nothing is changed then."""
        try:
            write_whole(self._path, json.dumps(sorted(names)).encode("ascii"))
        except OSError as error:
            raise MachineError("store-failed", f"{self._path}: {error.strerror}; nothing was changed") from error
        self.names = names

    def _read(self) -> frozenset[str]:
        try:
            found = json.loads(self._path.read_text(encoding="ascii"))
            return frozenset(str(name) for name in found)
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError) as error:
            log.warn("{path} cannot be read, nothing is held back by it: {reason}", path=str(self._path), reason=error)
            return frozenset()
