"""Ctrl-C while a program is still loading its modules."""

from __future__ import annotations

import signal


def die_of_interrupts() -> None:
    """Until `hear_interrupts`, Ctrl-C ends the program at once, without a word: while its modules are loaded there is
    nobody yet who would turn a KeyboardInterrupt into a status. Who ignores it goes on doing so (`nohup`)."""
    _change_interrupt(is_heard=False)


def hear_interrupts() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again."""
    _change_interrupt(is_heard=True)


def _change_interrupt(*, is_heard: bool) -> None:
    old, new = signal.SIG_DFL, signal.default_int_handler
    if not is_heard:
        old, new = new, old  # type: ignore[assignment]
    if signal.getsignal(signal.SIGINT) is old:
        signal.signal(signal.SIGINT, new)
