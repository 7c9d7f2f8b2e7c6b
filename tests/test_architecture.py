"""The house rules, read from the imports: which room may know which.

`docs/architecture.rst` explains the floors; this file decides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "agent": ROOT / "agent",
    "apclient": ROOT / "apclient",
    "iadmin": ROOT / "iadmin",
    "keystoretools": ROOT / "jre-free-keystore-tools/keystoretools",
}

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "apclient.parcel",
        "agent.credential",
        "agent.errors",
        "agent.heldback",
        "agent.hosts",
        "agent.names",
        "agent.secret",
        "iadmin.text",
        "agent.version",
    ),
    ("agent.access",),
    (
        "agent.config",
        "agent.event",
        "agent.wire",
        "agent.delivery",
        "agent.recent",
        "keystoretools",
        "iadmin.manual",
        "iadmin.model",
        "iadmin.render",
        "iadmin.unit",
    ),
    ("agent.sdk", "agent.administered", "agent.boundaries", "agent.mapping", "iadmin.diagnosis", "iadmin.trials"),
    ("agent.ownkey",),
    (
        "agent.awaited",
        "agent.entries",
        "agent.committed",
        "agent.interrupts",
        "agent.mutual",
        "agent.storepassword",
        "agent.templates",
        "agent.wholefile",
        "apclient.streams",
    ),
    (
        "agent.config.files",
        "agent.config.permissions",
        "agent.emptying",
        "agent.insertion",
        "agent.control",
        "agent.gateway",
        "agent.host",
        "agent.lifecycle",
        "agent.observe",
        "agent.offering",
        "agent.pickup",
        "agent.reload",
        "agent.sharing",
        "agent.spool",
        "agent.systemd",
        "agent.turning",
        "agent.upstream",
        "agent.view",
        "apclient.gateway",
        "apclient.spool",
        "iadmin.commands",
        "iadmin.hops",
        "iadmin.link",
        "iadmin.machine",
        "iadmin.probe",
        "iadmin.terminal",
        "keystoretools.files",
        "keystoretools.tls",
    ),
    ("agent.assembly", "keystoretools.keytool", "iadmin.wiring"),
    ("agent.running", "iadmin.commandline"),
    ("agent.main", "apclient.main", "iadmin.main", "iadmin.iapassword"),
)
"""From the ground up; rooms of one floor are neighbours and do not import one another."""

DEFAULTS = frozenset({"os.urandom"})
"""What a parameter is when nobody gives it: a library that is used alone must not ask its user for dice. The
tests give their own."""

LAST_PURE_FLOOR = 3
IMPURE = frozenset(
    {
        "OpenSSL",
        "apsw",
        "asyncio",
        "logging",
        "os",
        "select",
        "socket",
        "sqlite3",
        "subprocess",
        "threading",
        "time",
        "twisted",
    }
)
"""What has a clock, a disk, a thread or a network behind it."""

SAME_ROOM = {
    "apclient.commandline": "apclient.parcel",
    "apclient.submission": "apclient.parcel",
    "agent.backrooms": "agent.assembly",
    "agent.config.homekey": "agent.config.files",
    "agent.front": "agent.assembly",
    "iadmin.alone": "iadmin.wiring",
    "iadmin.hopline": "iadmin.hops",
    "iadmin.rehearsing": "iadmin.wiring",
    "iadmin.following": "iadmin.terminal",
    "iadmin.remote": "iadmin.link",
    "iadmin.screen": "iadmin.terminal",
    "keystoretools.filelock": "keystoretools.files",
}
"""Modules that share a room without sharing a package."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str | None:
    """The room a module stands in: the longest room name that is the module or an ancestor of it."""
    module = SAME_ROOM.get(module, module)
    fitting = [room for room in FLOOR_OF if module == room or module.startswith(room + ".")]
    return max(fitting, key=len, default=None)


def modules() -> Iterator[tuple[str, Path]]:
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import; `from a.b import c` gives `a.b.c` so that modules are seen as such."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by full name, not relatively"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


MODULES = [pytest.param(name, path, id=name) for name, path in modules() if name not in SOURCES]


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_every_module_stands_in_a_room(module: str, path: Path) -> None:
    """A new module must be given a floor before anything can depend on it."""
    assert room_of(module) is not None, (
        f"{path}: {module} stands on no floor; add it to FLOORS and docs/architecture.rst"
    )


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_imports_go_down(module: str, path: Path) -> None:
    """A room imports itself and lower floors, never a neighbour and never upwards."""
    own = room_of(module)
    for line, name in imports(path):
        other = room_of(name)
        if own is None or other is None or other == own:
            continue
        assert FLOOR_OF[other] < FLOOR_OF[own], (
            f"{path}:{line}: {own} (floor {FLOOR_OF[own]}) imports {other} (floor {FLOOR_OF[other]}); "
            "imports go down only: pass the object in through agent.boundaries and wire it in assembly"
        )


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_lower_floors_are_pure(module: str, path: Path) -> None:
    """Rules have no clock, no disk, no thread and no network behind them."""
    room = room_of(module)
    if room is None or FLOOR_OF[room] > LAST_PURE_FLOOR:
        return
    for line, name in imports(path):
        assert name.partition(".")[0] not in IMPURE or name in DEFAULTS, (
            f"{path}:{line}: {room} is pure and must not import {name}"
        )
        assert name != "pathlib.Path", f"{path}:{line}: {room} is pure: use PurePath"


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_only_main_knows_the_reactor(module: str, path: Path) -> None:
    """Everybody else is handed the reactor, so that tests can hand over a fake one."""
    if module == "agent.running":
        return
    for line, name in imports(path):
        assert name != "twisted.internet.reactor", f"{path}:{line}: the reactor is passed in, never imported"


@pytest.mark.parametrize("path", sorted((ROOT / "services").rglob("*.py")), ids=lambda path: path.stem)
def test_services_know_only_the_sdk(path: Path) -> None:
    """What a service imports of ours is what we promised to keep."""
    for line, name in imports(path):
        if name.partition(".")[0] in SOURCES:
            assert name.startswith("agent.sdk"), f"{path}:{line}: a service imports agent.sdk and nothing else of ours"
