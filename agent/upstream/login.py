"""The credentials of one destination or proxy, read again after they were refused: somebody may have mended them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePath
from typing import Final

from twisted.logger import Logger

from agent.config.outbound import BasicCredentials, Credentials
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES, password_in
from agent.secret import Secret
from agent.wire.challenge import basic

log = Logger(namespace="upstream")

ReadSecret = Callable[[PurePath], Awaitable[Secret]]
"""The secret that a file holds; raises `OSError`, or `ValueError` with the end of a sentence that begins with its name.
"""

OpenSecret = Callable[[PurePath, bytes], Secret]
"""The secret in the file of that name, whose content is given; blocks, and raises `ValueError` as above."""


def plain_secret(path: PurePath, data: bytes) -> Secret:
    """`OpenSecret` for plain files only."""
    return Secret(password_in(data))


def secret_in_file(path: PurePath, opened: OpenSecret) -> Secret:
    """Read a password file, blocking; see `ReadSecret`."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_PASSWORD_FILE_BYTES + 1)
    if len(data) > MAX_PASSWORD_FILE_BYTES:
        raise ValueError(f"is larger than {MAX_PASSWORD_FILE_BYTES} bytes")
    return opened(path, data)


class KeptSecret:
    """The newest content of a password file. `whose` is named in the log. Without `path` or `read` it never changes."""

    def __init__(self, secret: Secret, *, path: PurePath | None, whose: str, read: ReadSecret | None) -> None:
        self.secret = secret
        self._path: Final = path
        self._whose: Final = whose
        self._read = read
        self._is_doubtful = False

    def refused(self) -> None:
        """The far end did not take it: read it again before it is used the next time."""
        self._is_doubtful = True

    async def settle(self) -> bool:
        """Read it again where it is in doubt; whether it is another one now. What cannot be read stays as it was."""
        if not self._is_doubtful or self._path is None or self._read is None:
            return False
        self._is_doubtful = False
        try:
            found = await self._read(self._path)
        except (OSError, ValueError) as error:
            said = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
            log.warn(
                "{whose}: the credentials were refused, and {path} cannot be read again: {said}",
                whose=self._whose,
                path=str(self._path),
                said=said,
            )
            return False
        if found.reveal() == self.secret.reveal():
            return False
        self.secret = found
        log.info("{whose}: takes the new credentials in {path}", whose=self._whose, path=str(self._path))
        return True


class Login:
    """Knows the newest credentials of a destination."""

    def __init__(self, credentials: Credentials | None, *, name: str, read: ReadSecret | None) -> None:
        self._credentials = credentials
        self._kept = None
        if credentials is not None:
            secret = credentials.password if isinstance(credentials, BasicCredentials) else credentials.token
            self._kept = KeptSecret(secret, path=credentials.path, whose=name, read=read)

    @property
    def fields(self) -> Mapping[str, str]:
        """The header field that carries them; none where the destination has no credentials."""
        return {} if self._credentials is None or self._kept is None else _fields(self._credentials, self._kept.secret)

    def refused(self) -> None:
        """See `KeptSecret.refused`."""
        if self._kept is not None:
            self._kept.refused()

    async def settle(self) -> bool:
        """See `KeptSecret.settle`."""
        return self._kept is not None and await self._kept.settle()


def fields_of(credentials: Credentials | None) -> Mapping[str, str]:
    """The header field for `credentials`, by its name."""
    return Login(credentials, name="", read=None).fields


def _fields(credentials: Credentials, secret: Secret) -> dict[str, str]:
    if isinstance(credentials, BasicCredentials):
        return {"authorization": basic(credentials.user, secret.reveal())}
    return {credentials.header.lower(): f"{credentials.scheme} {secret.reveal()}".strip()}
