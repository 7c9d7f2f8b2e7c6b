"""What a connection begins with: by this somebody who does not speak HTTP at all is told from a faulty request."""

from __future__ import annotations

from collections.abc import Callable

from agent.errors import SenderError
from agent.wire import Tongue, recognise
from agent.wire.refusal import not_http
from agent.wire.sniff import ENOUGH_BYTES, WORDS


class FirstWords:
    """Of one connection. `stranger(tongue, first)` is told when what came is not HTTP."""

    __slots__ = ("_heard", "_stranger")

    def __init__(self, stranger: Callable[[Tongue, bytes], None]) -> None:
        self._stranger = stranger
        self._heard = b""

    def hear(self, data: bytes) -> None:
        """Keep as much as it takes to know the tongue."""
        if len(self._heard) < ENOUGH_BYTES:
            self._heard += data[:256]

    def look_closer(self, error: SenderError) -> SenderError:
        """What is to be told to somebody of whom not one header line could be read, because of `error`."""
        tongue = recognise(self._heard)
        if tongue in (None, Tongue.HTTP, Tongue.CONNECT, Tongue.TEXT):
            return error
        self._stranger(tongue, self._heard)
        return not_http(WORDS[tongue])
