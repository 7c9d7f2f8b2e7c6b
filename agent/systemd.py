"""Tells systemd how the agent is: up, alive, stopping (``sd_notify(3)``, `Type=notify` and `WatchdogSec`).

1. `READY=1` is sent when every part of the agent is up, so that units that need the agent start after it listens.
2. `WATCHDOG=1` is sent twice per interval while the reactor turns; when it no longer does, systemd ends the agent and
   starts it again, and what was acknowledged is on disk.
3. `STOPPING=1` is sent before anything is stopped.

Without systemd nothing is sent. A message that cannot be sent is no reason to end: systemd sees that it is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, MutableMapping
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

log = Logger(namespace="systemd")

BEATS_PER_INTERVAL: Final = 2
"""What sd_watchdog_enabled(3) recommends: one beat may be late."""

Send = Callable[[bytes], None]


@attrs.frozen(kw_only=True)
class Supervision:
    """What systemd has asked for: the socket it listens at (empty: nobody does), and its watchdog's interval."""

    address: str = ""
    watchdog_s: float | None = None


def take_supervision(environ: MutableMapping[str, str], *, pid: int) -> Supervision:
    """Take systemd's variables out of the environment, so that no child speaks in the agent's name.

    `WATCHDOG_USEC` (microseconds) counts only where `WATCHDOG_PID` is absent or is `pid`.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    interval = environ.pop("WATCHDOG_USEC", "")
    meant = environ.pop("WATCHDOG_PID", "")
    is_ours = meant in ("", str(pid)) and interval.isascii() and interval.isdigit() and int(interval) > 0
    # Other kinds of addresses (vsock) are for virtual machines.
    return Supervision(
        address=address if address.startswith(("/", "@")) else "",
        watchdog_s=int(interval) / 1_000_000 if is_ours else None,
    )


def datagrams(address: str) -> Send:
    """Return a function that sends one message to a Unix socket; `@` begins the name of an abstract one."""
    target = "\0" + address[1:] if address.startswith("@") else address

    def send(message: bytes) -> None:
        # Made for each: systemd's own restart makes its socket anew.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as made:
            made.sendto(message, target)

    return send


class SystemdNotices:
    """The part of the agent that starts last and stops first."""

    name: Final = "systemd"

    def __init__(
        self, *, supervision: Supervision, clock: IReactorTime, open_socket: Callable[[str], Send] = datagrams
    ) -> None:
        self._clock = clock
        self._send: Send | None = open_socket(supervision.address) if supervision.address else None
        self._interval_s = supervision.watchdog_s

    async def start(self) -> None:
        """Say that the agent is up, and from now on that it is alive."""
        self._tell(b"READY=1\nSTATUS=The agent is up.")
        if self._send is not None and self._interval_s is not None:
            self._beat(self._interval_s / BEATS_PER_INTERVAL)

    async def stop(self, patience_s: float) -> None:
        """Say that the agent stops. It goes on to be alive: stopping may take longer than the watchdog's interval."""
        self._tell(b"STOPPING=1\nSTATUS=The agent finishes what is in hand.")

    def _beat(self, pause_s: float) -> None:
        self._tell(b"WATCHDOG=1")
        self._clock.callLater(pause_s, self._beat, pause_s)

    def _tell(self, message: bytes) -> None:
        if self._send is None:
            return
        try:
            self._send(message)
        except OSError as error:
            log.warn("systemd was not told {message!r}: {error}", message=message.decode(), error=error)
