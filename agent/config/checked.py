"""What came of a look at one of a site's files. Pure."""

from __future__ import annotations

import enum
from pathlib import PurePath

import attrs

from agent.config.model import ServiceConfig
from agent.config.problem import Problem, Severity


class Kind(enum.StrEnum):
    """What a file is."""

    DESCRIPTOR = "descriptor"
    FILTERS = "filters"
    CONFIGURATION = "configuration"
    JAVASCRIPT = "javascript"
    PYTHON = "python"
    OTHER = "other"


class Verdict(enum.StrEnum):
    """In the order of what is to be done about it."""

    WORKS = "works"
    COUNTERPART = "needs a counterpart"
    WRONG = "wrong"


@attrs.frozen(kw_only=True)
class Need:
    """One word of the original with what takes its place here; `ours` is empty where nothing does."""

    kind: str
    name: str
    line: int
    ours: str


@attrs.frozen(kw_only=True)
class Checked:
    """What came of one file. `works` and `notes` are sentences; `needs` what a counterpart has to replace.

    `descriptor` is the path of a descriptor whose script is Python in which no fault is seen.
    """

    file: str
    kind: Kind
    service: str = ""
    works: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    home: PurePath | None = None
    loadable: ServiceConfig | None = attrs.field(default=None, repr=False)
    """A Python service without faults; whether its script can be loaded is another question."""

    @property
    def verdict(self) -> Verdict:
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return Verdict.WRONG
        return Verdict.COUNTERPART if self.needs else Verdict.WORKS
