"""`Finding`: one fault of an agent, of its home or of its surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import attrs


class Severity(StrEnum):
    """FAULT: something does not work.  WARNING: it will not for long, or is a risk.  NOTE: good to know."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 is the worst, for sorting."""
        return list(Severity).index(self)


EXITS: Final = {Severity.FAULT: 2, Severity.WARNING: 1, Severity.NOTE: 0}
"""What monitoring systems take for critical, warning and good."""


@attrs.frozen(kw_only=True)
class Finding:
    """`code` is stable. `what` is wrong, as `known` tells, and `remedy` mends it: a command, or what a person does."""

    code: str
    severity: Severity
    what: str
    known: str
    remedy: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return attrs.asdict(self)


def fault(code: str, what: str, *, known: str, remedy: str = "") -> Finding:
    return Finding(code=code, severity=Severity.FAULT, what=what, known=known, remedy=remedy)


def warning(code: str, what: str, *, known: str, remedy: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, what=what, known=known, remedy=remedy)


def note(code: str, what: str, *, known: str, remedy: str = "") -> Finding:
    return Finding(code=code, severity=Severity.NOTE, what=what, known=known, remedy=remedy)


def worst_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; within one as found. Each once."""
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.severity.rank))


def exit_of(found: Iterable[Finding]) -> int:
    """0, 1 or 2, by the worst."""
    return max((EXITS[one.severity] for one in found), default=0)
