"""Whether the files that are written are still those that the names stand for.

Whoever deletes or moves the folder under a running agent (a clean-up job, a restore, a person) leaves it writing into
files without a name: every sync succeeds, and everything is gone with the process. So it is looked at with each commit;
two `stat` cost 3 µs.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ExitStatus, MachineError
from agent.spool import layout

GONE = "store-gone"
"""The code: what is in the files can still be worked off, nothing more may be stored."""


class Place:
    """The database and its log, by their names and by what they were when they were opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = (folder / layout.FILE_NAME, folder / f"{layout.FILE_NAME}-wal")
        self._known: tuple[tuple[int, int] | None, ...] = ()

    def note(self) -> None:
        """These are the files: they have just been opened."""
        self._known = tuple(map(_identity, self._paths))

    def what_is_wrong(self) -> MachineError | None:
        """The sentence for the operator when the names stand for other files by now, or for none."""
        if not self._known or tuple(map(_identity, self._paths)) == self._known:
            return None
        return MachineError(
            GONE,
            f"{self._folder}: the spool was deleted, moved or replaced under the running agent, so events are refused "
            "(503). Put the same folder back and it goes on; or let the agent finish what it has in hand, then restart "
            "it: what waits for longer is lost with the process",
            exit_status=ExitStatus.IO_ERROR,
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
