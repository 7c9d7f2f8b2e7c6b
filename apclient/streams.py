"""The standard streams of a program that was started without them, as daemons and management systems do it."""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def hold_numbers() -> None:
    """Put /dev/null where 0, 1 or 2 is closed. To be called before anything is opened.

    Otherwise these numbers go to the first files and sockets that are opened, and what a library writes to "its"
    standard error ends in one of them.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        # Programs that we start inherit the streams; other handles are not inherited.
        os.set_inheritable(handle, True)
    os.close(handle)


def fill_streams() -> None:
    """`hold_numbers`, and let `sys.stdin` and the others lead there; Python has None in the place of a closed one."""
    hold_numbers()
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
