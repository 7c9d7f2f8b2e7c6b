"""What is wrong with the configuration: one line per fault, all of them at once.

A line reads `iaconfig.xml:41: service-gateway/@port: "80810" is not a port (1-65535)`: file, line, place, then value
found and value expected. Everything that came out of a file is printed with its control characters escaped, because
these lines end on terminals and in logs.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from agent.errors import OperatorError

MAX_SHOWN: Final = 80
"""Characters of a value that a sentence repeats: enough to find it, too few to flood a terminal."""


class Severity(enum.StrEnum):
    """An error keeps the agent from starting, the fault of a service only that service; a warning does neither."""

    ERROR = "error"
    SERVICE = "service"
    WARNING = "warning"


@attrs.frozen(kw_only=True)
class Problem:
    """One fault. `line` counts from 1 and is 0 where there is none; `where` is the path of the element, or empty."""

    file: str
    line: int = 0
    where: str = ""
    text: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [place]
        if self.severity is Severity.WARNING:
            parts.append("warning")
        if self.where:
            parts.append(self.where)
        return printable(": ".join([*parts, self.text]))


class ConfigFaults(OperatorError):
    """The configuration cannot be used. `problems` holds all errors and warnings in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity is Severity.ERROR]
        first = str(errors[0]) if errors else "nothing"
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        super().__init__("config-faults", f"the configuration has {count}; the first: {first}")

    @property
    def lines(self) -> tuple[str, ...]:
        """Every problem on a line of its own, warnings included: they often explain the faults."""
        return tuple(str(problem) for problem in self.problems)


def has_errors(problems: Iterable[Problem]) -> bool:
    """Say whether one of the problems keeps the agent from starting."""
    return any(problem.severity is Severity.ERROR for problem in problems)


def printable(text: str) -> str:
    """Return `text` on one line, with whatever could move a cursor or reorder a line written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(value: str) -> str:
    """Return a value found in a file as sentences repeat it: quoted, escaped and cut."""
    cut = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "..."
    return f'"{printable(cut)}"'


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence enumerates them: `a`, `a or b`, `a, b or c`."""
    known = list(names)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}" if known else "nothing"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "port"?)` when a known name is close to `name`, else an empty text."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {shown(by_folded[close[0]])}?)" if close else ""
