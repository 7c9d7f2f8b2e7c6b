"""Listening on a port, and why it is not possible, in one sentence."""

from __future__ import annotations

import errno
import ipaddress
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Port

from agent.errors import ExitStatus, MachineError
from agent.gateway.portowner import find_owner
from agent.gateway.transport import SocketTransport

BACKLOG: Final = 1024
"""Connections the kernel may keep waiting; it cuts the number to net.core.somaxconn (4096 by default)."""


async def listen(reactor: Any, factory: ServerFactory, *, host: str, port: int) -> Any:
    """Listen on `host` (empty: all addresses, IPv6 and IPv4) and return Twisted's port; its connections stand on
    `SocketTransport`.

    Raises `MachineError`: exit status 69, or 77 for a port that only root may take.
    """
    opened = await _open(reactor, factory, host=host, port=port)
    opened.transport = SocketTransport
    return opened


async def ensure_free(reactor: Any, *, host: str, port: int) -> None:
    """Raise what `listen` would raise now. For before other parts are started, which may take long or do things.

    The address is bound and not listened on: nobody is let in who would be thrown out again.
    """
    await _open(_BindingOnly(reactor), ServerFactory(), host=host, port=port)


async def _open(reactor: Any, factory: ServerFactory, *, host: str, port: int) -> Any:
    if not host:
        try:
            return reactor.listenTCP(port, factory, backlog=BACKLOG, interface="::")  # IPv4 comes in here, too
        except CannotListenError as error:
            if getattr(error.socketError, "errno", None) not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise _cannot_listen(error, host, port) from error
    elif not _is_address(host):
        try:
            host = await reactor.resolve(host)
        except Exception as error:
            raise MachineError(
                "no-such-host", f"The service gateway cannot listen on {host!r}: this name has no address."
            ) from error
    try:
        return reactor.listenTCP(port, factory, backlog=BACKLOG, interface=host)
    except CannotListenError as error:
        raise _cannot_listen(error, host, port) from error


class _BindingOnly:
    """Stands in for a reactor: `listenTCP` binds, and lets go."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.resolve = reactor.resolve

    def listenTCP(self, port: int, factory: ServerFactory, *, backlog: int, interface: str) -> None:
        try:
            taken = Port(port, factory, backlog, interface, self._reactor)
            with taken.createInternetSocket() as probe:  # type: ignore[no-untyped-call]
                probe.bind((interface, port))
        except OSError as error:
            raise CannotListenError(interface, port, error) from error  # type: ignore[no-untyped-call]


def _cannot_listen(error: CannotListenError, host: str, port: int) -> MachineError:
    number = getattr(error.socketError, "errno", None)
    where = f"port {port}" + (f" of {host}" if host else "")
    if number == errno.EADDRINUSE:
        owner = find_owner(port) or "another process"
        return MachineError(
            "port-in-use",
            f"The service gateway cannot listen on {where}: {owner} holds it. Stop that process, or give "
            "<service-gateway> another port.",
        )
    if number == errno.EACCES:
        return MachineError(
            "port-forbidden",
            f"The service gateway may not listen on {where}: ports under 1024 are for root. Give <service-gateway> a "
            "higher port, such as 8081.",
            exit_status=ExitStatus.NO_PERMISSION,
        )
    if number == errno.EADDRNOTAVAIL:
        return MachineError(
            "address-unknown",
            f"The service gateway cannot listen on {where}: this machine does not have that address. Give "
            "<service-gateway> a host that it has, or none for all.",
        )
    return MachineError("cannot-listen", f"The service gateway cannot listen on {where}: {error.socketError}.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
