"""The person at the terminal: asked, told what is waited for, shown how far it is. Silent where nobody is there."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

LOOK_S: Final = 0.1
"""Soon enough for a person who waits."""


def ask_secret(question: str) -> str | None:
    """Ask without echo; None where standard input is no terminal: a script must not hang on a question."""
    import getpass

    return getpass.getpass(question) if sys.stdin.isatty() else None


def ask(question: str) -> bool | None:
    """Ask on standard error, for standard output is for the answer; None where no person is there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from iadmin.text import safe

    return click.confirm(safe(question), default=False, err=True)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar where a person looks at standard error, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False, emoji=False), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def working(what: str) -> Any:
    """A spinner where a person looks at standard error, silence elsewhere."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False).status(what)


def until(look: Callable[[], bool], patience_s: float) -> bool:
    """Whether `look` finds it so within the time."""
    end_s = time.monotonic() + patience_s
    while not look():
        if time.monotonic() > end_s:
            return False
        time.sleep(LOOK_S)
    return True
