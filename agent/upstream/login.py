"""The credentials of one destination as header fields, read again after a 401: somebody may have mended them."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePath
from typing import Final

import attrs
from twisted.logger import Logger

from agent.config.outbound import BasicCredentials, Credentials
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES, password_in
from agent.secret import Secret

log = Logger(namespace="upstream")

ReadFile = Callable[[PurePath], Awaitable[bytes]]
"""The content of a small file; raises `OSError`."""


def read_small_file(path: PurePath) -> bytes:
    """Read a password file, blocking; one byte more than the limit tells that it is too large."""
    with Path(path).open("rb") as file:
        return file.read(MAX_PASSWORD_FILE_BYTES + 1)


class Login:
    """Knows the newest credentials of a destination."""

    def __init__(self, credentials: Credentials | None, *, name: str, read: ReadFile | None) -> None:
        self._credentials = credentials
        self._name: Final = name
        self._read = read
        self._is_doubtful = False

    @property
    def fields(self) -> Mapping[str, str]:
        """The header field that carries them; none where the destination has no credentials."""
        return fields_of(self._credentials)

    def refused(self) -> None:
        """The far end did not take them: the next request reads them again first."""
        self._is_doubtful = True

    async def settle(self) -> None:
        """Read the credentials again where they are in doubt; those that cannot be read stay as they were."""
        known = self._credentials
        if not self._is_doubtful or known is None or known.path is None or self._read is None:
            return
        self._is_doubtful = False
        try:
            data = await self._read(known.path)
            if len(data) > MAX_PASSWORD_FILE_BYTES:
                raise ValueError(f"is larger than {MAX_PASSWORD_FILE_BYTES} bytes")
            secret = password_in(data)
        except (OSError, ValueError) as error:
            said = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
            log.warn(
                "{name}: the credentials were refused, and {path} cannot be read again: {said}",
                name=self._name,
                path=str(known.path),
                said=said,
            )
            return
        old = known.password if isinstance(known, BasicCredentials) else known.token
        if secret != old.reveal():
            if isinstance(known, BasicCredentials):
                self._credentials = attrs.evolve(known, password=Secret(secret))
            else:
                self._credentials = attrs.evolve(known, token=Secret(secret))
            log.info("{name}: takes the new credentials in {path}", name=self._name, path=str(known.path))


def fields_of(credentials: Credentials | None) -> dict[str, str]:
    """The header field for `credentials`, by its name."""
    if credentials is None:
        return {}
    if isinstance(credentials, BasicCredentials):
        return {"authorization": basic(credentials.user, credentials.password.reveal())}
    return {credentials.header.lower(): f"{credentials.scheme} {credentials.token.reveal()}".strip()}


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for HTTP Basic (RFC 7617), in UTF-8."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"
