"""Passwords that are being checked: one at a time, each distinct one once, the places of the senders by turns.

A check takes a third of a second of one core. More than one at a time would take the machine from the events, and a
single line of waiting checks would let whoever tries out passwords keep everybody else waiting.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

log = Logger(namespace="gateway")

MAX_WAITING: Final = 64
"""20 s of checks; a sender waits 30 s for its answer."""
MAX_OF_PLACE: Final = 8
"""Different credentials from one place at a time."""

Told = Callable[[bool | None], None]
InThread = Callable[[Callable[[], bool]], Deferred[bool]]


@attrs.define(eq=False)
class _Proof:
    digest: bytes
    is_right: Callable[[], bool]
    is_wanted: Callable[[], bool]
    told: list[Told]


class Proofs:
    """The lines of checks, by place. `in_thread(work)` runs `work` outside the reactor thread."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._lines: OrderedDict[str, deque[_Proof]] = OrderedDict()
        self._known: dict[bytes, _Proof] = {}
        self._is_busy = False

    def ask(
        self, place: str, digest: bytes, *, is_right: Callable[[], bool], is_wanted: Callable[[], bool], told: Told
    ) -> bool:
        """Have `is_right` computed and `told` of the result; False where too many wait already.

        `digest` stands for the credentials: requests that show the same ones share one check. `is_wanted` is asked when
        the turn has come; where it says no, None is told.
        """
        known = self._known.get(digest)
        if known is not None:
            known.told.append(told)
            return True
        line = self._lines.get(place, ())
        if len(self._known) >= MAX_WAITING or len(line) >= MAX_OF_PLACE:
            return False
        proof = self._known[digest] = _Proof(digest, is_right, is_wanted, [told])
        self._lines.setdefault(place, deque()).append(proof)
        self._go_on()
        return True

    def _go_on(self) -> None:
        while self._lines and not self._is_busy:
            place, line = next(iter(self._lines.items()))
            proof = line.popleft()
            if proof.is_wanted():
                self._is_busy = True
                self._in_thread(proof.is_right).addCallbacks(
                    self._done, self._failed, (place, proof), {}, (place, proof), {}
                )
            else:
                self._tell(place, proof, None)

    def _done(self, right: bool, place: str, proof: _Proof) -> None:
        self._is_busy = False
        self._tell(place, proof, right)
        self._go_on()

    def _failed(self, failure: Failure, place: str, proof: _Proof) -> None:
        log.failure("a password could not be checked", failure)
        self._done(False, place, proof)

    def _tell(self, place: str, proof: _Proof, right: bool | None) -> None:
        # Only now: who comes while a check runs is before the next one of the same place.
        if self._lines[place]:
            self._lines.move_to_end(place)
        else:
            del self._lines[place]
        del self._known[proof.digest]
        for told in proof.told:
            told(right)
