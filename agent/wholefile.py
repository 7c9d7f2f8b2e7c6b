"""Writing a file whole: whatever is killed, full or cut off, the path holds the old content or the new one.

For small files that the agent keeps for itself. Keystores and configurations, which others change as well, are saved
by `keystoretools.files`, with locks and backups.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path`, mode 0600: written beside it, on the disk, then renamed. Its folder is made, mode 0700.

    Blocking. Raises `OSError`, and then nothing has changed.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
