"""A service descriptor -> `ServiceConfig`.

The original runs JavaScript and JavaClient integrations. Such a service is read as far as it takes to store its events,
and has a sentence that says why it cannot run and what to do.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import attrs

from agent.config.document import MAX_FILE_BYTES, line_of, local_name, parse_document
from agent.config.filters import Filters, misnamed_files, read_choice, warn_of_old_switch
from agent.config.grammar import Grammar, check_units, set_aside
from agent.config.lookup import relative_name, resolved, slashed
from agent.config.model import (
    NO_CONSTANTS,
    SERVICE_RETRY,
    Constant,
    EncryptedConstant,
    InitialState,
    MappedInput,
    MappedParameter,
    ServiceConfig,
    ValueType,
)
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES
from agent.config.problem import Problem, Severity, has_errors, nearest, shown
from agent.config.reading_access import read_access
from agent.config.section import Problems, Section
from agent.config.sending import DEFAULT_DESTINATION, Surroundings, read_retry
from agent.config.values import Unfit, boolean, choice, service_part, text
from agent.config.working import read_work
from agent.names import ServiceName
from agent.secret import Secret

MAX_KEY: Final = 256
ROOT: Final = "integration-service"
JAVASCRIPT: Final = frozenset({"js", "javascript"})
_TWICE: Final = {
    True: "this one counts, because it overwrites",
    False: "the earlier counts, because this one does not overwrite",
}
COUNTERPART: Final = "write a Python counterpart (docs/services.rst), or make the service inactive"
OF_WORKERS: Final = ("constants/encrypted-constant", "destination", "deduplication")
"""Places whose faults concern the worker, and not what is taken in for it."""


@attrs.frozen(kw_only=True)
class Descriptor:
    """What came of reading one descriptor: the service where it has no errors, its name where that could be read.

    `draft` is what could be read of a service that has a name, whatever is wrong with the rest: to be shown, not run.
    """

    name: ServiceName | None
    service: ServiceConfig | None
    problems: tuple[Problem, ...]
    draft: ServiceConfig | None = None


def read_descriptor(
    path: PurePath,
    data: bytes,
    *,
    grammar: Grammar,
    around: Surroundings,
    destinations: frozenset[str],
    filters: Filters,
    foreign: bool = False,
) -> Descriptor:
    """Read the descriptor at the absolute `path`. `destinations` are the names it may send to.

    Its `service` has an `obstacle` where it is written for the original's engine. `foreign`: the caller tells of that.
    """
    file = relative_name(path, around.home)
    root = parse_document(file, data)
    if isinstance(root, Problem):
        return Descriptor(name=None, service=None, problems=(root,))
    problems = Problems(file=file, anchor=root)
    if local_name(root) != ROOT:
        problems.error(root, f"the root element is {shown(local_name(root))}, not {shown(ROOT)}: not a descriptor")
        return Descriptor(name=None, service=None, problems=tuple(problems.found))
    word = grammar.word(ROOT)
    set_aside(root, word, problems)
    section = Section(element=root, problems=problems)
    domain = section.required_value("domain", service_part)
    own = section.required_value("name", service_part)
    name = ServiceName(domain=domain, name=own) if domain and own else None
    obstacle = None if foreign else _find_obstacle(section, path)
    is_foreign = obstacle is not None or (foreign and not _is_python(section))
    service = _read_service(
        section, name or ServiceName(domain="", name=""), path, around, destinations, filters, is_foreign
    )
    check_units(root, word, grammar, problems)
    found = (*problems.found, *misnamed_files(path.parent, around))
    if obstacle is not None:
        service = attrs.evolve(service, obstacle=obstacle.text)
        severity = Severity.SERVICE if service.is_active else Severity.WARNING
        found = (attrs.evolve(obstacle, severity=severity), *(_without_worker(one, severity) for one in found))
    return Descriptor(
        name=name,
        service=None if has_errors(found) else service,
        problems=found,
        draft=None if name is None else service,
    )


def _read_service(
    section: Section,
    name: ServiceName,
    path: PurePath,
    around: Surroundings,
    destinations: frozenset[str],
    filters: Filters,
    is_foreign: bool,
) -> ServiceConfig:
    version = section.attribute("version", text, "1.0")
    if version != "1.0":
        section.warning(f'{shown(version)} is not "1.0", the only version there is; read as 1.0', at="@version")
    classpath = section.child("classpath")
    if classpath is not None and any(classpath.children("path")):
        classpath.warning("has no effect: Python services have no class path")
    destination = section.value("destination", text, DEFAULT_DESTINATION)
    if destination not in destinations:
        hint = nearest(destination, destinations)
        section.error(f"there is no destination {shown(destination)} in iaconfig.xml{hint}", at="destination")
    constants, encrypted = _read_constants(section, path, around)
    mapped = _read_mapped_input(section)
    return ServiceConfig(
        name=name,
        descriptor=path,
        script=(None if is_foreign else _read_script(section, path, around)) or path,
        initial_state=section.required_value("initial-state", choice(InitialState)) or InitialState.INACTIVE,
        mapped_input=mapped,
        constants=constants,
        encrypted_constants=encrypted,
        destination=destination,
        retry=read_retry(section, SERVICE_RETRY),
        dedup_filter=read_choice(section, filters, mapped, (*constants, *encrypted)),
        access=read_access(section, attrs.evolve(around, folder=path.parent)),
        **attrs.asdict(read_work(section), recurse=False),
    )


def _is_python(section: Section) -> bool:
    scripts = list(section.children("script"))
    return (
        bool(scripts)
        and not any(section.children("javaclient"))
        and all((script.element.get("lang") or "").strip().lower() not in JAVASCRIPT for script in scripts)
    )


def _find_obstacle(section: Section, path: PurePath) -> Problem | None:
    """Tell of a service that is written for the original's Java engine."""
    for name in ("javaclient", "script"):
        for element in section.children(name):
            language = (element.element.get("lang") or "").strip().lower()
            if name == "script" and language not in JAVASCRIPT:
                continue
            kind = "a JavaScript service" if name == "script" else "a JavaClient integration"
            file = next(iter(element.children("file")), None)
            text_of_file = "" if file is None else (file.element.text or "").strip()
            named = f" ({shown(text_of_file)})" if text_of_file else ""
            section.problems.blamed.add(element.element)
            return Problem(
                file=section.problems.file,
                line=line_of(element.element),
                where=element.where,
                text=f"{path.name} is {kind}{named}, which this agent cannot run; {COUNTERPART}",
            )
    return None


def _without_worker(problem: Problem, severity: Severity) -> Problem:
    """Return the problem as it weighs for a service that has no worker anyway."""
    is_milder = problem.severity is Severity.ERROR and problem.where.removeprefix(f"{ROOT}/").startswith(OF_WORKERS)
    return attrs.evolve(problem, severity=severity) if is_milder else problem


def _read_script(section: Section, path: PurePath, around: Surroundings) -> PurePath | None:
    script = section.required_child("script")
    if script is None:
        return None
    language = script.required_attribute("lang", text)
    file = script.required_value("file", slashed)
    if language is not None and language.lower() != "python":
        script.error(f'{shown(language)} is not a language for services; the only one is "python"', at="@lang")
    if file is None:
        return None
    whole_path = resolved(path.parent, file)
    if file.startswith("/") or not whole_path.is_relative_to(around.home):
        script.error(f"{shown(file)} must be relative to the descriptor and stay in the agent home", at="file")
    elif trouble := around.files.trouble(whole_path):
        script.error(f"the script {relative_name(whole_path, around.home)} {trouble}", at="file")
    else:
        warn_of_old_switch(script, around.files.read(whole_path, max_bytes=MAX_FILE_BYTES).data)
    return whole_path


def _read_mapped_input(section: Section) -> MappedInput | None:
    mapped = section.child("mapped-input")
    if mapped is None:
        return None
    method = mapped.required_attribute("method", text)
    parameters: list[MappedParameter] = []
    for parameter in mapped.children("parameter"):
        name = parameter.text(_key, "")
        if name and _token_of(name) in {_token_of(earlier.name) for earlier in parameters}:
            parameter.warning(f"{shown(name)} stands twice; the later value will replace the earlier")
        kind = parameter.attribute("type", choice(ValueType), ValueType.AUTO)
        parameters.append(MappedParameter(name=name, type=kind))
    subclass = mapped.attribute("subclass", text, "") if mapped.element.get("subclass", "").strip() else ""
    return MappedInput(method=method or "", subclass=subclass, parameters=tuple(parameters))


def _read_constants(
    section: Section, path: PurePath, around: Surroundings
) -> tuple[tuple[Constant, ...], tuple[EncryptedConstant, ...]]:
    parent = section.child("constants")
    plain: list[Constant] = []
    encrypted: list[EncryptedConstant] = []
    if parent is None:
        return (), ()
    known: set[str] = set()
    for element in parent.element:
        constant = Section(element=element, problems=section.problems)
        name = constant.required_attribute("name", _key) or ""
        kind = constant.attribute("type", choice(ValueType), ValueType.AUTO)
        overwrite = constant.attribute("overwrite", boolean, False)
        if name.lower() in NO_CONSTANTS:
            constant.warning(f"{shown(name)} has no effect: it is never taken from a constant", at="@name")
        if name and name.lower() in known:
            constant.warning(f"{shown(name)} stands twice; {_TWICE[overwrite]}", at="@name")
            if not overwrite:
                continue
            plain = [each for each in plain if each.name.lower() != name.lower()]
            encrypted = [each for each in encrypted if each.name.lower() != name.lower()]
        known.add(name.lower())
        if local_name(element) == "constant":
            value = constant.text(_any_text, "", may_be_empty=True)
            plain.append(Constant(name=name, value=value, type=kind, overwrite=overwrite))
        else:
            file, secret = _read_encrypted(constant, path, around)
            encrypted.append(EncryptedConstant(name=name, path=file, secret=secret, type=kind, overwrite=overwrite))
    return tuple(plain), tuple(encrypted)


def _read_encrypted(constant: Section, path: PurePath, around: Surroundings) -> tuple[PurePath, Secret]:
    """Read an encrypted password file: from the descriptor's folder, else from the home, as the samples write it."""
    nothing = path, Secret("")
    file = constant.required_value("file", slashed)
    if file is None:
        return nothing
    candidates = [resolved(path.parent, file), resolved(around.home, file)]
    troubles = {candidate: around.files.trouble(candidate) for candidate in candidates}
    for candidate, trouble in troubles.items():
        if not trouble:
            return candidate, _secret_at(candidate, constant, around)
    told = "; ".join(f"{relative_name(candidate, around.home)} {trouble}" for candidate, trouble in troubles.items())
    constant.error(f"the password file cannot be read: {told}", at="file")
    return nothing


def _secret_at(path: PurePath, constant: Section, around: Surroundings) -> Secret:
    found = around.files.read(path, max_bytes=MAX_PASSWORD_FILE_BYTES)
    trouble = found.trouble
    if not trouble:
        try:
            return around.secret_in(found.data, path, may_be_plain=False)
        except ValueError as error:
            trouble = str(error)
    constant.error(f"the password file {relative_name(path, around.home)} {trouble}", at="file")
    return Secret("")


def _key(value: str) -> str:
    """Read the name of a token (`agent.event.apxml.MAX_KEY`)."""
    text(value)
    if len(value) > MAX_KEY:
        raise Unfit(f"{shown(value)} is {len(value)} characters long, a token's name has at most {MAX_KEY}")
    return value


def _token_of(name: str) -> str:
    """Names that become the same token (`agent.event.apxml.token_key`), near enough for a warning."""
    return re.sub(r"[^\w.-]", "_", name.lower())


def _any_text(value: str) -> str:
    """Read the value of a constant: line breaks are welcome."""
    if len(value) > 65536:
        raise Unfit(f"{shown(value)} is {len(value)} characters long, at most 65536 are allowed")
    return value
