"""The grammar `iaconfig.rng` in two uses: as the list of known names, and as the last check of the structure.

libxml2's RELAX NG stops at the first fault and speaks of patterns, not of settings. Hence the order in which a file is
checked:

1. What the grammar does not know is set aside with a warning (`set_aside`).
2. The readers of the sections report what they find, value by value.
3. `check_units` validates each unit by itself, innermost first, and speaks only where the readers were silent. A unit
   is an element with a `<define>` of its own; the grammar promises that units are optional where they stand.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Final

import attrs
from lxml import etree

from agent.config.document import line_of, local_name
from agent.config.problem import nearest, shown
from agent.config.section import Problems

RNG: Final = "{http://relaxng.org/ns/structure/1.0}"
ELEMENT: Final = f"{RNG}element"
ATTRIBUTE: Final = f"{RNG}attribute"
REF: Final = f"{RNG}ref"
DATA: Final = f"{RNG}data"
VALUE: Final = f"{RNG}value"
TEXTUAL: Final = frozenset({f"{RNG}text", DATA, VALUE})
CLOSED: Final = frozenset({ATTRIBUTE, ELEMENT, REF})
"""What is inside these describes something else than the element around them."""

_EVERYWHERE: Final = (
    "{http://www.w3.org/XML/1998/namespace}",
    "{http://www.w3.org/2001/XMLSchema-instance}",
)
"""Namespaces of attributes that may stand on any element and mean nothing to us: xml:lang, xsi:schemaLocation."""

_SENTENCES: Final = (
    (r"Expecting an element (\S*), got nothing", r'the element "\1" is missing'),
    (r"Expecting element (\S+), got (\S+)", r'"\2" stands where "\1" is expected'),
    (
        r"Element (\S+) has extra content: (\S+)",
        r'"\2" does not belong here, stands too often or does not hold what it should',
    ),
    (
        r"Did not expect element (\S+) there",
        r'"\1" does not belong here, stands too often or does not hold what it should',
    ),
    (
        r"Extra element (\S+) in interleave",
        r'"\1" does not belong here, stands too often or does not hold what it should',
    ),
    (r"Did not expect text in element (\S+) content", r"text does not belong here"),
    (
        r"Invalid attribute (\S+) for element (\S+)",
        r'the attribute "\1" does not belong here, or its value does not fit',
    ),
)


@attrs.frozen(kw_only=True)
class Word:
    """A known element: the attributes and children it may have, and whether text may stand in it.

    `unit` is the name of its `<define>`, empty for an element that is described inside another.
    """

    name: str
    unit: str
    attributes: frozenset[str]
    children: dict[str, Word]
    takes_text: bool
    spellings: dict[str, dict[str, str]] = attrs.field(factory=dict)
    """By attribute, "" for the text of the element itself: the fixed values there are, by their lower case."""


class Grammar:
    """The parsed grammar. Raises `ValueError` for a schema that is not well-formed: a fault of ours."""

    def __init__(self, schema: bytes) -> None:
        try:
            self._root = etree.fromstring(schema)
        except etree.XMLSyntaxError as error:
            raise ValueError(f"iaconfig.rng: {error}") from error
        self._defines = {define.get("name", ""): define for define in self._root.iterfind(f"{RNG}define")}
        self._compiled: dict[tuple[str, ...], etree.RelaxNG] = {}
        self._known: dict[str, list[Word]] = {}

    def word(self, define: str) -> Word:
        """Return the element that a `<define>` describes; alternatives of one name are merged."""
        return _merged([word for word in self._described(define) if word.name], unit=define)

    def fits(self, element: etree._Element, define: str) -> bool:
        """Whether `element` with all that is in it is as the grammar has it.

        One schema for all units, because compiling takes ten times as long as using it. Where several units have the
        same name, it cannot tell which is meant, and says False.
        """
        by_name: dict[str, list[str]] = {}
        for unit, pattern in self._defines.items():
            for described in pattern.iterchildren(tag=ELEMENT):
                by_name.setdefault(described.get("name", ""), []).append(unit)
        if by_name.get(local_name(element)) != [define]:
            return False
        return bool(
            self._schema(*(units[0] for units in by_name.values() if len(units) == 1)).validate(copy.deepcopy(element))
        )

    def check(self, element: etree._Element, define: str) -> tuple[int, str] | None:
        """Return line and sentence of the first fault of `element` against `<define>`, None where there is none."""
        schema = self._schema(define)
        if schema.validate(copy.deepcopy(element)):
            return None
        # libxml2 gives no line for some faults of an interleave.
        entries = [(int(entry.line) or line_of(element), _sentence(entry.message)) for entry in schema.error_log]
        told = [entry for entry in entries if entry[1]]
        return told[0] if told else (line_of(element), "the structure is not the one that iaconfig.rng describes")

    def _schema(self, *defines: str) -> etree.RelaxNG:
        """The schema of documents that are one of these."""
        schema = self._compiled.get(defines)
        if schema is None:
            root = copy.deepcopy(self._root)
            start = root.find(f"{RNG}start")
            if start is None:
                raise ValueError("iaconfig.rng has no start")
            choice = etree.Element(f"{RNG}choice")
            choice.extend(etree.Element(f"{RNG}ref", name=define) for define in defines)
            start[:] = [choice]
            schema = self._compiled[defines] = etree.RelaxNG(root)
        return schema

    def _described(self, define: str) -> list[Word]:
        """The elements of a `<define>`; many stand in several places."""
        if define not in self._known:
            self._known[define] = self._words(_own_patterns(self._defines[define]), unit=define)
        return self._known[define]

    def _words(self, own: list[etree._Element], unit: str = "") -> list[Word]:
        """The elements among a pattern's own patterns, and those that they refer to."""
        words: list[Word] = []
        for part in own:
            if part.tag == ELEMENT:
                words.append(self._element(part, unit))
            elif part.tag == REF:
                words += self._described(part.get("name", ""))
        return words

    def _element(self, pattern: etree._Element, unit: str) -> Word:
        own = _own_patterns(pattern)
        children: dict[str, list[Word]] = {}
        for word in self._words(own):
            children.setdefault(word.name, []).append(word)
        attributes = [part for part in own if part.tag == ATTRIBUTE]
        spellings = {part.get("name", ""): self._spellings(_own_patterns(part)) for part in attributes}
        return Word(
            name=pattern.get("name", ""),
            unit=unit,
            attributes=frozenset(spellings),
            children={name: _merged(words, unit=words[0].unit) for name, words in children.items()},
            takes_text=any(part.tag in TEXTUAL for part in own),
            spellings={**spellings, "": self._spellings(own)},
        )

    def _spellings(self, own: list[etree._Element]) -> dict[str, str]:
        """The fixed values that a pattern names itself, and `true` and `false`, by their lower case."""
        found: dict[str, str] = {}
        for part in own:
            if part.tag == VALUE and part.text:
                found[part.text.strip().lower()] = part.text.strip()
            elif part.tag == DATA and part.get("type") == "boolean":
                found |= {"true": "true", "false": "false"}
            elif part.tag == REF:
                found |= self._spellings(_own_patterns(self._defines[part.get("name", "")]))
        return found


def _own_patterns(pattern: etree._Element) -> list[etree._Element]:
    """The patterns that describe the element itself: not inside its attributes and child elements."""
    own: list[etree._Element] = []
    for child in pattern.iterchildren(tag=etree.Element):
        own.append(child)
        if child.tag not in CLOSED:
            own += _own_patterns(child)
    return own


def _merged(words: list[Word], unit: str) -> Word:
    children: dict[str, Word] = {}
    for word in words:
        children |= word.children
    return Word(
        name=words[0].name,
        unit=unit,
        attributes=frozenset().union(*(word.attributes for word in words)),
        children=children,
        takes_text=any(word.takes_text for word in words),
        spellings={name: values for word in words for name, values in word.spellings.items()},
    )


def _sentence(message: str) -> str:
    """Translate a message of libxml2; empty for one that only says that a part of the whole did not fit."""
    for pattern, words in _SENTENCES:
        if match := re.match(pattern, message):
            return match.expand(words)
    return ""


def set_aside(element: etree._Element, word: Word, problems: Problems) -> None:
    """Take out of `element`, with a warning each, what the grammar does not know; report text between elements.

    Fixed values are spelled as the grammar has them (`TRUE`, `Active`): what is meant is not in doubt.
    """
    _spell(element, word)
    where = problems.where(element)
    for name in map(str, element.attrib):
        if name in word.attributes:
            continue
        if not name.startswith(_EVERYWHERE):
            bare = etree.QName(name).localname
            is_child = bare in word.children
            hint = f"; write it as an element inside: <{bare}>" if is_child else nearest(bare, word.attributes)
            problems.warning(element, f"the attribute {shown(bare)} is not known{hint}; it is left alone", where=where)
        del element.attrib[name]
    if not word.takes_text:
        for piece in (element.text, *(child.tail for child in element)):
            if piece and piece.strip():
                # Whoever writes a password where its file should stand must not read it on the console.
                found = "text" if "pass" in word.name else f"the text {shown(piece.strip())}"
                problems.error(element, f"{found} does not belong here", where=where)
    unknown = []
    for child in element:
        name = local_name(child)
        if name in word.children:
            set_aside(child, word.children[name], problems)
        else:
            is_attribute = name in word.attributes
            hint = f'; write it as an attribute: {name}="..."' if is_attribute else nearest(name, word.children)
            problems.warning(child, f"the element {shown(name)} is not known here{hint}; it is left alone")
            unknown.append(child)
    for child in unknown:
        element.remove(child)


def _spell(element: etree._Element, word: Word) -> None:
    for name, spellings in word.spellings.items():
        written = (element.get(name) if name else element.text) or ""
        spelled = spellings.get(written.strip().lower())
        if spelled is None:
            continue
        if name:
            element.set(name, spelled)
        else:
            element.text = spelled


def check_units(element: etree._Element, word: Word, grammar: Grammar, problems: Problems) -> None:
    """Validate the units in `element`, innermost first, and report faults where the readers found none.

    Takes the tree apart: each unit is removed once it has been checked, so that the next one is judged without it.
    """
    if not any(part in problems.blamed for part in element.iter()) and grammar.fits(element, word.unit):
        return
    units = [(unit, define, problems.where(unit)) for unit, define in _units(element, word)]
    for unit, define, where in reversed(units):
        fault = None if any(part in problems.blamed for part in unit.iter()) else grammar.check(unit, define)
        if fault is not None:
            problems.error(unit, fault[1], where=where, line=fault[0])
        parent = unit.getparent()
        if unit is not element and parent is not None:
            parent.remove(unit)


def _units(element: etree._Element, word: Word) -> Iterator[tuple[etree._Element, str]]:
    if word.unit:
        yield element, word.unit
    for child in element:
        yield from _units(child, word.children[local_name(child)])
