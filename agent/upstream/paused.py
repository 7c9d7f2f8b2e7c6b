"""What the operator holds back: a small file of names, so that a restart does not let it go.

One for paused destinations, one for suspended services.
"""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from agent.errors import MachineError
from agent.heldback import MAX_BYTES, consequence, file_of, names_in
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
            write_whole(self._path, file_of(names))
        except OSError as error:
            raise MachineError("store-failed", f"{self._path}: {error.strerror}; nothing was changed") from error
        self.names = names

    def _read(self) -> frozenset[str]:
        try:
            with self._path.open("rb") as file:
                return names_in(file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            log.error("{path} {why}, {then}", path=str(self._path), why=why, then=consequence(self._path.name))
            return frozenset()
