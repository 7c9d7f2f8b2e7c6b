"""Fakes for everything outside of iadmin, and one way to run a command against them."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import Any

import attrs
import pytest

from agent.config.files import DiskFiles, load_schema
from agent.config.lint import Lint
from agent.config.model import AgentConfig, GatewayConfig, InitialState, OutboxDestination, ServiceConfig
from agent.config.problem import ConfigFaults, Problem
from agent.errors import AgentError
from agent.names import ServiceName
from agent.secret import Secret
from iadmin.commandline import run_command
from iadmin.commands.edges import ClientFiles, LetterChanges, PostAnswer
from iadmin.commands.lazy import Switches
from iadmin.commands.tools import Tools
from iadmin.diagnosis.home import Reach
from iadmin.render import page
from keystoretools import files

NOW = datetime(2025, 7, 30, 12, 0, 0, tzinfo=UTC)
EVENT_ID = "019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52"
PID = 4711


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "id": EVENT_ID,
        "service": "applications|sample-plan",
        "state": "done",
        "received": "2025-07-30T10:22:31.123+00:00",
        "attempt": 1,
        "size_bytes": 231,
        "peer": "127.0.0.1",
        "priority": "normal",
        "group": "",
        "reason": "",
    } | changes


def detail(**changes: Any) -> dict[str, Any]:
    return (
        summary()
        | {
            "kind": "xml",
            "content_type": "application/x-www-form-urlencoded",
            "charset": None,
            "path": "",
            "query": "",
            "body": "<event>\n  <city>Victoria</city>\n</event>",
            "body_cut": False,
            "steps": [
                {"at": "2025-07-30T10:22:31.123+00:00", "step": "received", "text": "from 127.0.0.1"},
                {"at": "2025-07-30T10:22:31.126+00:00", "step": "stored", "text": ""},
                {"at": "2025-07-30T10:22:31.140+00:00", "step": "handed", "text": "attempt 1"},
                {"at": "2025-07-30T10:22:31.190+00:00", "step": "done", "text": "1 request"},
            ],
            "requests": [
                {
                    "id": f"{EVENT_ID}/1",
                    "destination": "outbox",
                    "state": "done",
                    "attempt": 1,
                    "method": "",
                    "path": "",
                    "content_type": "application/json",
                    "body": '{"city": "Victoria"}',
                    "headers": [["X-Test", "1"]],
                    "created": "2025-07-30T10:22:31.190+00:00",
                    "answer": {"status": 0, "where": "var/outbox/outbox.jsonl", "body": "", "content_type": ""},
                    "reason": "",
                    "steps": [{"at": "2025-07-30T10:22:31.201+00:00", "step": "sent", "text": "to outbox"}],
                }
            ],
        }
        | changes
    )


STATUS: dict[str, Any] = {
    "state": "running",
    "version": "0.1.0",
    "agent_id": "plant7-agent",
    "home": "/srv/agent",
    "pid": PID,
    "started": "2025-07-30T09:47:00.000+00:00",
    "uptime_s": 8000,
    "gateways": [{"host": "127.0.0.1", "port": 8081, "ssl": False}],
    "services": [
        {
            "service": "applications|sample-plan",
            "state": "active",
            "url_name": "applications_sample-plan",
            "runnable": True,
            "pid": 4712,
            "started": "2025-07-30T09:47:01.000+00:00",
            "hooks": ["on_event"],
            "restarts": 0,
            "in_hand": 1,
            "waiting": 3,
            "last_error": "",
            "last_request": "2025-07-30T10:22:31.123+00:00",
        }
    ],
    "destinations": [
        {
            "destination": "outbox",
            "kind": "outbox",
            "target": "/srv/agent/var/outbox/outbox.jsonl",
            "backlog": 0,
            "in_hand": 0,
            "last_success": "2025-07-30T10:22:31.201+00:00",
            "last_error": "",
        }
    ],
    "spool": {
        "services": {"applications|sample-plan": {"done": 12, "waiting": 3, "dead": 1}},
        "destinations": {"outbox": {"done": 12}},
    },
    "warnings": [],
}


def letter(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A dead letter in a list; `number` is the request's, 0 for the event itself."""
    return {
        "id": f"{EVENT_ID}/{number}" if number else EVENT_ID,
        "kind": "request" if number else "event",
        "service": "applications|sample-plan",
        "destination": "outbox" if number else "",
        "received": "2025-07-30T10:22:31.123+00:00",
        "died": "2025-07-30T11:00:00.000+00:00",
        "attempt": 10,
        "size_bytes": 231,
        "peer": "127.0.0.1",
        "priority": "normal",
        "group": "",
        "reason": "on_event raised KeyError: 'pump'",
    } | changes


ACCEPTED = PostAnswer(status=202, content_type="application/json", body=json.dumps({"requestId": EVENT_ID}).encode())


@attrs.define
class FakeLetters:
    """Dead letters by id, changed as the spool would; `refusal` is raised after `patience` orders.

    `meanwhile`: ids that somebody else purges with the first order.
    """

    listed: list[dict[str, Any]] = attrs.field(factory=list)
    bodies: dict[str, bytes] = attrs.field(factory=dict)
    replayed: list[str] = attrs.field(factory=list)
    purged: list[str] = attrs.field(factory=list)
    meanwhile: list[str] = attrs.field(factory=list)
    orders: int = 0
    patience: int = 1000
    refusal: BaseException | None = None

    def add(self, one: dict[str, Any], body: bytes = b"<event/>") -> None:
        self.listed.append(one)
        self.bodies[one["id"]] = body

    def page(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As the journal answers: the last to die first, `before` exclusive; `after` is the place of a letter."""
        chosen = [
            one
            for one in self.listed
            if one["id"] in self.bodies
            and filters.get("service", "") in ("", one["service"])
            and filters.get("destination", "") in ("", one["destination"])
            and ("since" not in filters or _time(one["died"]) >= _time(filters["since"]))
            and ("before" not in filters or _time(one["died"]) < _time(filters["before"]))
        ]
        chosen.sort(key=lambda one: _time(one["died"]), reverse=True)
        placed = [{**one, "place": one["id"]} for one in chosen]
        if filters.get("after"):
            ids = [one["id"] for one in placed]
            placed = placed[ids.index(filters["after"]) + 1 :]
        if filters.get("bodies") in (True, "true"):
            # Few at a time, as where bodies are large.
            return [
                {
                    **one,
                    **({"content_type": _type(one), "steps": []} if filters.get("roads") in (True, "true") else {}),
                    "body_base64": base64.b64encode(self.bodies[one["id"]]).decode(),
                }
                for one in placed[:3]
            ]
        return placed[: int(filters["limit"])]

    def replay(self, ids: Sequence[str]) -> int:
        return self._take(ids, self.replayed)

    def purge(self, ids: Sequence[str]) -> int:
        return self._take(ids, self.purged)

    def edit(self, letter_id: str, body: bytes) -> bool:
        self._obey()
        if letter_id not in self.bodies:
            return False
        self.bodies[letter_id] = body
        return True

    def _take(self, ids: Sequence[str], into: list[str]) -> int:
        self._obey()
        dead = [letter_id for letter_id in ids if self.bodies.pop(letter_id, None) is not None]
        into += dead
        return len(dead)

    def _obey(self) -> None:
        self.orders += 1
        if self.refusal is not None and self.orders > self.patience:
            raise self.refusal
        for letter_id in self.meanwhile:
            self.bodies.pop(letter_id, None)


def _type(one: Mapping[str, Any]) -> str:
    return "application/json" if "/" in one["id"] else "application/xml"


def event_page(listed: Sequence[dict[str, Any]], filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As the journal answers: behind `before`, and with bodies a few at a time; `body` of an event is its whole one."""
    ids = [one["id"] for one in listed]
    found = list(listed[ids.index(filters["before"]) + 1 :] if filters.get("before") else listed)
    if filters.get("bodies") in (True, "true"):
        whole = [(one, base64.b64encode(str(one.get("body", "<event/>")).encode()).decode()) for one in found[:3]]
        return [{**one, "steps": [], "body_base64": body} for one, body in whole]
    return found[: int(filters.get("limit", 50))]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@attrs.define
class FakeLink:
    """A running agent."""

    status_answer: dict[str, Any] = attrs.field(factory=lambda: dict(STATUS))
    listed: list[dict[str, Any]] = attrs.field(factory=lambda: [summary()])
    shown: dict[str, Any] | None = attrs.field(factory=detail)
    asked: list[Any] = attrs.field(factory=list)
    stops: list[bool] = attrs.field(factory=list)
    reloads: int = 0
    restart_needed: list[str] = attrs.field(factory=list)
    book: dict[str, Any] = attrs.field(factory=lambda: {"strangers": [], "forgotten": {}})
    presented: list[dict[str, Any]] = attrs.field(factory=list)
    failure: Exception | None = None
    letters: FakeLetters = attrs.field(factory=FakeLetters)
    said: dict[str, Any] = attrs.field(factory=dict)
    level: str = "info"
    trouble: str = ""
    pages: list[dict[str, Any]] = attrs.field(factory=list)

    def dead_letters(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        self._fail()
        self.asked.append(dict(filters))
        return self.letters.page(filters)

    def letter_body(self, letter_id: str) -> bytes | None:
        self._fail()
        return self.letters.bodies.get(letter_id)

    def replay(self, ids: Sequence[str]) -> int:
        self._fail()
        return self.letters.replay(ids)

    def purge(self, ids: Sequence[str]) -> int:
        self._fail()
        return self.letters.purge(ids)

    def edit(self, letter_id: str, body: bytes) -> bool:
        self._fail()
        return self.letters.edit(letter_id, body)

    def status(self) -> dict[str, Any]:
        self._fail()
        return self.status_answer

    def services(self) -> list[dict[str, Any]]:
        self._fail()
        return list(self.status_answer["services"])

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        self._fail()
        self.asked.append({name: value for name, value in filters.items() if value})
        return event_page(self.listed, filters)

    def event(self, event_id: str) -> dict[str, Any] | None:
        self._fail()
        self.asked.append(event_id)
        return self.shown

    def stop(self, *, now: bool) -> None:
        self._fail()
        self.stops.append(now)

    def destinations(self) -> list[dict[str, Any]]:
        self._fail()
        return list(self.status_answer["destinations"])

    def pause(self, destination: str, *, is_paused: bool) -> None:
        self._fail()
        self.asked.append((destination, is_paused))

    def ask_destination(self, destination: str, question: Mapping[str, object]) -> dict[str, Any]:
        self._fail()
        self.asked.append((destination, dict(question)))
        return self.said

    def tail(self, query: Mapping[str, str]) -> dict[str, Any]:
        self._fail()
        self.asked.append({name: value for name, value in query.items() if value})
        return self.pages.pop(0) if self.pages else {"next": "e.9", "lost": 0, "more": False, "entries": []}

    def strangers(self) -> dict[str, Any]:
        self._fail()
        return self.book

    def certificates(self) -> list[dict[str, Any]]:
        self._fail()
        return self.presented

    def suspend(self, service: str, *, now: bool, refuse: bool) -> dict[str, Any]:
        return self._ordered("suspend", service, now, refuse)

    def resume(self, service: str) -> dict[str, Any]:
        return self._ordered("resume", service)

    def restart(self, service: str) -> dict[str, Any]:
        return self._ordered("restart", service)

    def put_in(self, service: str, body: bytes, content_type: str) -> str:
        self._ordered(f"put in {content_type} {body.decode()}", service)
        return "new"

    def repeat(self, event_id: str) -> str:
        self._ordered("repeat", event_id)
        return "new"

    def purge_service(self, service: str) -> int:
        self._ordered("purge", service)
        return 3

    def queues(self) -> dict[str, Any]:
        self._fail()
        return {"applications|sample-plan": {"inbound": {"normal": 2, "high": 1}}}

    def settings(self) -> dict[str, Any]:
        self._fail()
        return {"agent_id": "plant7-agent", "gateways": [{"port": 8081}]}

    def log_level(self) -> str:
        self._fail()
        return self.level

    def set_log_level(self, level: str) -> None:
        self._fail()
        self.level = level

    def reload(self, service: str = "") -> dict[str, Any]:
        self._fail()
        self.reloads += 1
        self.asked.append(("reload", service))
        return {"changes": ["it has changed"], "restart_needed": self.restart_needed, "warnings": []}

    def _ordered(self, *order: object) -> dict[str, Any]:
        self._fail()
        self.asked.append(order)
        return {"service": order[1], "state": "suspended", "trouble": self.trouble}

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@attrs.define
class FakeJournal:
    """The files of a spool."""

    listed: list[dict[str, Any]] = attrs.field(factory=lambda: [summary()])
    asked: list[Any] = attrs.field(factory=list)
    failure: Exception | None = None
    letters: FakeLetters = attrs.field(factory=FakeLetters)
    ages: dict[str, Any] = attrs.field(factory=lambda: {"dead": None, "open": {}})

    def dead_letters(self, **filters: Any) -> list[dict[str, Any]]:
        self._fail()
        return self.letters.page(filters)

    def body(self, letter_id: str) -> bytes | None:
        self._fail()
        return self.letters.bodies.get(letter_id)

    def oldest(self) -> dict[str, Any]:
        self._fail()
        return self.ages

    def events(self, **filters: Any) -> list[dict[str, Any]]:
        self._fail()
        self.asked.append(filters)
        return event_page(self.listed, filters)

    def event(self, event_id: str) -> dict[str, Any] | None:
        self._fail()
        self.asked.append(event_id)
        return detail() if EVENT_ID.startswith(event_id) else None

    def counts(self) -> dict[str, Any]:
        self._fail()
        return dict(STATUS["spool"])

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@attrs.define
class FakeStarted:
    """An agent that was started in the background: up at once, or ended with `status` after saying why."""

    status: int | None = None
    complaints: list[str] = attrs.field(factory=list)
    pid: int = PID

    def ended(self) -> int | None:
        return self.status

    def said(self) -> list[str]:
        return self.complaints


@attrs.define
class FakeProcess:
    gone: bool = True
    waited: list[float] = attrs.field(factory=list)

    def is_gone(self, *, within_s: float) -> bool:
        self.waited.append(within_s)
        return self.gone


def service_config(domain: str, name: str, state: InitialState = InitialState.ACTIVE) -> ServiceConfig:
    return ServiceConfig(
        name=ServiceName(domain=domain, name=name),
        descriptor=PurePath(f"/srv/agent/services/{name}/{name}.xml"),
        script=PurePath(f"/srv/agent/services/{name}/{name}.py"),
        initial_state=state,
    )


def agent_config(*services: ServiceConfig) -> AgentConfig:
    return AgentConfig(
        home=PurePath("/srv/agent"),
        source=PurePath("/srv/agent/conf/iaconfig.xml"),
        agent_id="plant7-agent",
        gateways=(GatewayConfig(host="127.0.0.1", port=8081),),
        services=services or (service_config("applications", "sample-plan"),),
        destinations=(OutboxDestination(name="outbox", path=PurePath("/srv/agent/var/outbox/outbox.jsonl")),),
    )


@attrs.define
class FakeScreen:
    """A terminal on which Ctrl-C is pressed after so many pauses; `between` is called in each."""

    is_terminal: bool = True
    patience: int = 2
    said: list[str] = attrs.field(factory=list)
    warned: list[str] = attrs.field(factory=list)
    tones: list[str] = attrs.field(factory=list)
    shown: list[str] = attrs.field(factory=list)
    pauses: list[float] = attrs.field(factory=list)
    between: Callable[[], object] = lambda: None

    def say(self, line: str, tone: str = "") -> None:
        self.said.append(line)
        self.tones.append(tone)

    def warn(self, sentence: str) -> None:
        self.warned.append(sentence)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > self.patience:
            raise KeyboardInterrupt
        self.between()

    @contextlib.contextmanager
    def redrawn(self) -> Iterator[Callable[[Sequence[Any]], None]]:
        yield lambda blocks: self.shown.append(page(blocks))


class FakeMachine:
    """A machine on which all is well."""

    def file_system(self, folder: Path) -> str:
        return "ext4"

    def room(self, folder: Path) -> tuple[int, int | None]:
        return 10**12, None

    def sync_s(self, folder: Path) -> float:
        return 0.001

    def is_clock_synchronised(self) -> bool | None:
        return True

    def resolves(self, name: str) -> bool:
        return True

    def accounts(self, folder: Path) -> tuple[str, str, bool]:
        return "ia", "ia", False

    def agent_account(self, home: Path, pid: int | None) -> str:
        return "ia"

    def reach(self, path: Path, account: str, *, is_folder: bool) -> Reach:
        return Reach.WRITABLE

    def descriptors(self, pid: int) -> int | None:
        return 65536

    def why_not_bound(self, host: str, port: int) -> tuple[str, str]:
        return "", ""

    def port_owner(self, port: int) -> str:
        return ""


@attrs.define
class World:
    """What iadmin is run against; tests change it, then call `run`."""

    cwd: Path
    capsys: pytest.CaptureFixture[str]
    environ: dict[str, str] = attrs.field(factory=dict)
    running: bool = True
    pids: list[int | None] | None = None
    link: FakeLink = attrs.field(factory=FakeLink)
    journal: FakeJournal = attrs.field(factory=FakeJournal)
    process: FakeProcess = attrs.field(factory=FakeProcess)
    started: FakeStarted = attrs.field(factory=FakeStarted)
    starts: list[Path] = attrs.field(factory=list)
    commands: dict[str, str] = attrs.field(factory=dict)
    config: AgentConfig = attrs.field(factory=agent_config)
    warnings: Sequence[Problem] = ()
    faults: Sequence[Problem] = ()
    posts: list[tuple[str, str, bytes]] = attrs.field(factory=list)
    client_files: ClientFiles | None = None
    post_facts: list[tuple[dict[str, str], tuple[bytes, ...]]] = attrs.field(factory=list)
    answer: PostAnswer = ACCEPTED
    stdin: bytes = b""
    letters: FakeLetters = attrs.field(factory=FakeLetters)
    answers: list[bool] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)
    edits: list[Callable[[bytes], bytes]] = attrs.field(factory=list)
    bars: list[tuple[str, int, list[int]]] = attrs.field(factory=list)
    locks: list[Path] = attrs.field(factory=list)
    material: Any = None
    material_asked: list[GatewayConfig] = attrs.field(factory=list)
    prober: Any = None
    walker: Any = None
    secrets: list[str] = attrs.field(factory=list)
    questions: list[str] = attrs.field(factory=list)
    exposures: list[Problem] = attrs.field(factory=list)
    upkeep: Any = None
    exposure_fault: AgentError | None = None
    machine: FakeMachine = attrs.field(factory=lambda: FakeMachine())
    log_batches: list[list[str]] = attrs.field(factory=list)
    followed: list[Path] = attrs.field(factory=list)
    screen: FakeScreen = attrs.field(factory=lambda: FakeScreen())
    trials: Any = None
    until: Callable[[Callable[[], bool], float], bool] = attrs.field(default=lambda look, patience_s: look())

    @property
    def home(self) -> Path:
        return self.cwd / "home"

    def _start_agent(self, home: Path) -> FakeStarted:
        self.starts.append(home)
        return self.started

    def run(self, *arguments: str) -> Answer:
        """Run one command; its home is `./home`."""
        status = run_command(arguments, build=self.build)
        out, err = self.capsys.readouterr()
        return Answer(status, out, err)

    def __attrs_post_init__(self) -> None:
        self.link.letters = self.journal.letters = self.letters

    def build(self, switches: Switches) -> Tools:
        return Tools(
            switches=switches,
            environ=self.environ,
            cwd=self.cwd,
            stdin=io.BytesIO(self.stdin),
            now=lambda: NOW,
            template=self._template,
            load_config=self._load_config,
            check_files=lambda paths: Lint(files=DiskFiles(), schema=load_schema()).check(paths),
            exposures=self._exposures,
            effective=lambda config: {"agent_id": config.agent_id, "gateways": [{"port": 8081, "ssl": False}]},
            open_journal=lambda folder: self.journal,
            open_link=lambda home: self.link,
            open_remote=lambda tools: self.link,
            until=self.until,
            running_pid=self._running_pid,
            watch=lambda pid: self.process,
            start_agent=self._start_agent,
            post=self._post,
            working=lambda what: contextlib.nullcontext(),
            progress=self._progress,
            ask=self._ask,
            edit_file=self._edit_file,
            open_changes=self._open_changes,
            open_upkeep=self._open_upkeep,
            safe_files=lambda: files,
            ask_secret=self._ask_secret,
            command=lambda name: self.commands.get(name, name),
            machine_names=lambda: ["plant7.example.com", "plant7"],
            key_material=self._key_material,
            prober=lambda: self.prober,
            walker=lambda settings: self.walker,
            proxy_of=lambda destination: destination.proxy,
            code_time=lambda service: 0.0,
            open_secret=lambda home, path, data: Secret(f"sealed in {path.name}"),
            machine=lambda: self.machine,
            screen=lambda: self.screen,
            trials=self._trials,
            follow=self._follow,
            login_fields=lambda destination: {"authorization": "Basic canary"} if destination.credentials else {},
        )

    def _trials(self) -> Any:
        from iadmin.rehearsing import ProcessTrials

        return self.trials or ProcessTrials()

    def _follow(self, path: Path) -> contextlib.nullcontext[World]:
        self.followed.append(path)
        return contextlib.nullcontext(self)

    def read(self) -> list[str]:
        """The followed log's next lines."""
        return self.log_batches.pop(0) if self.log_batches else []

    def _exposures(self, home: Path) -> Sequence[Problem]:
        if self.exposure_fault is not None:
            raise self.exposure_fault
        return self.exposures

    def _key_material(self, home: Path, gateway: GatewayConfig) -> Any:
        self.material_asked.append(gateway)
        if isinstance(self.material, Exception):
            raise self.material
        return self.material

    @contextlib.contextmanager
    def _progress(self, what: str, total: int) -> Iterator[Callable[[int], object]]:
        told: list[int] = []
        self.bars.append((what, total, told))
        yield told.append

    def _ask(self, question: str) -> bool | None:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None

    def _edit_file(self, path: Path) -> None:
        path.write_bytes(self.edits.pop(0)(path.read_bytes()))

    @contextlib.contextmanager
    def _open_changes(self, home: Path) -> Iterator[LetterChanges]:
        self.locks.append(home)
        yield self.letters

    @contextlib.contextmanager
    def _open_upkeep(self, home: Path, *, alone: bool) -> Iterator[Any]:
        if alone:
            self.locks.append(home)
        yield self.upkeep

    def _ask_secret(self, question: str) -> str | None:
        self.questions.append(question)
        return self.secrets.pop(0) if self.secrets else None

    def _template(self, folder: str) -> Traversable:
        from agent.templates import template

        return template(folder)

    def _load_config(self, home: Path) -> tuple[AgentConfig, Sequence[Problem]]:
        if self.faults:
            raise ConfigFaults([*self.faults, *self.warnings])
        return self.config, self.warnings

    def _running_pid(self, path: Path) -> int | None:
        assert self.home / "var" / "run" / "agent.pid" == path
        if self.pids is not None:
            return self.pids.pop(0)
        return PID if self.running else None

    def _post(
        self,
        url: str,
        content_type: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        trusted: Sequence[bytes],
        client: ClientFiles | None,
    ) -> PostAnswer:
        self.client_files = client
        self.posts.append((url, content_type, body))
        self.post_facts.append((dict(headers), tuple(trusted)))
        return self.answer


@attrs.frozen
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def make_home(folder: Path) -> None:
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "iaconfig.xml").write_text("<iaconfig/>")
    (folder / "var" / "spool").mkdir(parents=True)
