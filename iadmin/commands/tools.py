"""What commands are handed: the edges behind factories, so that a command reaches only for what it needs.

`iadmin.wiring` fills a `Tools` with the real ones, tests fill it with fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import attrs
import click

from agent.config.model import AgentConfig, GatewayConfig, HttpDestination, ServiceConfig
from agent.config.outbound import Proxy
from agent.config.problem import Problem
from agent.errors import ExitStatus, MachineError, OperatorError
from agent.names import CONFIGURATION_FILES
from agent.secret import Secret
from iadmin.commands.edges import (
    AgentLink,
    FollowedLog,
    KeyMaterial,
    LetterChanges,
    Machine,
    OpenUpkeep,
    Poster,
    Prober,
    Process,
    SafeFiles,
    Screen,
    Started,
    Walker,
)
from iadmin.commands.lazy import Switches

if TYPE_CHECKING:
    from agent.administered import StoredEvents
    from agent.config.checked import Checked
    from iadmin.trials import Trials


@attrs.frozen(kw_only=True)
class Tools:
    """Everything outside of iadmin. Factories take the agent home, an absolute path.

    `load_config` raises `AgentError` (`ConfigFaults` with all problems); `check_files` looks through a site's files
    and does not raise; `exposures` says what others of the
    machine can get at; `effective` turns a configuration into JSON-able values with secrets masked. `post` sends an
    event. `working` is a context manager that tells a person at a terminal what is being waited for; `progress`
    shows how much of a number is done, and gives the function to be called with it. `key_material` reads and checks
    what a gateway would serve (a self-signed certificate is made where nothing is configured) and raises
    `AgentError`; `prober` looks at ports, `walker` at the way to a destination; `login_fields` are the header
    fields with a destination's credentials, `proxy_of` is the proxy that it is sent by, `open_secret` opens a sealed
    password file of a home (`ValueError` where it cannot). `ask` puts a question that
    is answered with yes or no, None where nobody is there to ask; `edit_file` opens that person's editor on a file
    and waits. `open_remote` is the link to the agent whose admin gateway `--connect` names. `open_changes` holds
    the lock of a home without an agent while its dead letters are changed. `until` looks again and again until
    something is so, or the seconds are over. `ask_secret` puts a question to that person and returns the answer,
    None where nobody is there to ask. `machine_names` are what other machines may call this one,
    and `machine` is asked about this one. `screen` is where something is shown again and again, `follow` reads on in a
    log file, and `trials` loads services in processes of their own.
    """

    switches: Switches
    environ: Mapping[str, str]
    cwd: Path
    stdin: BinaryIO
    now: Callable[[], datetime]
    template: Callable[[str], Traversable]
    load_config: Callable[[Path], tuple[AgentConfig, Sequence[Problem]]]
    check_files: Callable[[Iterable[Path]], Sequence[Checked]]
    exposures: Callable[[Path], Sequence[Problem]]
    effective: Callable[[AgentConfig], dict[str, object]]
    open_journal: Callable[[Path], StoredEvents]
    open_link: Callable[[Path], AgentLink]
    open_remote: Callable[[Tools], AgentLink]
    running_pid: Callable[[Path], int | None]
    watch: Callable[[int], Process]
    start_agent: Callable[[Path], Started]
    post: Poster
    working: Callable[[str], AbstractContextManager[object]]
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
    ask: Callable[[str], bool | None]
    edit_file: Callable[[Path], None]
    until: Callable[[Callable[[], bool], float], bool]
    open_changes: Callable[[Path], AbstractContextManager[LetterChanges]]
    open_upkeep: OpenUpkeep
    safe_files: Callable[[], SafeFiles]
    ask_secret: Callable[[str], str | None]
    machine_names: Callable[[], Sequence[str]]
    command: Callable[[str], str]
    key_material: Callable[[Path, GatewayConfig], KeyMaterial]
    prober: Callable[[], Prober]
    walker: Callable[[AgentConfig], Walker]
    login_fields: Callable[[HttpDestination], Mapping[str, str]]
    proxy_of: Callable[[HttpDestination], Proxy | None]
    open_secret: Callable[[Path, Path, bytes], Secret]
    machine: Callable[[], Machine]
    code_time: Callable[[ServiceConfig], float]
    """When the files of a service's code were changed last, in seconds since 1970."""
    screen: Callable[[], Screen]
    trials: Callable[[], Trials]
    follow: Callable[[Path], AbstractContextManager[FollowedLog]]

    @property
    def home(self) -> Path:
        """The agent home: `--home`, else `$IA_HOME`, else `./home`. Raises `OperatorError` when it is not one."""
        if self.switches.connect is not None:
            raise OperatorError(
                "not-from-afar",
                f"this works on the files of an agent's home, which --connect {self.switches.connect} does not reach; "
                "say it on the agent's own machine, without --connect",
                exit_status=ExitStatus.USAGE,
            )
        return self.local_home

    @property
    def local_home(self) -> Path:
        """The home on this machine, whichever agent is meant."""
        named = self.switches.home or self.environ.get("IA_HOME", "")
        home = self.cwd / (named or "home")
        if is_home(home):
            return home
        if named:
            source = "--home" if self.switches.home else "IA_HOME"
            found = f"{source} names {str(home)!r}, which is no agent home (it has no conf/{CONFIGURATION_FILES[0]})"
        else:
            found = "neither --home nor IA_HOME names an agent home, and there is none in ./home"
        raise OperatorError("no-home", f'{found}; "iadmin init DIR" makes a new one', exit_status=ExitStatus.NO_INPUT)

    @property
    def config_file(self) -> Path:
        """The configuration file of the home."""
        folder = self.home / "conf"
        return next(folder / name for name in CONFIGURATION_FILES if (folder / name).is_file())

    @property
    def is_remote(self) -> bool:
        """Whether the agent is on another machine."""
        return self.switches.connect is not None

    @property
    def where(self) -> str:
        """What names the agent in sentences: its home, or its address."""
        return self.switches.connect or str(self.home)

    def running(self, what: str) -> AgentLink:
        """The link; raises `MachineError` (69) where no agent runs, and `what` says why that matters."""
        if self.agent_pid() is None:
            raise MachineError(
                "not-running", f"no agent runs on {self.where}; {what}", exit_status=ExitStatus.UNAVAILABLE
            )
        return self.link()

    def link(self) -> AgentLink:
        """The link to the running agent, whichever way leads there."""
        return self.open_remote(self) if self.is_remote else self.open_link(self.home)

    def agent_pid(self) -> int | None:
        """The pid of the agent on this home, 0 when it has just started, None when there is none.

        0 also for one on another machine: whether it runs shows when it is asked.
        """
        if self.is_remote:
            return 0
        return self.running_pid(self.home / "var" / "run" / "agent.pid")


def is_home(folder: Path) -> bool:
    """Whether a folder is an agent home. A folder that we may not look into is not."""
    return any((folder / "conf" / name).is_file() for name in CONFIGURATION_FILES)


pass_tools = click.make_pass_decorator(Tools)
