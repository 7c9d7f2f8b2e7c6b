"""Which destinations the operator has paused: a small file, so that a restart does not send what was held back."""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.logger import Logger

from agent.errors import MachineError

log = Logger(namespace="upstream")


class PausedBook:
    """A set of names in one JSON file. Blocking; the file is a line, and changes when an operator says so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = self._read()

    def write(self, names: frozenset[str]) -> None:
        """Note these names and no others. Raises `MachineError` when the disk refuses; nothing is changed then."""
        beside = self._path.with_name(self._path.name + ".new")
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump(sorted(names), file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
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
            log.warn("{path} cannot be read, no destination is paused: {reason}", path=str(self._path), reason=error)
            return frozenset()
