"""One element of a configuration file, read value by value: whatever does not fit is noted and the reading goes on.

`Problems` collects for one file; `Section` is an element with its place. A read that fails notes the problem and gives
the default, so that the rest is read as well; whoever asked for the whole looks at the problems before using it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import attrs
from lxml import etree

from agent.config.document import NAMESPACE, line_of, local_name
from agent.config.problem import Problem, Severity
from agent.config.values import Unfit

MAX_PROBLEMS: Final = 1000
"""Errors, and warnings, of one file: nobody mends more at a time, and a wrong file must not fill the log."""

Value = TypeVar("Value")
Default = TypeVar("Default")


@attrs.define(kw_only=True, eq=False)
class Problems:
    """The problems of one file, and which elements errors were found in.

    `anchor` is the element whose name is left out of the places: the root.
    """

    file: str
    anchor: etree._Element | None = None
    found: list[Problem] = attrs.field(factory=list)
    blamed: set[etree._Element] = attrs.field(factory=set)
    _noted: set[tuple[etree._Element, str, str]] = attrs.field(factory=set, init=False)
    _counts: Counter[Severity] = attrs.field(factory=Counter, init=False)

    def error(self, element: etree._Element, text: str, *, where: str = "", line: int = 0) -> None:
        """Note what keeps the agent from starting."""
        self.blamed.add(element)
        self._note(element, text, where, line, Severity.ERROR)

    def warning(self, element: etree._Element, text: str, *, where: str = "") -> None:
        """Note what the operator should know."""
        self._note(element, text, where, 0, Severity.WARNING)

    def _note(self, element: etree._Element, text: str, where: str, line: int, severity: Severity) -> None:
        line = line or line_of(element)
        where = where or self.where(element)
        # Two readers may look at the same element; the operator hears of it once.
        if (element, where, text) in self._noted:
            return
        self._noted.add((element, where, text))
        self._counts[severity] += 1
        if self._counts[severity] == MAX_PROBLEMS:
            text = f"{text} (there are more of this kind than the {MAX_PROBLEMS} that are listed)"
        if self._counts[severity] <= MAX_PROBLEMS:
            self.found.append(Problem(file=self.file, line=line, where=where, text=text, severity=severity))

    def where(self, element: etree._Element) -> str:
        """Return the place of an element, `destinations/destination/basic`; which of several, the line says."""
        steps: list[str] = []
        step: etree._Element | None = element
        while step is not None and step is not self.anchor:
            steps.append(local_name(step))
            step = step.getparent()
        return "/".join(reversed(steps)) or local_name(element)


@attrs.frozen(kw_only=True)
class Section:
    """An element that is being read."""

    element: etree._Element
    problems: Problems

    @property
    def where(self) -> str:
        return self.problems.where(self.element)

    def error(self, text: str, *, at: str = "") -> None:
        """Note an error here, or at the attribute or child `at` (`@port`, `url`)."""
        self.problems.error(self.element, text, where=f"{self.where}/{at}" if at else self.where)

    def warning(self, text: str, *, at: str = "") -> None:
        """Note a warning, like `error`."""
        self.problems.warning(self.element, text, where=f"{self.where}/{at}" if at else self.where)

    def attribute(self, name: str, read: Callable[[str], Value], default: Default) -> Value | Default:
        """Read an attribute; `default` where it is absent or does not fit."""
        return self._read(self.element.get(name), read, default, at=f"@{name}")

    def required_attribute(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """Read an attribute that must be there; None after noting that it is missing or does not fit."""
        if name not in self.element.attrib:
            self.error(f'the attribute "{name}" is missing')
        return self.attribute(name, read, None)

    def text(self, read: Callable[[str], Value], default: Default, *, may_be_empty: bool = False) -> Value | Default:
        """Read the text of the element itself."""
        return self._read(self.element.text or "", read, default, may_be_empty=may_be_empty)

    def value(self, name: str, read: Callable[[str], Value], default: Default) -> Value | Default:
        """Read the text of the child `name`; `default` where it is absent or does not fit."""
        child = self.child(name)
        return default if child is None else child.text(read, default)

    def required_value(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """Read the text of a child that must be there; None after noting that it is missing or does not fit."""
        child = self.required_child(name)
        return None if child is None else child.text(read, None)

    def children(self, name: str) -> Iterator[Section]:
        """Yield the children of that name."""
        for child in self.element.iterfind(f"{{{NAMESPACE}}}{name}"):
            yield Section(element=child, problems=self.problems)

    def child(self, name: str) -> Section | None:
        """Return the only child of that name; a second one is noted as an error."""
        found = list(self.children(name))
        for surplus in found[1:]:
            surplus.error(f'"{name}" may stand only once here; the first is in line {line_of(found[0].element)}')
        return found[0] if found else None

    def required_child(self, name: str) -> Section | None:
        """Return the only child of that name; that it is missing is noted as an error."""
        child = self.child(name)
        if child is None:
            self.error(f'the element "{name}" is missing')
        return child

    def _read(
        self,
        raw: str | None,
        read: Callable[[str], Value],
        default: Default,
        *,
        at: str = "",
        may_be_empty: bool = False,
    ) -> Value | Default:
        if raw is None:
            return default
        stripped = raw.strip()
        if not stripped and not may_be_empty:
            self.error("a value is missing here", at=at)
            return default
        try:
            return read(stripped)
        except Unfit as unfit:
            self.error(str(unfit), at=at)
            return default
