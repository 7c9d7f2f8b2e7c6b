"""The standard streams of a program that was started without them, as daemons and management systems do it."""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def fill_streams() -> None:
    """Put /dev/null where a standard stream is closed. To be called before anything is opened.

    Otherwise the numbers 0 to 2 go to the first files and sockets that are opened, and what a library writes to "its"
    standard error ends in one of them.
    """
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            # Programs that we start inherit the streams; other handles are not inherited.
            os.set_inheritable(handle, handle <= 2)
            setattr(sys, name, os.fdopen(handle, mode, encoding="utf-8", errors="backslashreplace"))
