"""The systemd unit of an agent home: `systemd.service(5)`, `systemd.exec(5)`.

Hardened as far as the agent's work allows; each thing that is left open has its reason in the text of the unit, so that
whoever reads it there knows what a tightening would break.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import attrs

from agent.errors import ExitStatus

WATCHDOG_S: Final = 60
"""A turn of the reactor takes milliseconds; the slowest that is allowed, reading a big keystore, takes seconds."""
STOP_S: Final = 45
"""The agent gives what is in hand 30 s, and ends its workers after that."""
START_S: Final = 600
"""A damaged spool of many gigabytes is saved before the agent is up."""
RESTART_S: Final = 5
"""Longer than systemd's start limit of 5 in 10 s counts: an agent whose port is taken must come up when it is free."""
DESCRIPTORS: Final = 65_536
"""As the agent itself asks for."""
IN_VAIN: Final = (
    ExitStatus.USAGE,
    ExitStatus.DATA,
    ExitStatus.NO_INPUT,
    ExitStatus.NO_PERMISSION,
    ExitStatus.CONFIG,
)
"""Faults that only the operator can mend: starting again would tell them again."""
PRIVILEGED_PORTS: Final = 1024
PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


@attrs.frozen(kw_only=True)
class UnitFacts:
    """What the unit is made of. Paths are absolute; `writable` are folders beside the home's `var`.

    `credentials` are `NAME:PATH` (LoadCredential=); `ports` are those that the gateways listen at.
    """

    agent_id: str
    home: PurePath
    user: str
    agent_program: PurePath
    iadmin_program: PurePath
    ports: Sequence[int] = ()
    writable: Sequence[PurePath] = ()
    credentials: Sequence[str] = ()


def word(text: str) -> str:
    """One word of a unit's line: quoted where it must be, with `%` and `$` taken literally."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if PLAIN.fullmatch(escaped) else f'"{escaped}"'


def path_word(path: PurePath) -> str:
    """A path in a line that takes a list of paths; `$` has no meaning there."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if PLAIN.fullmatch(escaped) else f'"{escaped}"'


def unit_text(facts: UnitFacts) -> str:
    """Return the whole unit."""
    home = word(str(facts.home))
    # WorkingDirectory= takes the rest of its line as it is, without quotes.
    folder = str(facts.home).replace("%", "%%")
    writable = " ".join(path_word(path) for path in (facts.home / "var", *facts.writable))
    capability = "CAP_NET_BIND_SERVICE" if any(port < PRIVILEGED_PORTS for port in facts.ports) else ""
    credentials = "".join(f"LoadCredential={one.replace('%', '%%')}\n" for one in facts.credentials)
    return f"""\
# Written by "iadmin install-unit". Your own changes belong into a drop-in, which "systemctl edit" makes.
[Unit]
Description=Integration agent {facts.agent_id.replace("%", "%%")}
Wants=network-online.target
After=network-online.target time-sync.target
RequiresMountsFor={path_word(facts.home)}

[Service]
Type=notify
NotifyAccess=main
ExecStart={word(str(facts.agent_program))} --home {home}
ExecReload={word(str(facts.iadmin_program))} --home {home} reload
User={facts.user}
WorkingDirectory={folder}
UMask=0077
{credentials}
# It ends orderly on SIGTERM and keeps what it acknowledged; what is left of its workers is killed after that.
KillMode=mixed
TimeoutStartSec={START_S}
TimeoutStopSec={STOP_S}
WatchdogSec={WATCHDOG_S}
Restart=on-failure
RestartSec={RESTART_S}
# Faults of the configuration, of rights and of keystores: starting again would not mend them.
RestartPreventExitStatus={" ".join(str(int(status)) for status in IN_VAIN)}
# A worker that takes all memory is killed alone; the agent starts it again.
OOMPolicy=continue
LimitNOFILE={DESCRIPTORS}

# Services run in this sandbox, too. A service that writes elsewhere needs ReadWritePaths= in a drop-in.
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
NoNewPrivileges=yes
CapabilityBoundingSet={capability}
AmbientCapabilities={capability}
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
# AF_NETLINK: the machine's own addresses, for the names in a certificate that the agent makes itself.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute=: the callbacks of OpenSSL's Python binding are made at run time.

[Install]
WantedBy=multi-user.target
"""
