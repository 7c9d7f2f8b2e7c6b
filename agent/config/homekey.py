"""The key of a home on the disk, and files of secrets written whole.

The key is made when it is first needed, in `conf/.iakey`, mode 0600. A service manager may give it instead, as the
credential `iapassword-key` in `$CREDENTIALS_DIRECTORY`: then no key lies beside what it opens.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath

from agent.config.files import DiskFiles, credentials_folder
from agent.config.passwordfile import CREDENTIAL, KEY_BYTES, KEY_NAME, MAX_KEY_FILE_BYTES, read_key, show_key
from agent.config.sending import Surroundings
from agent.errors import ExitStatus, OperatorError
from agent.secret import Secret

MODE = 0o600


def key_path(home: Path, environ: Mapping[str, str]) -> Path:
    """Return where the key of this home is, or would be."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and (given := Path(folder, CREDENTIAL)).exists():
        return given
    return home / "conf" / KEY_NAME


def ensure_key(home: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key of a home; a new one where there is none. Raises `OperatorError`, `OSError`."""
    path = key_path(home, environ)
    try:
        return _load(path)
    except FileNotFoundError:
        temporary = _write(path, show_key(secrets.token_bytes(KEY_BYTES)))
        try:
            # Unlike a rename this leaves alone what another one has made meanwhile.
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink()
        _sync_folder(path.parent)
        return _load(path)


def write_secret(path: Path, data: bytes) -> None:
    """Put a file of 0600 in its place, whole or not at all. Raises `OSError`."""
    temporary = _write(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    _sync_folder(path.parent)


def open_secret(home: Path, path: PurePath, data: bytes) -> Secret:
    """Return the secret in the password file at `path`, plain or sealed, whose content is `data`.

    Raises `ValueError` as `secret_in` does. Blocks for the key, where the file is sealed.
    """
    around = Surroundings(home=home, folder=home / "conf", files=DiskFiles(), credentials=credentials_folder())
    return around.secret_in(data, path, may_be_plain=True)


def _load(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_KEY_FILE_BYTES)
    try:
        return read_key(data)
    except ValueError as error:
        raise OperatorError(
            "bad-key",
            f"{path} {error}; bring the right one back from a backup, or delete it and enter every secret again with "
            "iapassword",
            exit_status=ExitStatus.CONFIG,
        ) from None


def _write(path: Path, data: bytes) -> Path:
    """Write beside `path`, on the disk for good; the folder's owner gets it, for root works for others."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(handle, owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(handle)
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
