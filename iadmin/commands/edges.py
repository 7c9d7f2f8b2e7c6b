"""The edges as commands see them: what each can be asked, and what it answers.

`iadmin.wiring` hands over the real ones, tests hand over fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from agent.secret import Secret

if TYPE_CHECKING:
    from iadmin.diagnosis.home import Reach
    from iadmin.model import Anchors, Block, Hop, HopRoute, Probed
    from iadmin.render import Tone
    from keystoretools import Certificate


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

    def tail(self, query: Mapping[str, str]) -> dict[str, Any]: ...

    def strangers(self) -> dict[str, Any]: ...

    def certificates(self) -> list[dict[str, Any]]: ...

    def suspend(self, service: str, *, now: bool, refuse: bool) -> dict[str, Any]: ...

    def resume(self, service: str) -> dict[str, Any]: ...

    def restart(self, service: str) -> dict[str, Any]: ...

    def purge_service(self, service: str) -> int: ...

    def put_in(self, service: str, body: bytes, content_type: str) -> str: ...

    def repeat(self, event_id: str) -> str: ...

    def queues(self) -> dict[str, Any]: ...

    def settings(self) -> dict[str, Any]: ...

    def log_level(self) -> str: ...

    def set_log_level(self, level: str) -> None: ...

    def reload(self, service: str = "") -> dict[str, Any]: ...

    def stop(self, *, now: bool) -> None: ...


class Process(Protocol):
    """A process that may end."""

    def is_gone(self, *, within_s: float) -> bool:
        """Wait for its end; False when it still lives after the time."""


class Started(Protocol):
    """An agent that was started in the background."""

    @property
    def pid(self) -> int: ...

    def ended(self) -> int | None:
        """Its exit status; None while it runs."""

    def said(self) -> list[str]:
        """What it complained of."""


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

    @property
    def gap(self) -> str:
        """What is missing in the chain, a sentence; empty when it is whole."""


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


class Machine(Protocol):
    """What this machine says of itself; `iadmin.machine.Machine` is the real one, and says what each answer means."""

    def file_system(self, folder: Path) -> str: ...

    def room(self, folder: Path) -> tuple[int, int | None]: ...

    def sync_s(self, folder: Path) -> float: ...

    def is_clock_synchronised(self) -> bool | None: ...

    def resolves(self, name: str) -> bool: ...

    def accounts(self, folder: Path) -> tuple[str, str, bool]: ...

    def agent_account(self, home: Path, pid: int | None) -> str: ...

    def reach(self, path: Path, account: str, *, is_folder: bool) -> Reach: ...

    def descriptors(self, pid: int) -> int | None: ...

    def why_not_bound(self, host: str, port: int) -> tuple[str, str]: ...

    def port_owner(self, port: int) -> str: ...


@attrs.frozen(kw_only=True)
class PostAnswer:
    """What the service gateway said to a posted event."""

    status: int
    content_type: str
    body: bytes


@attrs.frozen(kw_only=True)
class ClientFiles:
    """A client certificate in PEM files. `passphrase` is called where the key is encrypted."""

    certificate: Path
    key: Path
    passphrase: Callable[[], Secret]


class Poster(Protocol):
    """Posts a body to a URL; `iadmin.commands.sending.post` is the real one. Raises `MachineError`.

    `headers` are further header fields. Over `https` one of the certificates in `trusted` (DER) must be presented, and
    `client` is shown where a certificate is asked for.
    """

    def __call__(
        self,
        url: str,
        content_type: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        trusted: Sequence[bytes],
        client: ClientFiles | None,
    ) -> PostAnswer: ...


class SpoolUpkeep(Protocol):
    """What can be done to the files of a spool; shapes as in `agent.spool.upkeep.Upkeep`."""

    def check(self) -> dict[str, Any]: ...

    def stats(self) -> dict[str, Any]: ...

    def compact(self) -> dict[str, Any]: ...

    def copy(self, target: Path) -> dict[str, Any]: ...

    def salvage(self, source: Path) -> dict[str, Any]: ...


class OpenUpkeep(Protocol):
    """The spool of a home. With `alone` the lock of the home is held meanwhile, so that no agent can start."""

    def __call__(self, home: Path, *, alone: bool) -> AbstractContextManager[SpoolUpkeep]: ...


class FollowedLog(Protocol):
    """A log file that is read on; `iadmin.following.FollowedLog` is the real one."""

    def read(self) -> Sequence[str]:
        """The lines that have come since the last call, each with what belongs to it; at first all that are there."""


class Screen(Protocol):
    """Standard output, on which something is shown again and again; `iadmin.screen.Screen` is the real one."""

    @property
    def is_terminal(self) -> bool: ...

    def say(self, line: str, tone: Tone = "") -> None:
        """Print one line, at once, coloured where that can be seen."""

    def warn(self, sentence: str) -> None:
        """Say something about the lines, on standard error."""

    def pause(self, seconds: float) -> None:
        """Wait."""

    def redrawn(self) -> AbstractContextManager[Callable[[Sequence[Block]], None]]:
        """Gives the function that shows blocks in the place of the ones before."""
