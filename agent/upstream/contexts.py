"""The TLS context of a destination, made when it is first needed and anew when one of its files has changed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePath
from typing import Final

from OpenSSL import SSL
from twisted.logger import Logger

from agent.config.outbound import ClientTls
from agent.errors import DestinationError, OperatorError

log = Logger(namespace="upstream")

Signature = tuple[tuple[int, int, int], ...]

SYSTEM_TRUST: Final = tuple(
    PurePath(path) for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
)
"""What `update-ca-certificates` and `update-ca-trust` write: authorities added there count without a restart."""


def signature_of(paths: Sequence[PurePath]) -> Signature:
    """What tells a changed file: its time, size and number; zeros for one that is not there."""
    found: list[tuple[int, int, int]] = []
    for path in paths:
        try:
            stat = os.stat(Path(path))  # noqa: PTH116 - one call, no object
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


class Contexts:
    """Call it for the context. `make` blocks and raises `OperatorError`; `in_thread` runs it aside."""

    def __init__(
        self,
        config: ClientTls,
        *,
        name: str,
        make: Callable[[ClientTls], SSL.Context],
        in_thread: Callable[[Callable[[], SSL.Context]], Awaitable[SSL.Context]],
        look: Callable[[Sequence[PurePath]], Signature] = signature_of,
    ) -> None:
        self._config: Final = config
        self._name: Final = name
        self._make = make
        self._in_thread = in_thread
        self._look = look
        self._files: Final = (*config.files, *SYSTEM_TRUST)
        self._context: SSL.Context | None = None
        self._signature: Signature = ()

    async def __call__(self) -> SSL.Context:
        """The newest context that could be made; raises `DestinationError` while there has never been one."""
        signature = self._look(self._files)
        if self._context is not None and signature == self._signature:
            return self._context
        try:
            context = await self._in_thread(lambda: self._make(self._config))
        except OperatorError as error:
            if self._context is None:
                raise DestinationError("tls-unusable", error.sentence) from error
            self._signature = signature
            log.warn("{name}: stays with the trust it has: {reason}", name=self._name, reason=error.sentence)
            return self._context
        if self._context is not None:
            log.info("{name}: takes the new keys and authorities", name=self._name)
        self._context, self._signature = context, signature
        return context
