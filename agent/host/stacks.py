"""The interpreter's own account of where its threads are (`faulthandler`), read for the lines that concern the author.

    Thread 0x00007f... (most recent call first):
      File "/usr/lib/python3.11/subprocess.py", line 2012 in _try_wait
      File "/srv/ia/services/pumps/pumps.py", line 10 in on_event
      ...

Dozens of lines, of which one says where the hook hangs. The account may be cut off anywhere: it is written by a process
that is about to be killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

MAX_FRAMES: Final = 3
"""Named at most: with more threads than that at the service's own code, nobody can tell which one is meant."""

_THREAD: Final = re.compile(r"(?:Thread|Current thread) 0x")
_FRAME: Final = re.compile(r'  File "(.+)", line (\d+) in (.+)')


def own_frames(lines: Iterable[str], folder: PurePath) -> tuple[str, ...]:
    """The innermost frame of each thread that is in a file under `folder`, as `on_event (/srv/.../pumps.py:10)`."""
    frames: list[str] = []
    is_found = False
    for line in lines:
        if _THREAD.match(line):
            is_found = False
            continue
        frame = _FRAME.fullmatch(line)
        if frame is None or is_found:
            continue
        file, number, function = frame.groups()
        if PurePath(file).is_relative_to(folder):
            is_found = True
            frames.append(f"{function} ({file}:{number})")
    return tuple(dict.fromkeys(frames))[:MAX_FRAMES]


def own_stacks(lines: Iterable[str], folder: PurePath) -> tuple[str, ...]:
    """The stacks of the threads that are in files under `folder`, down to the first of these that was called: what is
    below is the worker's. As the interpreter wrote them, the innermost frame first; nothing of the other threads."""
    found: list[str] = []
    stack: list[str] = []
    own = 0
    for line in [*lines, "Thread 0x"]:
        if _THREAD.match(line):
            found += stack[:own]
            stack, own = [line], 0
            continue
        frame = _FRAME.fullmatch(line)
        if frame is not None:
            stack.append(line)
            if PurePath(frame[1]).is_relative_to(folder):
                own = len(stack)
    return tuple(found)


def whereabouts(lines: Iterable[str], folder: PurePath) -> str:
    """`, in on_event (...)`, to stand behind a sentence; empty where the account says nothing of the service."""
    frames = own_frames(lines, folder)
    return f", in {' or '.join(frames)}" if frames else ""
