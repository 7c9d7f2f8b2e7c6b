"""`iaconfig.xml` and what it names -> `AgentConfig`, or every problem there is.

Sections are found by their name anywhere below the root: how the original nests them has never been published. Where
one section stands at several depths, the outermost counts and the others belong to whatever unknown element holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

import attrs
from lxml import etree

from agent.config.descriptor import read_descriptor
from agent.config.document import MAX_FILE_BYTES, line_of, local_name, parse_document
from agent.config.filters import Filters, read_filters
from agent.config.grammar import Grammar, Word, check_units, set_aside
from agent.config.listening import check_ports, read_gateway
from agent.config.lookup import Files, relative_name, resolved, slashed
from agent.config.model import AgentConfig, GatewayConfig, LogConfig, LogLevel, ServiceConfig
from agent.config.problem import ConfigFaults, Problem, has_errors, nearest, shown
from agent.config.reading_access import read_access, warn_of_clear_text
from agent.config.reading_admin import read_admin_gateway
from agent.config.reading_outbound import default_proxy
from agent.config.reading_platform import read_platform
from agent.config.reading_tls import KEYSTORE
from agent.config.section import Problems, Section
from agent.config.sending import Surroundings, read_destinations
from agent.config.storing import read_spool
from agent.config.tls import TlsConfig
from agent.config.values import Unfit, choice, text, whole
from agent.names import ServiceName

ROOT: Final = "iaconfig"
DEFAULT_SERVICES_FOLDER: Final = "../services"
MAX_SERVICES: Final = 500
"""Each active service is a process; the largest known installations list some dozens."""
MAX_ID: Final = 256

_SEVERAL: Final = frozenset({"service-gateway"})


@attrs.frozen(kw_only=True)
class Parsed:
    """A configuration that can be used, and what the operator should know about it."""

    config: AgentConfig
    warnings: tuple[Problem, ...]


def parse_config(
    *,
    source: PurePath,
    data: bytes,
    home: PurePath,
    schema: bytes,
    files: Files,
    machine: str,
    credentials: PurePath | None = None,
) -> Parsed:
    """Read the configuration file `source`, whose content is `data`, with the descriptors and passwords it names.

    `home` and `source` are absolute; `schema` is `iaconfig.rng`. `machine` is the default of the agent id without its
    port, `plant7/192.0.2.10`; `credentials` as in `Surroundings`. Raises `ConfigFaults` with all problems where
    one of them is an error.
    """
    root = parse_document(source.name, data)
    if isinstance(root, Problem):
        raise ConfigFaults([root])
    around = Surroundings(home=home, folder=source.parent, files=files, credentials=credentials)
    grammar = Grammar(schema)
    problems = Problems(file=source.name, anchor=root)
    sections = _find_sections(root, grammar.word(ROOT), problems)
    if local_name(root) != ROOT:
        _judge_root(root, sections, problems)

    gateways = _read_gateways(sections, root, problems, around)
    admin = read_admin_gateway(next(iter(sections.get("admin-gateway", ())), None), around, gateways)
    platform = read_platform({name: found[0] for name, found in sections.items() if found}, around)
    destinations = read_destinations(
        [entry for section in sections.get("destinations", ()) for entry in section.children("destination")],
        around,
        default_proxy(platform.proxy),
    )
    names = frozenset(destination.name for destination in destinations)
    filters = read_filters(around, grammar)
    services, elsewhere = _read_services(sections.get("service-configs", ()), grammar, around, names, filters)
    default_id = f"{machine}:{gateways[0].port}"
    config = AgentConfig(
        home=home,
        source=source,
        agent_id=sections["id"][0].text(_agent_id, default_id) if sections.get("id") else default_id,
        gateways=gateways,
        admin=admin,
        services=services,
        destinations=destinations,
        log=_read_log(sections["log"][0]) if sections.get("log") else LogConfig(),
        platform=platform,
        filters=filters.found,
        spool=read_spool(next(iter(sections.get("spool", ())), None), services),
    )
    for name, found in sections.items():
        for section in found:
            check_units(section.element, grammar.word(name), grammar, problems)
    everything = (*sorted(problems.found, key=lambda problem: problem.line), *filters.problems, *elsewhere)
    if has_errors(everything):
        raise ConfigFaults(everything)
    return Parsed(config=config, warnings=everything)


def _find_sections(root: etree._Element, word: Word, problems: Problems) -> dict[str, list[Section]]:
    """Find the known sections, outermost first, warn of everything else, and clear unknown parts out of them."""
    found: dict[str, list[tuple[int, etree._Element]]] = {}
    for element, depth in _candidates(root, frozenset(word.children)):
        found.setdefault(local_name(element), []).append((depth, element))
    sections: dict[str, list[Section]] = {}
    for name, candidates in found.items():
        outermost = min(depth for depth, _ in candidates)
        elements = [element for depth, element in candidates if depth == outermost]
        sections[name] = [Section(element=element, problems=problems) for element in elements]
        if name not in _SEVERAL:
            for surplus in sections[name][1:]:
                first = line_of(elements[0])
                surplus.error(f'"{name}" may stand only once; the first is in line {first}')
    _warn_of_unknown(root, word, {s.element for several in sections.values() for s in several}, problems)
    for name, several in sections.items():
        for section in several:
            set_aside(section.element, word.children[name], problems)
    return sections


def _candidates(element: etree._Element, known: frozenset[str], depth: int = 1) -> Iterator[tuple[etree._Element, int]]:
    for child in element:
        if local_name(child) in known:
            yield child, depth
        else:
            yield from _candidates(child, known, depth + 1)


def _warn_of_unknown(root: etree._Element, word: Word, used: set[etree._Element], problems: Problems) -> None:
    for name in map(str, root.attrib):
        if not name.startswith("{"):
            problems.warning(root, f"the attribute {shown(name)} is not known; it is left alone", where=f"@{name}")
    for piece in (root.text, *(child.tail for child in root)):
        if piece and piece.strip():
            problems.error(root, f"the text {shown(piece.strip())} does not belong here", where=local_name(root))
    # One line for each unknown part of the file: what is unknown within the unknown is not worth its own.
    for element in root:
        if element in used:
            continue
        name = local_name(element)
        inside = sorted({local_name(inner) for inner in element.iter() if inner in used})
        rest = f"only what is known inside it is used ({', '.join(inside)})" if inside else "it is left alone"
        problems.warning(element, f"the element {shown(name)} is not known{nearest(name, word.children)}; {rest}")


def _judge_root(root: etree._Element, sections: dict[str, list[Section]], problems: Problems) -> None:
    """Take any root as long as something known stands inside: the name of the original's root is not published."""
    name = local_name(root)
    if sections:
        problems.warning(root, f"the root element is {shown(name)}, not {shown(ROOT)}; read as if it were", where=name)
    else:
        text_ = f"the root element is {shown(name)}, not {shown(ROOT)}, and nothing in it is known: another file?"
        problems.error(root, text_, where=name)


def _read_gateways(
    sections: dict[str, list[Section]], root: etree._Element, problems: Problems, around: Surroundings
) -> tuple[GatewayConfig, ...]:
    found = sections.get("service-gateway", [])
    if not found:
        default = GatewayConfig(tls=TlsConfig(keystore=around.folder / KEYSTORE))
        told = f"there is no service-gateway; listening on port {default.port} of all addresses, without TLS"
        problems.warning(root, told, where="service-gateway")
        return (default,)
    gateways = tuple(
        attrs.evolve(read_gateway(section, around), access=read_access(section, around)) for section in found
    )
    for section, gateway in zip(found, gateways, strict=True):
        warn_of_clear_text(section, gateway.access, ssl=gateway.ssl, host=gateway.host)
    check_ports(found, gateways)
    return gateways


def _read_log(section: Section) -> LogConfig:
    default = LogConfig()
    return LogConfig(
        level=section.attribute("level", choice(LogLevel), default.level),
        max_file_bytes=section.attribute("max-file-bytes", whole(10_000, 10**12), default.max_file_bytes),
        max_files=section.attribute("max-files", whole(1, 1000), default.max_files),
    )


def _read_services(
    sections: list[Section] | tuple[Section, ...],
    grammar: Grammar,
    around: Surroundings,
    destinations: frozenset[str],
    filters: Filters,
) -> tuple[tuple[ServiceConfig, ...], list[Problem]]:
    """Read all descriptors; the problems returned are theirs, those of the list itself are noted with its sections."""
    services: list[ServiceConfig] = []
    elsewhere: list[Problem] = []
    paths: dict[PurePath, Section] = {}
    names: dict[str, tuple[ServiceName, PurePath]] = {}
    for section in sections:
        folder = resolved(around.folder, section.attribute("dir", slashed, DEFAULT_SERVICES_FOLDER))
        entries = list(section.children("path"))
        if len(entries) > MAX_SERVICES:
            section.error(f"{len(entries)} services are listed, at most {MAX_SERVICES} are allowed")
            continue
        if trouble := around.files.folder_trouble(folder) if entries else "":
            section.error(f"the folder {relative_name(folder, around.home)} {trouble}", at="@dir")
            continue
        for entry in entries:
            path = _read_path(entry, folder, paths, around)
            if path is None:
                continue
            found = around.files.read(path, max_bytes=MAX_FILE_BYTES)
            if found.trouble:
                entry.error(f"the descriptor {relative_name(path, around.home)} {found.trouble}")
                continue
            read = read_descriptor(
                path, found.data, grammar=grammar, around=around, destinations=destinations, filters=filters
            )
            elsewhere.extend(read.problems)
            if read.name is not None and _is_new(read.name, path, names, entry, around) and read.service is not None:
                services.append(read.service)
    return tuple(services), elsewhere


def _read_path(
    entry: Section, folder: PurePath, paths: dict[PurePath, Section], around: Surroundings
) -> PurePath | None:
    value = entry.text(slashed, None)
    if value is None:
        return None
    path = resolved(folder, value.lstrip("/"))
    if value.startswith("/"):
        name = relative_name(path, around.home)
        written = (entry.element.text or "").strip()
        entry.warning(f"{shown(written)} begins with a slash; read as {name}, relative to service-configs/@dir")
    if not path.is_relative_to(folder) or path == folder:
        entry.error(f"{shown(value)} leads out of the folder {relative_name(folder, around.home)}")
        return None
    if path in paths:
        entry.error(f"{shown(value)} is listed twice; the first is in line {line_of(paths[path].element)}")
        return None
    paths[path] = entry
    return path


def _is_new(
    name: ServiceName,
    path: PurePath,
    names: dict[str, tuple[ServiceName, PurePath]],
    entry: Section,
    around: Surroundings,
) -> bool:
    """Take a service's name; note where it, or its URL, is taken already (`a_b` + `c` and `a` + `b_c` share theirs)."""
    if name.url_name not in names:
        names[name.url_name] = (name, path)
        return True
    other, other_path = names[name.url_name]
    where = relative_name(other_path, around.home)
    if other == name:
        entry.error(f"the service {shown(name.client_id)} is already defined by {where}")
    else:
        url = shown(name.path)
        entry.error(f"the services {shown(name.client_id)} and {shown(other.client_id)} ({where}) share the URL {url}")
    return False


def _agent_id(value: str) -> str:
    text(value)
    if len(value) > MAX_ID:
        raise Unfit(f"{shown(value)} is {len(value)} characters long, at most {MAX_ID} are allowed")
    return value
