"""What a site's files know of one another: which home they are of, its filters and destinations, what scripts load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath
from typing import Final

import attrs
from lxml import etree

from agent.config.document import MAX_FILE_BYTES, NAMESPACE, parse_document
from agent.config.filters import FILE_NAME, Filters, filters_in
from agent.config.grammar import Grammar
from agent.config.javascript import STOCK, JavaScript, read_javascript
from agent.config.lookup import Files, resolved
from agent.config.model import DedupFilter
from agent.config.problem import Problem
from agent.config.sending import DEFAULT_DESTINATION, Surroundings
from agent.names import CONFIGURATION_FILES

MAX_FILES: Final = 5000
"""A site has some hundred; a path that was mistyped may be a whole disk."""


@attrs.define(kw_only=True)
class Site:
    """What the files know of one another."""

    files: Files
    grammar: Grammar
    paths: tuple[PurePath, ...]
    roots: tuple[PurePath, ...]
    filters: Filters = attrs.field(init=False)
    misplaced: dict[str, str] = attrs.field(init=False, factory=dict)
    """Filters that stand in a file of another name, with that name."""

    def __attrs_post_init__(self) -> None:
        homes = {self.home_of(path) for path in self.paths}
        named = [path for path in self.paths if path.name.lower().endswith(".xml")]
        places = dict.fromkeys([*(home / "conf" / FILE_NAME for home in homes), *named])
        found: list[DedupFilter] = []
        for path in places:
            data = self.files.read(path, max_bytes=MAX_FILE_BYTES).data
            if b"deduplicator" not in data.replace(b"\0", b""):  # UTF-16 has every second byte 0
                continue
            read = filters_in(path.name, data, self.grammar).found
            if path.name == FILE_NAME:
                found += read
            else:
                self.misplaced.update({each.name: path.name for each in read})
        self.filters = Filters(found=tuple(found))

    def home_of(self, path: PurePath) -> PurePath:
        """The home that a file belongs to: the nearest folder above with a configuration, else the folder that was
        named, else the file's own."""
        for folder in path.parents:
            if any(not self.files.trouble(folder / "conf" / name) for name in CONFIGURATION_FILES):
                return folder
        return next((root for root in self.roots if path != root and path.is_relative_to(root)), path.parent)

    def around(self, path: PurePath) -> Surroundings:
        home = self.home_of(path)
        return Surroundings(home=home, folder=home / "conf", files=self.files)

    def destinations(self, path: PurePath, root: etree._Element) -> frozenset[str]:
        """The names in the configuration, whatever else is wrong with it; without one, whatever a descriptor names."""
        names, is_known = {DEFAULT_DESTINATION}, False
        for name in CONFIGURATION_FILES:
            read = self.files.read(self.home_of(path) / "conf" / name, max_bytes=MAX_FILE_BYTES)
            found = None if read.trouble else parse_document(name, read.data)
            if found is not None and not isinstance(found, Problem):
                names |= {each.get("name", "") for each in found.iter(f"{{{NAMESPACE}}}destination")}
                is_known = True
        return frozenset(names if is_known else {*names, (root.findtext(f"{{{NAMESPACE}}}destination") or "").strip()})

    def loaded(self, path: PurePath, name: str) -> PurePath:
        """Where `load(name)` finds a file: from the home, else, for a folder without one, from beside the script."""
        name = name.replace("\\", "/").lstrip("/")
        found = resolved(self.home_of(path), name)
        return path.parent / PurePosixPath(name).name if self.files.trouble(found) else found

    def scripts(self, first: PurePath) -> Iterator[tuple[JavaScript, PurePath]]:
        """A script and all that it loads, each once, the script library left out."""
        waiting, seen = [first], set[PurePath]()
        while waiting and len(seen) < MAX_FILES:
            path = waiting.pop(0)
            read = self.files.read(path, max_bytes=MAX_FILE_BYTES)
            if path in seen or read.trouble:
                continue
            seen.add(path)
            found = read_javascript(read.data)
            yield found, path
            waiting += [
                self.loaded(path, load.name) for load in found.loads if PurePosixPath(load.name).name not in STOCK
            ]
