"""A site's own files, looked through before they are used here: what works as it is, what needs a Python counterpart,
and what is wrong in it anyway. Pure: the disk is asked through `Files`, and nothing is run.

What is checked are descriptors (`integration-service`), files of filters (`deduplicator`), the configuration, and
scripts. Folders are gone through; other files in them are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath, PurePosixPath
from typing import Final

import attrs
from lxml import etree

from agent.config import descriptor, filters
from agent.config.checked import Checked, Kind, Need
from agent.config.document import MAX_FILE_BYTES, NAMESPACE, line_of, local_name, parse_document
from agent.config.filters import FILE_NAME, filters_in, never_found
from agent.config.grammar import Grammar
from agent.config.javascript import (
    HOOKS,
    SETTINGS,
    STOCK,
    JavaScript,
    Place,
    counterpart,
    java_counterpart,
    read_javascript,
)
from agent.config.lookup import Files, relative_name, resolved
from agent.config.model import ServiceConfig
from agent.config.parse import parse_config
from agent.config.problem import ConfigFaults, Problem, Severity, nearest, shown
from agent.config.scripts import hooks_in, script_fault
from agent.config.site import MAX_FILES, Site
from agent.names import CONFIGURATION_FILES

MAX_DEPTH: Final = 16
HOOKS_SEEN: Final = "hooks: "
"""How the sentence begins that tells the hooks which a script defines plainly."""
PASSED_OVER: Final = frozenset({"__pycache__", "node_modules", "var", "log", "jre"})
E4X: Final = "it uses E4X (XML in JavaScript), which has no counterpart of its own: use lxml"
FILTER_GLOBAL: Final = "DEDUPLICATION_FILTER_NAME"


class Lint:
    """One look at some paths. `schema` is `iaconfig.rng`."""

    def __init__(self, *, files: Files, schema: bytes) -> None:
        self._files = files
        self._schema = schema
        self._grammar = Grammar(schema)

    def check(self, paths: Iterable[PurePath]) -> tuple[Checked, ...]:
        """Check files and folders, given as absolute paths; one result for each file, in order."""
        found: dict[PurePath, bool] = {}
        roots = tuple(paths)
        for path in roots:
            is_folder = not self._files.folder_trouble(path)
            for each in self._walk(path, 0) if is_folder else (path,):
                found[each] = found.get(each, False) or not is_folder
                if len(found) >= MAX_FILES:
                    break
        site = Site(files=self._files, grammar=self._grammar, paths=tuple(found), roots=roots)
        results = [self._one(path, site, is_named) for path, is_named in found.items()]
        return tuple(_without_doubles(result for result in results if result is not None))

    def _walk(self, folder: PurePath, depth: int) -> Iterator[PurePath]:
        for name in self._files.names(folder):
            path = folder / name
            if not self._files.folder_trouble(path):
                if depth < MAX_DEPTH and name not in PASSED_OVER and not name.startswith("."):
                    yield from self._walk(path, depth + 1)
            elif path.suffix.lower() in (".xml", ".js"):
                yield path

    def _one(self, path: PurePath, site: Site, is_named: bool) -> Checked | None:
        name = relative_name(path, site.home_of(path))
        read = self._files.read(path, max_bytes=MAX_FILE_BYTES)
        if read.trouble:
            return Checked(file=name, kind=Kind.OTHER, problems=(Problem(file=name, text=f"the file {read.trouble}"),))
        suffix = path.suffix.lower()
        if suffix == ".js":
            return self._javascript(path, name, read.data, site)
        if suffix == ".py":
            return _python(name, read.data)
        root = parse_document(name, read.data)
        if isinstance(root, Problem):
            is_ours = is_named or b"<integration-service" in read.data or b"<deduplicator" in read.data
            return Checked(file=name, kind=Kind.OTHER, problems=(root,)) if is_ours else None
        if local_name(root) == descriptor.ROOT:
            return self._descriptor(path, name, read.data, root, site)
        if local_name(root) == filters.ROOT:
            return self._filters(path, name, read.data)
        if path.name in CONFIGURATION_FILES:
            return self._configuration(path, name, read.data)
        if not is_named:
            return None
        told = f"the root element is {shown(local_name(root))}: neither a descriptor nor a file of filters"
        return Checked(file=name, kind=Kind.OTHER, problems=(Problem(file=name, line=1, text=told),))

    def _descriptor(self, path: PurePath, name: str, data: bytes, root: etree._Element, site: Site) -> Checked:
        around = site.around(path)
        read = descriptor.read_descriptor(
            path,
            data,
            grammar=self._grammar,
            around=around,
            destinations=site.destinations(path, root),
            filters=site.filters,
            foreign=True,
        )
        works = _what_works(read.draft) if read.draft is not None else ()
        service = read.name.client_id if read.name else ""
        checked = Checked(file=name, kind=Kind.DESCRIPTOR, service=service, works=works, problems=read.problems)
        if root.find(f"{{{NAMESPACE}}}javaclient") is not None:
            need = Need(
                kind="javaclient", name="javaclient", line=0, ours="mapped-input and constants here, a Python script"
            )
            return attrs.evolve(checked, needs=(need,))
        script = root.find(f"{{{NAMESPACE}}}script")
        if script is None or (script.get("lang") or "").strip().lower() not in descriptor.JAVASCRIPT:
            return attrs.evolve(self._with_python(checked, read.service), home=around.home)
        return self._with_javascript(checked, script, path, site, read.draft)

    def _with_python(self, checked: Checked, service: ServiceConfig | None) -> Checked:
        if service is None:
            return checked
        script = _python(checked.file, self._files.read(service.script, max_bytes=MAX_FILE_BYTES).data)
        file = service.script.name
        problems = tuple(attrs.evolve(problem, file=f"{checked.file} ({file})") for problem in script.problems)
        return attrs.evolve(
            checked,
            works=(*checked.works, *script.works),
            problems=(*checked.problems, *problems),
            loadable=None if problems else service,
        )

    def _with_javascript(
        self, checked: Checked, script: etree._Element, path: PurePath, site: Site, draft: ServiceConfig | None
    ) -> Checked:
        """Whatever the script loads counts with it: the hooks are often in another file."""
        file = (script.findtext(f"{{{NAMESPACE}}}file") or "").strip().replace("\\", "/")
        line = line_of(script)
        problems, notes = [*checked.problems], []
        if file.startswith("/"):
            told = f"{shown(file)} begins with a slash; it is relative to the descriptor"
            problems.append(
                Problem(file=checked.file, line=line, where="script/file", text=told, severity=Severity.WARNING)
            )
        first = resolved(path.parent, file.lstrip("/"))
        needs = [Need(kind="script", name=file, line=line, ours="a Python script (docs/services.rst)")]
        if trouble := self._files.trouble(first) if file else "is not named":
            notes.append(f"the script {shown(file)} {trouble}: what it needs cannot be said")
        for found, script_path in site.scripts(first):
            of_file = f" in {script_path.name}" if script_path != first else ""
            needs += [attrs.evolve(need, name=need.name + of_file) for need in _needs(found)]
            problems += _filter_faults(found, relative_name(script_path, site.home_of(path)), site)
            problems += _predicate_faults(found, checked.file, site, draft)
        return attrs.evolve(checked, needs=tuple(needs), problems=tuple(problems), notes=tuple(notes))

    def _javascript(self, path: PurePath, name: str, data: bytes, site: Site) -> Checked:
        if path.name in STOCK and "javascript" in path.parts:
            return Checked(
                file=name, kind=Kind.JAVASCRIPT, works=("the original's script library; agent.sdk takes its place",)
            )
        found = read_javascript(data)
        notes = [E4X] if found.is_e4x else []
        for load in found.loads:
            if PurePosixPath(load.name).name not in STOCK and self._files.trouble(site.loaded(path, load.name)):
                notes.append(f"line {load.line}: it loads {shown(load.name)}, which is not here")
        needs = _needs(found) or (Need(kind="script", name=path.name, line=0, ours="Python, where a hook uses it"),)
        problems = tuple(_filter_faults(found, name, site))
        return Checked(file=name, kind=Kind.JAVASCRIPT, needs=needs, notes=tuple(notes), problems=problems)

    def _filters(self, path: PurePath, name: str, data: bytes) -> Checked:
        is_whole = path.name == FILE_NAME
        read = filters_in(name, data, self._grammar, is_whole=is_whole)
        problems = read.problems
        if not is_whole:
            told = (
                f"is not read under this name: filters count in conf/{FILE_NAME} only; copy its filter elements there"
            )
            problems = (Problem(file=name, text=told), *problems)
        works = tuple(
            f"filter {each.name}: {', '.join(each.predicates)}; {each.suppression_period_s} s, {each.window_size} keys"
            for each in read.found
        )
        return Checked(file=name, kind=Kind.FILTERS, works=works, problems=problems)

    def _configuration(self, path: PurePath, name: str, data: bytes) -> Checked:
        """The services that it lists are checked by themselves, so only its own faults are told."""
        problems: Sequence[Problem]
        try:
            problems = parse_config(
                source=path,
                data=data,
                home=path.parent.parent,
                schema=self._schema,
                files=self._files,
                machine="this-machine",
            ).warnings
        except ConfigFaults as faults:
            problems = faults.problems
        own = tuple(attrs.evolve(problem, file=name) for problem in problems if problem.file == path.name)
        return Checked(file=name, kind=Kind.CONFIGURATION, problems=own)


def _what_works(service: ServiceConfig) -> tuple[str, ...]:
    works = [f"senders reach it at {service.name.path}"]
    if service.mapped_input is not None:
        count = len(service.mapped_input.parameters)
        works.append(f"mapped-input: method {service.mapped_input.method}, {count} parameters")
    if service.constants or service.encrypted_constants:
        works.append(f"constants: {len(service.constants)}, encrypted: {len(service.encrypted_constants)}")
    works.append(f"threads: {service.normal_threads} normal, {service.high_threads} high; {service.initial_state}")
    return tuple(works)


def _needs(found: JavaScript) -> tuple[Need, ...]:
    def made(kind: str, places: Iterable[Place], ours: Iterable[str]) -> list[Need]:
        return [
            Need(kind=kind, name=one.name, line=one.line, ours=word) for one, word in zip(places, ours, strict=True)
        ]

    return (
        *made("hook", found.hooks, [HOOKS.get(one.name, "") for one in found.hooks]),
        *made("library", found.calls, [counterpart(one.name) for one in found.calls]),
        *made("setting", found.settings, [SETTINGS[one.name] for one in found.settings]),
        *made("java", found.java, [java_counterpart(one.name) for one in found.java]),
    )


def _filter_faults(found: JavaScript, file: str, site: Site) -> list[Problem]:
    """The ways in which a script's choice of a filter is silently without effect in the original."""
    problems = []
    for place, value in found.filters:
        if place.name != FILTER_GLOBAL:
            told = f"the script sets {place.name}; the library reads {FILTER_GLOBAL}, so nothing was ever suppressed"
            problems.append(Problem(file=file, line=place.line, text=told))
        if value and site.filters.named(value) is None:
            hint = nearest(value, [each.name for each in site.filters.found])
            other = site.misplaced.get(value)
            where = f"; it stands in {other}, which is not read" if other else hint
            problems.append(
                Problem(file=file, line=place.line, text=f"there is no filter {shown(value)} in {FILE_NAME}{where}")
            )
    return problems


def _predicate_faults(found: JavaScript, file: str, site: Site, draft: ServiceConfig | None) -> Iterator[Problem]:
    """A filter that compares what no message has suppresses nothing, and says nothing about it."""
    for place, value in found.filters:
        chosen = site.filters.named(value)
        if draft is None or chosen is None or place.name != FILTER_GLOBAL:
            continue
        for told in never_found(chosen, draft.mapped_input, (*draft.constants, *draft.encrypted_constants)):
            yield Problem(file=file, text=f"filter {shown(value)}: {told}", severity=Severity.WARNING)


def _python(name: str, data: bytes) -> Checked:
    fault = script_fault(data, name)
    if fault is not None:
        return Checked(file=name, kind=Kind.PYTHON, problems=(Problem(file=name, line=fault[0], text=fault[1]),))
    return Checked(file=name, kind=Kind.PYTHON, works=(f"{HOOKS_SEEN}{', '.join(hooks_in(data)) or 'none seen'}",))


def _without_doubles(results: Iterable[Checked]) -> Iterator[Checked]:
    """A fault of a script shows with its descriptor and with itself; told once is enough."""
    seen: set[tuple[str, int, str]] = set()
    for result in results:
        fresh = []
        for problem in result.problems:
            key = (problem.file, problem.line, problem.text)
            if key not in seen or problem.severity is Severity.ERROR:
                fresh.append(problem)
            seen.add(key)
        yield attrs.evolve(result, problems=tuple(dict.fromkeys(fresh)))
