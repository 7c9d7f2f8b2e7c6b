"""The configuration on disk: finds the file of an agent home, and answers what the pure readers ask of the disk."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from agent.config.document import MAX_FILE_BYTES
from agent.config.lookup import Found
from agent.config.model import AgentConfig
from agent.config.parse import parse_config
from agent.config.problem import ConfigFaults, Problem
from agent.names import CONFIGURATION_FILES
from agent.templates import template


class DiskFiles:
    """`Files` over the disk. Symbolic links are followed: the operator decides which of them stand in `conf/`."""

    def read(self, path: PurePath, *, max_bytes: int) -> Found:
        """Return the content of a regular file. Pipes and devices are refused before they are opened: they block."""
        if trouble := self.trouble(path):
            return Found(trouble=trouble)
        try:
            with Path(path).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(max_bytes + 1)
        except OSError as error:
            return Found(trouble=_cannot(error))
        if len(data) > max_bytes:
            return Found(trouble=f"is larger than {max_bytes} bytes, the limit for it")
        return Found(data=data, readable_by_others=bool(mode & stat.S_IROTH))

    def trouble(self, path: PurePath) -> str:
        """Return why `path` is not a regular file that this process may read."""
        try:
            mode = Path(path).stat().st_mode
        except FileNotFoundError:
            return f"does not exist{_other_case(Path(path))}"
        except (OSError, ValueError) as error:
            return _cannot(error)
        if not stat.S_ISREG(mode):
            return "is a folder, not a file" if stat.S_ISDIR(mode) else "is not a regular file"
        return "" if os.access(path, os.R_OK) else "cannot be read by this account: permission denied"

    def folder_trouble(self, path: PurePath) -> str:
        """Return why `path` is not a folder that this process may enter."""
        try:
            mode = Path(path).stat().st_mode
        except FileNotFoundError:
            return f"does not exist{_other_case(Path(path))}"
        except (OSError, ValueError) as error:
            return _cannot(error)
        if not stat.S_ISDIR(mode):
            return "is not a folder"
        return "" if os.access(path, os.X_OK) else "cannot be entered by this account: permission denied"

    def names(self, folder: PurePath) -> Sequence[str]:
        """Return the names in a folder, sorted; none for a folder that cannot be read."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - names are asked for, not paths
        except (OSError, ValueError):
            return ()


def find_config(home: Path) -> Path:
    """Return the configuration file of a home; raise `ConfigFaults` where there is none, or one too many."""
    folder = home / "conf"
    found = [folder / name for name in CONFIGURATION_FILES if (folder / name).exists()]
    if not found:
        text = f"there is no configuration in {folder}; make a home with: iadmin init {home}"
        raise ConfigFaults([Problem(file=CONFIGURATION_FILES[0], text=text)])
    # On a file system that does not tell cases apart both names are one file.
    if len(found) > 1 and not found[0].samefile(found[1]):
        both = " and ".join(CONFIGURATION_FILES)
        text = f"both {both} are in {folder}; keep the one that counts and move the other away"
        raise ConfigFaults([Problem(file=CONFIGURATION_FILES[0], text=text)])
    return found[0]


def load_schema() -> bytes:
    """Return `iaconfig.rng`, the one this program was made with: a home may hold an older copy."""
    return template("conf").joinpath("iaconfig.rng").read_bytes()


def this_machine() -> str:
    """Return `plant7/192.0.2.10`, the machine's part of the default agent id.

    The address is the one the machine would use towards the outside; connecting a UDP socket sends nothing.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    return f"{socket.gethostname()}/{address}"


def load_config(home: Path, *, machine: Callable[[], str] = this_machine) -> tuple[AgentConfig, tuple[Problem, ...]]:
    """Return the configuration of an agent home with its warnings.

    Raises `ConfigFaults`, which holds all problems, where it cannot be used. Reads files and does not wait for the
    network; the agent calls it before the reactor runs, or in a thread.
    """
    home = Path(os.path.abspath(home))  # noqa: PTH100 - resolve() would follow links, and the operator named this path
    source = find_config(home)
    files = DiskFiles()
    found = files.read(source, max_bytes=MAX_FILE_BYTES)
    if found.trouble:
        raise ConfigFaults([Problem(file=source.name, text=f"the file {found.trouble}")])
    parsed = parse_config(
        source=source,
        data=found.data,
        home=home,
        schema=load_schema(),
        files=files,
        machine=machine(),
        credentials=credentials_folder(),
    )
    return parsed.config, parsed.warnings


def credentials_folder() -> Path | None:
    """Return where the service manager has put credentials, None where it has not."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None


def _cannot(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read: {reason.lower()}"


def _other_case(path: Path) -> str:
    """Return a hint where only the case of a name differs, as it does in files that come from Windows."""
    while not path.parent.exists() and path.parent != path:
        path = path.parent
    try:
        alike = [entry for entry in os.listdir(path.parent) if entry.lower() == path.name.lower()]  # noqa: PTH208
    except OSError:
        return ""
    return f", but {alike[0]} does: upper and lower case differ" if alike else ""
