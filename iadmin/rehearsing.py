"""Services tried by iadmin itself, without an agent: found on the disk, loaded in a process, given an event."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

import attrs

from agent.boundaries import StoredRequest
from agent.config.descriptor import ROOT, read_descriptor
from agent.config.document import MAX_FILE_BYTES, local_name, parse_document
from agent.config.files import DiskFiles, load_config, load_schema
from agent.config.filters import Filters
from agent.config.grammar import Grammar
from agent.config.model import AgentConfig, HttpDestination, OutboxDestination
from agent.config.problem import ConfigFaults, Problem
from agent.config.sending import DEFAULT_DESTINATION, Surroundings
from agent.delivery import OutboundRequest
from agent.errors import DestinationError, ExitStatus, OperatorError
from agent.event import Event
from agent.host.messages import Ask, HttpCall, Told, Verdict
from agent.host.orders import Configured, call_for, load_order
from agent.host.rehearsal import rehearse
from agent.host.trial import try_service
from agent.names import CONFIGURATION_FILES
from agent.upstream.message import Letterhead, body_of, method_of, url_of
from iadmin.trials import Leaving, Loaded, StubAnswer, TrialService, Tried

EVENT_ID: Final = "00000000-0000-7000-8000-000000000000"
"""Of an event that no agent has taken in."""
VERDICTS: Final = {
    Verdict.DONE: "done",
    Verdict.SUPPRESS: "suppressed",
    Verdict.REJECT: "rejected",
    Verdict.RETRY: "retried",
    Verdict.ERROR: "failed",
}


class ProcessTrials:
    """See `iadmin.trials.Trials`. The configuration of a home is read once."""

    def __init__(self) -> None:
        self._configs: dict[Path, AgentConfig] = {}

    def find_trial_service(self, path: PurePath, home: PurePath | None) -> TrialService:
        """The service of a descriptor, of a script's folder, or of a folder with one descriptor; `path` is absolute.

        It runs under the configuration of the home that it lies in, else of `home`, else under none. Raises
        `OperatorError` (66), and `ConfigFaults` with all that is wrong.
        """
        descriptor = _descriptor_at(Path(path))
        around = (
            folder
            for folder in descriptor.parents
            if any((folder / "conf" / name).is_file() for name in CONFIGURATION_FILES)
        )
        own = next(around, None if home is None else Path(home))
        within = None if own is None else self._config(own)
        if within is not None:
            for one in within.services:
                if Path(one.descriptor) == descriptor:
                    return _runnable(TrialService(config=one, home=within.home, within=within))
        return _unlisted(descriptor, own or descriptor.parent, within)

    def load_apart(self, service: TrialService) -> Loaded:
        """Load the script in a process of its own, as a worker does; no hook is called."""
        found = try_service(load_order(service.config, _surroundings(service), counted=()), home=Path(service.home))
        return Loaded(hooks=found.hooks, trouble=found.sentence, detail=found.detail)

    def try_event(self, service: TrialService, event: Event, answers: Sequence[StubAnswer]) -> Tried:
        """Give the service an event; what it asks is answered with `answers` in order, the last one again and again,
        and refused where there are none."""
        request = HttpCall(
            call=2,
            id=event.id,
            method="POST",
            path=event.path,
            query=event.query,
            headers=(("content-type", event.content_type), ("content-length", str(len(event.body)))),
            body=event.body,
            charset=event.charset,
            peer=event.peer,
        )
        config = service.config
        found = rehearse(
            load_order(config, _surroundings(service), counted=()),
            call_for(1, event, attempt=1),
            request,
            answer=_Stubs(service, answers),
            home=Path(service.home),
            hook_timeout_s=config.hook_timeout_s,
        )
        asked = [leaving(service, one) for one in found.asked]
        tried = Tried(verdict="not-loaded", hooks=found.hooks, asked=asked, said=found.said)
        if found.result is None:
            verdict = "failed" if found.is_loaded else "not-loaded"
            return attrs.evolve(tried, verdict=verdict, reason=found.trouble, detail=found.detail)
        result = found.result
        response = found.response
        return attrs.evolve(
            tried,
            verdict=VERDICTS[result.verdict],
            reason=result.reason,
            detail=result.detail,
            after_s=result.after_s,
            sent=[leaving(service, one) for one in result.requests],
            response=None if response is None else (response.status, response.headers, response.body),
        )

    def _config(self, home: Path) -> AgentConfig:
        if home not in self._configs:
            self._configs[home] = load_config(home)[0]
        return self._configs[home]


class _Stubs:
    """Answers questions in the place of destinations: in the order of `answers`, the last one again and again."""

    def __init__(self, service: TrialService, answers: Sequence[StubAnswer]) -> None:
        self._service = service
        self._left = deque(answers)

    def __call__(self, ask: Ask) -> Told:
        name = ask.request.destination
        question = leaving(self._service, ask.request)
        if question.is_file:
            return Told(number=ask.number, trouble=f"{name} is a file, and answers nothing", may_pass=False)
        if question.trouble:
            return Told(number=ask.number, trouble=question.trouble, may_pass=False)
        if not self._left:
            told = f"nothing leaves in a trial, so {name} was not asked; --answer FILE says what it would answer"
            return Told(number=ask.number, trouble=told)
        stub = self._left.popleft() if len(self._left) > 1 else self._left[0]
        return Told(
            number=ask.number,
            status=stub.status,
            where=f"{name} (--answer)",
            content_type=stub.content_type,
            body=stub.body,
        )


def _descriptor_at(path: Path) -> Path:
    folder = path if path.is_dir() else path.parent
    if path.suffix == ".xml":
        return path
    found = [one for one in sorted(folder.glob("*.xml")) if _is_descriptor(one)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(one.name for one in found) or "no descriptor at all"
    raise OperatorError(
        "no-descriptor",
        f"{str(folder)!r} has {listed}; name the descriptor that is meant",
        exit_status=ExitStatus.NO_INPUT,
    )


def _is_descriptor(path: Path) -> bool:
    root = parse_document(path.name, DiskFiles().read(path, max_bytes=MAX_FILE_BYTES).data)
    return not isinstance(root, Problem) and local_name(root) == ROOT


def _unlisted(descriptor: Path, home: Path, within: AgentConfig | None) -> TrialService:
    files = DiskFiles()
    found = files.read(descriptor, max_bytes=MAX_FILE_BYTES)
    if found.trouble:
        raise OperatorError(
            "no-descriptor", f"the descriptor {descriptor} {found.trouble}", exit_status=ExitStatus.NO_INPUT
        )
    names = {DEFAULT_DESTINATION}
    if within is not None:
        names = {one.name for one in within.destinations}
    else:
        root = parse_document(descriptor.name, found.data)
        if not isinstance(root, Problem):
            names |= {(one.text or "").strip() for one in root if local_name(one) == "destination"}
    read = read_descriptor(
        descriptor,
        found.data,
        grammar=Grammar(load_schema()),
        around=Surroundings(home=home, folder=home / "conf", files=files),
        destinations=frozenset(names),
        filters=Filters(found=within.filters if within else ()),
    )
    if read.service is None:
        raise ConfigFaults(read.problems)
    return _runnable(
        TrialService(
            config=read.service, home=home, within=within, warnings=tuple(str(problem) for problem in read.problems)
        )
    )


def _runnable(service: TrialService) -> TrialService:
    """Return it; raise `OperatorError` (78) where no worker can be started for it."""
    if service.config.obstacle:
        raise OperatorError("service-cannot-run", service.config.obstacle, exit_status=ExitStatus.CONFIG)
    return service


def leaving(service: TrialService, request: OutboundRequest) -> Leaving:
    """How a request would go out. The credentials of a destination are left out."""
    plain = Leaving(
        destination=request.destination,
        target="",
        method=request.method,
        path=request.path,
        content_type=request.content_type,
        headers=request.headers,
        body=request.body,
    )
    known = service.within.destinations if service.within else ()
    to = next((one for one in known if one.name == request.destination), None)
    if isinstance(to, OutboxDestination):
        return attrs.evolve(plain, target=str(to.path), is_file=True)
    if not isinstance(to, HttpDestination):
        return plain
    stored = StoredRequest(
        seq=0, id=f"{EVENT_ID}/1", event_seq=0, service=service.config.name.client_id, group="", request=request
    )
    plain = attrs.evolve(plain, target=to.url, content_type=to.body_type or request.content_type)
    try:
        Letterhead(to).fields(stored, {})
        return attrs.evolve(
            plain, method=method_of(to, request), target=url_of(to.url, request.path), body=body_of(to, stored)
        )
    except DestinationError as error:
        return attrs.evolve(plain, trouble=error.sentence)


def _surroundings(service: TrialService) -> Configured:
    return Configured.by(service.within) if service.within else Configured()
