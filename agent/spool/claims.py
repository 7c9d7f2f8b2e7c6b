"""What has been begun and not settled, written to disk when it takes longer: how often it was begun survives a kill.

Most attempts are settled within milliseconds. Writing each of them twice would double the work of the disk for the sake
of a number that is only needed when the agent is killed in between; so a claim is written when it has stood for
`PATIENCE_S`, along with others, and nobody waits for it. See docs/decisions/0011-claims-on-disk.rst.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime

PATIENCE_S: Final = 0.05
"""Claims are written between one and two of these after the beginning. A hook that takes longer than this costs at most
one more write of some 20 microseconds; a shorter one costs nothing."""


@attrs.frozen(kw_only=True)
class Claim:
    """These have been begun."""

    events: tuple[int, ...] = ()
    requests: tuple[int, ...] = ()


class Claims:
    """Keeps the seqs of what was begun; `write` is called with those that stand."""

    def __init__(self, *, reactor: IReactorTime, write: Callable[[Claim], object]) -> None:
        self._reactor = reactor
        self._write = write
        self._new: set[tuple[str, int]] = set()
        self._older: set[tuple[str, int]] = set()
        self._is_ticking = False

    def began(self, kind: str, seq: int) -> None:
        """An attempt was begun; `kind` is "event" or "request"."""
        self._new.add((kind, seq))
        if not self._is_ticking:
            self._is_ticking = True
            self._reactor.callLater(PATIENCE_S, self._tick)

    def ended(self, kind: str, seq: int) -> None:
        """It is being settled, which counts the attempt where no claim did."""
        self._new.discard((kind, seq))
        self._older.discard((kind, seq))

    def forget(self) -> None:
        """Write nothing more."""
        self._new.clear()
        self._older.clear()

    def _tick(self) -> None:
        standing, self._older, self._new = self._older, self._new, set()
        if standing:
            self._write(
                Claim(
                    events=tuple(sorted(seq for kind, seq in standing if kind == "event")),
                    requests=tuple(sorted(seq for kind, seq in standing if kind == "request")),
                )
            )
        self._is_ticking = bool(self._older)
        if self._is_ticking:
            self._reactor.callLater(PATIENCE_S, self._tick)
