"""`Finding`: one thing worth knowing about a keystore or a file, with what to do about it."""

from __future__ import annotations

from enum import StrEnum

import attrs


class Severity(StrEnum):
    """ERROR: it does not work, or will be refused.  WARNING: it will stop working, or is a risk.  INFO: to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst, for sorting."""
        return list(Severity).index(self)


@attrs.frozen(kw_only=True)
class Finding:
    """`code` is stable; `alias` the entry (None: the whole store or file); `cure` is empty when nothing is to be done.

    Commands in `cure` can be pasted; they begin with `iadmin keystore`.
    """

    code: str
    severity: Severity
    sentence: str
    cure: str = ""
    alias: str | None = None


def error(code: str, sentence: str, cure: str = "", *, alias: str | None = None) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, sentence=sentence, cure=cure, alias=alias)


def warning(code: str, sentence: str, cure: str = "", *, alias: str | None = None) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, sentence=sentence, cure=cure, alias=alias)


def info(code: str, sentence: str, cure: str = "", *, alias: str | None = None) -> Finding:
    return Finding(code=code, severity=Severity.INFO, sentence=sentence, cure=cure, alias=alias)


def worst_first(found: list[Finding]) -> tuple[Finding, ...]:
    """By severity; within one as found.  Each once."""
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.severity.rank))
