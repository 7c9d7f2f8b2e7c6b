"""Keeps a TLS port's key material: loads it, looks whether its files change, says what is wrong with what came.

Everything in `Keeper` blocks and belongs into a thread. `Watch` decides when a change is worth loading: once the files
have been quiet for a moment, because a certificate and its key are two files, and writers write in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs
from twisted.logger import Logger

from agent.config.model import GatewayConfig
from agent.errors import MachineError
from agent.gateway.material import Material, read_material
from agent.gateway.passwords import OpenSecret, ReadFile, open_plain
from agent.gateway.selfsigned import is_address, keep_self_signed, names_of_this_machine
from agent.gateway.served import Served
from agent.gateway.staple import STAPLE_SUFFIX
from agent.storepassword import StorePassword

log = Logger(namespace="gateway")

LOOK_S: Final = 1.0
"""How often the files are looked at. A `stat` of five files costs 10 µs."""

QUIET_S: Final = 2.0
"""Both files of a pair are written within this time."""

Stamps = tuple[tuple[int, ...] | None, ...]
"""What changes when a file changes: device, inode, size, time of change. None: it is not there."""


@attrs.frozen(kw_only=True)
class KeySupply:
    """How key material is had: the same for all gateways, made by assembly.

    `read` reads a file (`keystoretools.files.load`); `password` is for keystores whose password stands in no file,
    `opened` opens password files (`agent.config.homekey.open_secret`, which knows sealed ones, too).
    `folder` is where our own self-signed certificate is kept; `names` gives what it is to be called.
    """

    read: ReadFile
    folder: Path
    now: Callable[[], datetime]
    password: StorePassword | None = None
    opened: OpenSecret = open_plain
    names: Callable[[], Sequence[str]] = names_of_this_machine


class Keeper:
    """The key material of one gateway's configuration. Blocking."""

    def __init__(self, *, config: GatewayConfig, supply: KeySupply) -> None:
        self._config = config
        self._supply = supply

    @property
    def own_path(self) -> Path:
        """Where the self-signed certificate of first use lies."""
        return self._supply.folder / "self-signed.pem"

    def now(self) -> datetime:
        """The wall clock, with its zone."""
        return self._supply.now()

    def load(self, better_than: Material | None = None) -> Served:
        """Read, check, and make contexts; raise `OperatorError` or `MachineError` with what to do.

        `better_than` is what is being served: then a certificate that is out of its time is refused, which at a start
        is served with a warning.
        """
        material = read_material(
            self._config.tls,
            alias=self._config.alias,
            read=self._supply.read,
            password=self._supply.password,
            opened=self._supply.opened,
            selfmade=self._self_signed,
            now=self._supply.now(),
            better_than=better_than,
        )
        return Served(material, self._config.tls, now=self._supply.now)

    def stamps(self) -> Stamps:
        """The state of all files, to be compared with an earlier one."""
        tls = self._config.tls
        own = tls.certificate if tls.certificate is not None else tls.keystore
        staples = sorted(Path(own).parent.glob(f"{own.name}*{STAPLE_SUFFIX}")) if own.name.isprintable() else []
        return tuple(_stamp(Path(path)) for path in (*tls.files, *staples, self.own_path))

    def _self_signed(self) -> bytes:
        def names() -> Sequence[str]:
            host = self._config.host
            # A wildcard address is nobody's name.
            own = [host] if host not in ("", "0.0.0.0", "::") else []
            found = [*self._supply.names()]
            return [*found, *own] if own and is_address(own[0]) else [*own, *found]

        try:
            data, is_new = keep_self_signed(self.own_path, names=names, now=self._supply.now())
        except OSError as error:
            raise MachineError(
                "tls-cannot-write",
                f"{self.own_path}: the self-signed certificate cannot be written: {error.strerror}",
            ) from error
        if is_new:
            log.warn(
                "no certificate is configured, so a self-signed one was made: {path}. Senders refuse it until they "
                "trust it: give them the file that this prints: iadmin tls export. Better: put a certificate of your "
                "authority into the keystore: iadmin keystore import FILE",
                path=str(self.own_path),
            )
        return data


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Watch:
    """Tells when files have changed and come to rest. `stamps` is their state when they were loaded."""

    def __init__(self, stamps: Stamps) -> None:
        self._loaded = stamps
        self._last = stamps
        self._changed_at = 0.0

    def is_due(self, stamps: Stamps, now: float) -> bool:
        """Whether to load what is there now; true once for each change."""
        if stamps != self._last:
            self._last = stamps
            self._changed_at = now
            return False
        if stamps == self._loaded or now - self._changed_at < QUIET_S:
            return False
        self._loaded = stamps
        return True
