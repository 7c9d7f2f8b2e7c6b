"""Whether other accounts of the machine can read or change what an agent home holds.

The folders of a home are for its account only: passwords and keys in `conf`, code in `services`, events in `var`. A
file counts as exposed when its mode lets others at it and every folder from the home down to it lets them through. The
home itself is exposed when others can write to it: they can put another `conf` into the place of ours. Root and the
account that owns the home are no others. A file that belongs to root may be readable for its group: that is how an
administrator lets the agent read what it shall not change. Access lists (ACL) show in the bits of the group. Linked
folders are not looked into.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from agent.config.problem import Problem, Severity

MAX_ENTRIES: Final = 20_000
"""Entries of one folder of the home that are looked at; a folder of that size is told by its first ones as well."""

READABLE_MATTERS: Final = {"conf": True, "services": False, "var": True}
"""Descriptors and code hold no secrets of the agent; who can write them, though, can do all that the agent can."""


@attrs.frozen
class _Reach:
    """Who gets as far as an entry."""

    group: bool = True
    others: bool = True


@attrs.define
class _Found:
    readable: list[Path] = attrs.Factory(list)
    writable: list[Path] = attrs.Factory(list)
    foreign: list[Path] = attrs.Factory(list)


def exposures(home: Path) -> tuple[Problem, ...]:
    """Return a warning for a home and each folder in it that others can read or change. Does not raise."""
    try:
        top = home.stat()
    except OSError:
        return ()
    ours = frozenset({0, top.st_uid, os.geteuid()})
    problems: list[Problem] = []
    # With the sticky bit nobody renames what is ours.
    if top.st_mode & (stat.S_IWOTH | stat.S_IWGRP) and not top.st_mode & stat.S_ISVTX:
        text = (
            "other accounts of this machine can change the home itself, and so put a conf of their own there; "
            f"mend it with: chmod go-w {home}"
        )
        problems.append(Problem(file=home.name or str(home), text=text, severity=Severity.WARNING))
    for name, readable_matters in READABLE_MATTERS.items():
        found = _Found()
        left = MAX_ENTRIES
        for path, status, reach in _walk(home / name, _through(top, _Reach())):
            _judge(path, status, reach, ours, found)
            left -= 1
            if not left:
                break
        if readable_matters:
            problems += _told(home, name, found.readable, "read", "chmod -R go-rwx")
        problems += _told(home, name, found.writable, "change", "chmod -R go-w")
        problems += _told(home, name, found.foreign, "change, because they own it,", "chown -R")
    return tuple(problems)


def _walk(path: Path, reach: _Reach) -> Iterator[tuple[Path, os.stat_result, _Reach]]:
    """An entry and all below it, with who gets to it. What cannot be looked at is left out."""
    try:
        status = path.stat()
        if path.is_symlink() and path.lstat().st_uid != status.st_uid:
            status = path.lstat()
    except OSError:
        return
    yield path, status, reach
    if stat.S_ISDIR(status.st_mode) and not path.is_symlink():
        inside = _through(status, reach)
        try:
            entries = sorted(path.iterdir())
        except OSError:
            return
        for entry in entries:
            yield from _walk(entry, inside)


def _through(folder: os.stat_result, reach: _Reach) -> _Reach:
    return _Reach(
        group=reach.group and bool(folder.st_mode & stat.S_IXGRP),
        others=reach.others and bool(folder.st_mode & stat.S_IXOTH),
    )


def _judge(path: Path, status: os.stat_result, reach: _Reach, ours: frozenset[int], found: _Found) -> None:
    mode = status.st_mode
    if status.st_uid not in ours:
        found.foreign.append(path)
    if stat.S_ISLNK(mode) or stat.S_ISSOCK(mode):
        return  # the bits of a link say nothing; the control socket asks who calls
    for_group = status.st_uid == 0 and status.st_gid != 0
    if (reach.others and mode & stat.S_IWOTH) or (reach.group and mode & stat.S_IWGRP):
        found.writable.append(path)
    elif stat.S_ISREG(mode) and (
        (reach.others and mode & stat.S_IROTH) or (reach.group and mode & stat.S_IRGRP and not for_group)
    ):
        found.readable.append(path)


def _told(home: Path, name: str, paths: list[Path], deed: str, remedy: str) -> list[Problem]:
    if not paths:
        return []
    first = str(paths[0].relative_to(home))
    more = f" and {len(paths) - 1} more in {name}" if len(paths) > 1 else ""
    account = " ACCOUNT" if remedy.startswith("chown") else ""
    text = f"other accounts of this machine can {deed} {first}{more}; mend it with: {remedy}{account} {home / name}"
    return [Problem(file=name, text=text, severity=Severity.WARNING)]
