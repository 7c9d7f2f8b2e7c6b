"""Keeps a TLS port's key material: loads it, looks whether its files change, says what is wrong with what came.

Everything here blocks and belongs into a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from twisted.logger import Logger

from agent.config.model import GatewayConfig
from agent.errors import MachineError
from agent.gateway.material import Material, read_material
from agent.gateway.selfsigned import keep_self_signed
from agent.gateway.served import Served
from agent.gateway.staple import STAPLE_SUFFIX
from agent.gateway.supply import KeySupply, is_address
from agent.gateway.watch import Stamps

log = Logger(namespace="gateway")


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
