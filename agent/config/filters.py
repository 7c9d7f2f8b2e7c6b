"""`deduplicator-filter.xml` -> `DedupFilter`s, with a warning for each way in which such files are known to go wrong.

In the original every one of these is silent: duplicates get through, and nobody knows why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Final

import attrs

from agent.config.document import MAX_FILE_BYTES, comments_at, line_of, local_name, parse_document
from agent.config.grammar import Grammar, check_units, set_aside
from agent.config.lookup import relative_name
from agent.config.model import Constant, DedupFilter, EncryptedConstant, MappedInput
from agent.config.problem import Problem, Severity, nearest, shown
from agent.config.section import Problems, Section
from agent.config.sending import Surroundings
from agent.config.values import text, whole

FILE_NAME: Final = "deduplicator-filter.xml"
ROOT: Final = "deduplicator"

MAX_PERIOD_S: Final = 31 * 24 * 3600
MAX_WINDOW: Final = 50_000
"""Combinations of one filter. A service's are in the memory of its worker and of the agent, 100 bytes each, and go to a
new worker in one piece."""

STOCK: Final[Mapping[str, tuple[str, ...]]] = {
    "ping-plan": ("device",),
    "sample-terminate": ("propertyName", "propertyValue"),
    "sample-plan": ("building", "city"),
}
"""The filters that the original ships, 5.2.0."""

_MISNAMED: Final = re.compile(r"dedup[a-z]*[-_]filters?.*\.xml", re.IGNORECASE)

_CLAIM: Final = re.compile(r"(\d{1,6})[ -]*(seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)\b", re.IGNORECASE)
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}

_OLD_SWITCH: Final = re.compile(r"^(DEDUPLICAT\w*FILTER\w*)\s*(?::[^=\n]*)?=", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Filters:
    """What came of reading the file; nothing where there is none."""

    found: tuple[DedupFilter, ...] = ()
    problems: tuple[Problem, ...] = ()

    def named(self, name: str) -> DedupFilter | None:
        return next((each for each in self.found if each.name == name), None)


def read_filters(around: Surroundings, grammar: Grammar) -> Filters:
    """Read the file beside `iaconfig.xml`."""
    path = around.folder / FILE_NAME
    misnamed = misnamed_files(around.folder, around)
    if FILE_NAME not in around.files.names(around.folder):
        return Filters(problems=tuple(misnamed))
    read = around.files.read(path, max_bytes=MAX_FILE_BYTES)
    if read.trouble:
        return Filters(problems=(*misnamed, Problem(file=FILE_NAME, text=f"the file {read.trouble}")))
    filters = filters_in(FILE_NAME, read.data, grammar)
    return attrs.evolve(filters, problems=(*misnamed, *filters.problems))


def filters_in(name: str, data: bytes, grammar: Grammar, *, is_whole: bool = True) -> Filters:
    """Read the content of a file of filters; `name` is what its problems show.

    `is_whole`: it is the one file of a home, and should have the shipped filters in it.
    """
    root = parse_document(name, data)
    if isinstance(root, Problem):
        return Filters(problems=(root,))
    problems = Problems(file=name, anchor=root)
    if local_name(root) != ROOT:
        problems.error(root, f"the root element is {shown(local_name(root))}, not {shown(ROOT)}: not a file of filters")
        return Filters(problems=tuple(problems.found))
    word = grammar.word(ROOT)
    set_aside(root, word, problems)
    sections = list(Section(element=root, problems=problems).children("filter"))
    comments = comments_at(data, "filter")
    found: dict[str, DedupFilter] = {}
    lines: dict[str, int] = {}
    for index, section in enumerate(sections):
        one = _read_filter(section, comments[index] if index < len(comments) else ())
        if one == found.get(one.name):
            section.warning(
                f"the filter {shown(one.name)} stands in line {lines[one.name]} already, the same", at="@name"
            )
        elif one.name in found:
            section.error(f"the filter {shown(one.name)} is already defined in line {lines[one.name]}", at="@name")
        elif one.name:
            found[one.name], lines[one.name] = one, line_of(section.element)
    if is_whole and found and not found.keys() & STOCK.keys():
        names = ", ".join(STOCK)
        told = f"none of the shipped filters ({names}) is here: was the file replaced by an integration's own?"
        problems.warning(root, f"{told} Filters of several integrations belong into one file, side by side")
    check_units(root, word, grammar, problems)
    return Filters(found=tuple(found.values()), problems=tuple(problems.found))


def misnamed_files(folder: PurePath, around: Surroundings) -> list[Problem]:
    """Return a warning for each file in `folder` that looks like one of filters and is not read."""
    where = relative_name(around.folder / FILE_NAME, around.home)
    return [
        Problem(
            file=relative_name(folder / name, around.home),
            text=f"is not read: filters count in {where} only; copy its filter elements there",
            severity=Severity.WARNING,
        )
        for name in around.files.names(folder)
        if _MISNAMED.fullmatch(name) and (name != FILE_NAME or folder != around.folder)
    ]


def read_choice(
    section: Section,
    filters: Filters,
    mapped: MappedInput | None,
    constants: Sequence[Constant | EncryptedConstant],
) -> str:
    """Read the `<deduplication>` of a descriptor: the name of a filter that exists, or nothing."""
    choice = section.child("deduplication")
    name = None if choice is None else choice.required_attribute("filter", text)
    if choice is None or name is None:
        return ""
    chosen = filters.named(name)
    if chosen is None:
        hint = nearest(name, [each.name for each in filters.found])
        choice.error(f"there is no filter {shown(name)} in {FILE_NAME}{hint}", at="@filter")
        return ""
    for told in never_found(chosen, mapped, constants):
        choice.warning(told, at="@filter")
    return name


def never_found(
    chosen: DedupFilter, mapped: MappedInput | None, constants: Sequence[Constant | EncryptedConstant]
) -> Iterator[str]:
    """A sentence for each predicate that no message of APClient has."""
    known = {each.name.lower() for each in (*(() if mapped is None else mapped.parameters), *constants)}
    for predicate in chosen.predicates if mapped is not None else ():
        if predicate.lower() not in known:
            told = f"the predicate {shown(predicate)} of the filter is neither a parameter nor a constant here"
            yield f"{told}: an event of APClient will never be held to be a duplicate"


def warn_of_old_switch(section: Section, source: bytes) -> None:
    """Warn where a script names its filter as the original's libraries do: nothing reads such variables here."""
    for name in dict.fromkeys(_OLD_SWITCH.findall(source.decode("utf-8", "replace"))):
        section.warning(
            f"the script sets {name}, which switches nothing on here; write <deduplication filter="
            f'"..."/> into the descriptor, or use context.dedup("...") in the script',
            at="file",
        )


def _read_filter(section: Section, comments: Iterable[str]) -> DedupFilter:
    name = section.required_attribute("name", text) or ""
    parent = section.required_child("predicates")
    predicates: list[str] = []
    for child in parent.children("predicate") if parent is not None else ():
        predicate = child.text(text, "")
        if predicate.lower() in {earlier.lower() for earlier in predicates}:
            child.warning(f"the predicate {shown(predicate)} stands twice")
        elif predicate:
            predicates.append(predicate)
    period_s = section.required_value("suppression_period", whole(1, MAX_PERIOD_S)) or 1
    window = section.required_value("window_size", whole(1, MAX_WINDOW)) or 1
    if parent is not None and tuple(predicates) != STOCK.get(name):
        for predicate in predicates:
            if predicate != predicate.lower():
                parent.warning(
                    f"the predicate {shown(predicate)} has capital letters; keys of APXML are in lower case, so the "
                    "original never finds it. Here upper and lower case do not differ"
                )
    _check_claims(section, comments, period_s)
    return DedupFilter(name=name, predicates=tuple(predicates), suppression_period_s=period_s, window_size=window)


def _check_claims(section: Section, comments: Iterable[str], period_s: int) -> None:
    """Warn where the comments of a filter speak of another time than its period, which counts seconds."""
    claims = [found for comment in comments for found in _CLAIM.finditer(comment)]
    claimed_s = {found[0]: int(found[1]) * _UNITS_S[found[2][0].lower()] for found in claims}
    if claimed_s and period_s not in claimed_s.values():
        said, meant_s = next(iter(claimed_s.items()))
        section.warning(
            f"a comment says {shown(said)}, which is {meant_s} seconds; the value is {period_s} SECONDS",
            at="suppression_period",
        )
