"""What commands are handed: the edges behind factories, so that a command reaches only for what it needs.

`iadmin.main` fills a `Tools` with the real ones, tests fill it with fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import attrs
import click

from agent.config.model import AgentConfig, GatewayConfig, HttpDestination
from agent.config.outbound import Proxy
from agent.config.problem import Problem
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Switches

if TYPE_CHECKING:
    from iadmin.model import Anchors, Hop, HopRoute, Probed
    from keystoretools import Certificate

CONFIG_NAMES: Final = ("iaconfig.xml", "IAConfig.xml")
"""What the configuration file in `conf/` may be called; one of them makes a folder a home."""


class LetterChanges(Protocol):
    """What can be done to dead letters: those that are not dead are passed over, the numbers say how many were.

    `edit` raises `AgentError` when the new body is not what the event is.
    """

    def replay(self, ids: Sequence[str]) -> int: ...

    def purge(self, ids: Sequence[str]) -> int: ...

    def edit(self, letter_id: str, body: bytes) -> bool: ...


class AgentLink(LetterChanges, Protocol):
    """The running agent; `iadmin.link.Link` is the real one."""

    def status(self) -> dict[str, Any]: ...

    def services(self) -> list[dict[str, Any]]: ...

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]: ...

    def event(self, event_id: str) -> dict[str, Any] | None: ...

    def dead_letters(self, filters: Mapping[str, str]) -> list[dict[str, Any]]: ...

    def letter_body(self, letter_id: str) -> bytes | None: ...

    def destinations(self) -> list[dict[str, Any]]: ...

    def pause(self, destination: str, *, is_paused: bool) -> None: ...

    def ask_destination(self, destination: str, question: Mapping[str, object]) -> dict[str, Any]: ...

    def strangers(self) -> dict[str, Any]: ...

    def certificates(self) -> list[dict[str, Any]]: ...

    def reload(self) -> dict[str, Any]: ...

    def stop(self, *, now: bool) -> None: ...


class EventJournal(Protocol):
    """The spool's files, read without the agent; `agent.spool.journal.Journal` is the real one.

    Raises `AgentError` with code `spool-missing` where the agent has never run.
    """

    def events(
        self, *, service: str = "", state: str = "", limit: int = 50, after: str = "", before: str = ""
    ) -> list[dict[str, Any]]: ...

    def event(self, event_id: str) -> dict[str, Any] | None: ...

    def dead_letters(
        self,
        *,
        service: str = "",
        destination: str = "",
        since: str = "",
        before: str = "",
        match: str = "",
        limit: int = 50,
    ) -> list[dict[str, Any]]: ...

    def body(self, letter_id: str) -> bytes | None: ...

    def counts(self) -> dict[str, Any]: ...

    def oldest(self) -> dict[str, Any]: ...


class Process(Protocol):
    """A process that may end."""

    def is_gone(self, *, within_s: float) -> bool:
        """Wait for its end; False when it still lives after the time."""


class SavedFile(Protocol):
    """A file that was written; `backup` is the path of what was there before, None where nothing was."""

    @property
    def backup(self) -> Path | None: ...

    @property
    def created(self) -> bool: ...


class SafeFiles(Protocol):
    """Files that are replaced whole or not at all; `keystoretools.files` is the real one. Raises `KeystoreError`."""

    def load(self, path: Path) -> bytes: ...

    def locked(self, path: Path) -> AbstractContextManager[None]: ...

    def save(
        self,
        path: Path,
        data: bytes,
        *,
        now: datetime,
        backup: bool = True,
        create: bool = False,
        expected: bytes | None = None,
        check: Callable[[bytes], object] | None = None,
    ) -> SavedFile: ...


class Prober(Protocol):
    """Looks at a port from outside; `iadmin.probe` is the real one. Each call waits for at most some seconds."""

    def look(self, host: str, port: int, *, name: str) -> Probed:
        """What `port` of `host` speaks, asked for `name` (SNI; empty: for nobody). Never raises for what it meets."""

    def trusts(self, chain: Sequence[bytes], anchors: Anchors) -> str:
        """Why somebody with these anchors does not accept a chain (DER, own certificate first); empty: accepted."""

    def system_anchors(self) -> Anchors | None:
        """What this machine's own programs trust; None where it has no such list."""

    def java_truststores(self) -> Sequence[Path]:
        """Java's default trust stores on this machine."""


class Walker(Protocol):
    """Walks the way to a destination; `iadmin.hops.Walker` is the real one."""

    def walk(self, route: HopRoute) -> Sequence[Hop]:
        """The hops up to the first that is broken. Never raises for what it meets."""


class Presented(Protocol):
    """A key with its certificates as a gateway presents them; without the key's secrets."""

    @property
    def alias(self) -> str: ...

    @property
    def chain(self) -> Sequence[Certificate]: ...

    @property
    def names(self) -> Sequence[str]: ...


class KeyMaterial(Protocol):
    """What a gateway would serve; the first identity to those who name nobody."""

    @property
    def identities(self) -> Sequence[Presented]: ...

    @property
    def anchors(self) -> Sequence[Certificate]: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    @property
    def is_selfmade(self) -> bool: ...


@attrs.frozen(kw_only=True)
class PostAnswer:
    """What the service gateway said to a posted event."""

    status: int
    content_type: str
    body: bytes


class Poster(Protocol):
    """Posts a body to a URL; `iadmin.commands.sending.post` is the real one. Raises `MachineError`.

    `headers` are further header fields. Over `https` one of the certificates in `trusted` (DER) must be presented.
    """

    def __call__(
        self, url: str, content_type: str, body: bytes, *, headers: Mapping[str, str], trusted: Sequence[bytes]
    ) -> PostAnswer: ...


class SpoolUpkeep(Protocol):
    """What can be done to the files of a spool; shapes as in `agent.spool.upkeep.Upkeep`."""

    def check(self) -> dict[str, Any]: ...

    def stats(self) -> dict[str, Any]: ...

    def compact(self) -> dict[str, Any]: ...

    def salvage(self, source: Path) -> dict[str, Any]: ...


class OpenUpkeep(Protocol):
    """The spool of a home. With `alone` the lock of the home is held meanwhile, so that no agent can start."""

    def __call__(self, home: Path, *, alone: bool) -> AbstractContextManager[SpoolUpkeep]: ...


@attrs.frozen(kw_only=True)
class Tools:
    """Everything outside of iadmin. Factories take the agent home, an absolute path.

    `load_config` raises `AgentError` (`ConfigFaults` with all problems); `exposures` says what others of the machine
    can get at; `effective` turns a configuration into
    JSON-able values with secrets masked. `post` sends an event. `working` is a context manager that
    tells a person at a terminal what is being waited for; `progress` shows how much of a number is done, and gives the
    function to be called with it. `key_material` reads and checks what a gateway would serve (a self-signed certificate
    is made where nothing is configured) and raises `AgentError`; `prober` looks at ports,
    `walker` at the way to a destination; `login_fields` are the header fields with a destination's credentials,
    `proxy_of` is the proxy that it is sent by. `ask` puts a question that is
    answered with yes or no, None where nobody is there to ask; `edit_file` opens that person's editor on a file and
    waits. `open_changes` holds the lock of a home without an agent while its dead letters are changed. `ask_secret`
    puts a question to that person and returns the answer, None where nobody is there to ask. `machine_names` are what
    other machines may call this one.
    """

    switches: Switches
    environ: Mapping[str, str]
    cwd: Path
    stdin: BinaryIO
    now: Callable[[], datetime]
    template: Callable[[str], Traversable]
    load_config: Callable[[Path], tuple[AgentConfig, Sequence[Problem]]]
    exposures: Callable[[Path], Sequence[Problem]]
    effective: Callable[[AgentConfig], dict[str, object]]
    open_journal: Callable[[Path], EventJournal]
    open_link: Callable[[Path], AgentLink]
    running_pid: Callable[[Path], int | None]
    watch: Callable[[int], Process]
    post: Poster
    working: Callable[[str], AbstractContextManager[object]]
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
    ask: Callable[[str], bool | None]
    edit_file: Callable[[Path], None]
    open_changes: Callable[[Path], AbstractContextManager[LetterChanges]]
    open_upkeep: OpenUpkeep
    safe_files: Callable[[], SafeFiles]
    ask_secret: Callable[[str], str | None]
    machine_names: Callable[[], Sequence[str]]
    key_material: Callable[[Path, GatewayConfig], KeyMaterial]
    prober: Callable[[], Prober]
    walker: Callable[[AgentConfig], Walker]
    login_fields: Callable[[HttpDestination], Mapping[str, str]]
    proxy_of: Callable[[HttpDestination], Proxy | None]

    @property
    def home(self) -> Path:
        """The agent home: `--home`, else `$IA_HOME`, else `./home`. Raises `OperatorError` when it is not one."""
        named = self.switches.home or self.environ.get("IA_HOME", "")
        home = self.cwd / (named or "home")
        if is_home(home):
            return home
        if named:
            source = "--home" if self.switches.home else "IA_HOME"
            found = f"{source} names {str(home)!r}, which is no agent home (it has no conf/{CONFIG_NAMES[0]})"
        else:
            found = "neither --home nor IA_HOME names an agent home, and there is none in ./home"
        raise OperatorError("no-home", f'{found}; "iadmin init DIR" makes a new one', exit_status=ExitStatus.NO_INPUT)

    @property
    def config_file(self) -> Path:
        """The configuration file of the home."""
        folder = self.home / "conf"
        return next(folder / name for name in CONFIG_NAMES if (folder / name).is_file())

    def agent_pid(self) -> int | None:
        """The pid of the agent on this home, 0 when it has just started, None when there is none."""
        return self.running_pid(self.home / "var" / "run" / "agent.pid")


def is_home(folder: Path) -> bool:
    """Whether a folder is an agent home. A folder that we may not look into is not."""
    return any((folder / "conf" / name).is_file() for name in CONFIG_NAMES)


pass_tools = click.make_pass_decorator(Tools)
