"""Ctrl-C while a program is still loading its modules."""

from __future__ import annotations

import signal
from collections.abc import Callable

_Reaction = signal.Handlers | Callable[..., object]


def die_of_interrupts() -> None:
    """Until `hear_interrupts`, Ctrl-C ends the program at once, without a word: while its modules are loaded there is
    nobody yet who would turn a KeyboardInterrupt into a status. Who ignores it goes on doing so (`nohup`)."""
    _exchange(signal.default_int_handler, signal.SIG_DFL)


def hear_interrupts() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again."""
    _exchange(signal.SIG_DFL, signal.default_int_handler)


def _exchange(old: _Reaction, new: _Reaction) -> None:
    if signal.getsignal(signal.SIGINT) is old:
        signal.signal(signal.SIGINT, new)
