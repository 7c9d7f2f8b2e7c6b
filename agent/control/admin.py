"""HTTPS on the admin gateway, in front of the control API: for iadmin on other machines.

Both sides hold the entry `apia` of the same keystore and take nobody else (`agent.mutual`): who may read the keystore
may administer. A person or a script asks a few times a minute, so Twisted's own TLS wrapper is good enough here. Events
do not wait for the administration: where the gateway cannot be opened the agent runs without it, and says so.
"""

# twisted.web and Twisted's TLS wrapper carry few type annotations; calls into them cannot be checked.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import contextlib
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

import attrs
from OpenSSL import SSL
from twisted.internet import defer
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from agent.administered import AgentView
from agent.config.admin import AdminGatewayConfig
from agent.control.adminpeers import AdminPeers, AdminSite
from agent.control.api import ControlApi
from agent.errors import AgentError, MachineError, OperatorError
from agent.hosts import at_port
from agent.mutual import MAKE_IT, SharedKey, mutual_context, read_shared_key
from agent.secret import Secret
from agent.storepassword import StorePassword
from keystoretools import ErrorCode, KeystoreError, Password

log = Logger(namespace="admin")


@attrs.frozen(kw_only=True)
class AdminKeys:
    """Where the key comes from. `read` reads a file and blocks (`keystoretools.files.load`); `password` is
    what the agent was given for keystores whose password stands in no file. `opened` gives the secret in a password
    file, sealed or not, and raises `ValueError` with the end of a sentence that begins with its name."""

    read: Callable[[Path], bytes]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    opened: Callable[[PurePath, bytes], Secret]
    password: StorePassword | None = None

    def load(self, config: AdminGatewayConfig) -> SharedKey:
        """Blocks; raises `AgentError`."""
        try:
            password, words = None, "the default password"
            if config.password_file is not None:
                secret = self.opened(config.password_file, self.read(Path(config.password_file)))
                password, words = Password(secret.reveal()), f"the password in {config.password_file}"
            elif self.password is not None:
                password = Password(self.password.secret.reveal())
                words = f"the password of {self.password.origin}"
            data = self.read(Path(config.keystore))
        except ValueError as error:
            raise OperatorError("admin-password-file", f"the password file {config.password_file} {error}") from None
        except KeystoreError as error:
            cure = f"; {MAKE_IT}" if error.code is ErrorCode.NO_SUCH_FILE else ""
            raise OperatorError(f"admin-{error.code}", error.sentence.rstrip(".") + cure) from error
        return read_shared_key(data, path=config.keystore, password=password, words=words)


@attrs.define(kw_only=True)
class AdminChange:
    """What a reload makes of the admin gateway: all of it is ready. `port` is a new one that listens already."""

    config: AdminGatewayConfig | None
    context: SSL.Context | None = None
    key: SharedKey | None = None
    port: Any = None


class AdminGateway:
    """A Part. `config` None: nothing listens. `trouble` says why it is not open although it is configured."""

    name: Final = "admin"

    def __init__(self, *, config: AdminGatewayConfig | None, keys: AdminKeys, view: AgentView, reactor: Any) -> None:
        self.trouble = ""
        self._config = config
        self._keys = keys
        self._reactor = reactor
        self._site = AdminSite(ControlApi(view), reactor=reactor)
        self._peers: Any = AdminPeers(self._site, reactor)
        self._port: Any = None

    async def start(self) -> None:
        """Open it. Never raises for what keeps it shut."""
        try:
            change = await self._prepare(self._config, is_new=True)
        except AgentError as error:
            self.trouble = f"the admin gateway is not open: {error.sentence}"
            log.error("{trouble}", trouble=self.trouble)
            return
        self._adopt(change)
        if self._port is not None:
            log.info(
                "admin gateway {where}: whoever has the key apia of {keystore} may administer this agent",
                where=self._where(),
                keystore=str(change.config.keystore) if change.config else "",
            )

    async def stop(self, patience_s: float) -> None:
        """Stop listening and end the connections; answers already written still go out."""
        await self._shut(self._port, patience_s)
        self._port = None
        for peer in list(self._peers.protocols):
            peer.loseConnection()

    def describe(self) -> Mapping[str, object] | None:
        """For the status; None where none is configured."""
        if self._config is None:
            return None
        address = self._port.getHost() if self._port is not None else None
        return {
            "host": address.host if address else self._config.host,
            "port": address.port if address else self._config.port,
            "connections": len(self._peers.protocols),
            "refused": dict(self._site.complaints.counts),
            "key": self._site.key.fingerprint if self._site.key else "",
            "trouble": self.trouble,
        }

    async def prepare(self, config: AdminGatewayConfig | None) -> AdminChange:
        """Make everything ready for a changed section or keystore; raises `AgentError`, and nothing has changed."""
        return await self._prepare(config, is_new=self._port is None or _place(config) != _place(self._config))

    def adopt(self, change: AdminChange) -> str:
        """Serve by it from now on; return what has changed as a sentence, empty where nothing has."""
        before, key = self._where(), self._site.key
        self._adopt(change)
        after = self._where()
        if before != after:
            return f"the admin gateway is now {after}" if after else f"the admin gateway {before} is gone"
        if key is not None and change.key is not None and key.public != change.key.public:
            return f"the admin gateway {after} has another key ({change.key.fingerprint})"
        return ""

    async def drop(self, change: AdminChange) -> None:
        """Let go of what was prepared."""
        await self._shut(change.port, 0.1)

    async def _prepare(self, config: AdminGatewayConfig | None, *, is_new: bool) -> AdminChange:
        if config is None:
            return AdminChange(config=None)
        key = await self._keys.in_thread(lambda: self._keys.load(config))
        context = mutual_context(key)
        port = await self._listen(config) if is_new else None
        return AdminChange(config=config, key=key, context=context, port=port)

    def _adopt(self, change: AdminChange) -> None:
        if change.port is not None or change.config is None:
            old, self._port = self._port, change.port
            defer.Deferred.fromCoroutine(self._shut(old, 1.0))
        self._config, self.trouble = change.config, ""
        self._site.key, self._peers.context = change.key, change.context

    async def _listen(self, config: AdminGatewayConfig) -> Any:
        host = config.host
        if not _is_address(host):
            try:
                host = await self._reactor.resolve(host)
            except Exception as error:
                raise MachineError(
                    "no-such-host", f"the admin gateway cannot listen on {host!r}: this name has no address"
                ) from error
        try:
            return self._reactor.listenTCP(config.port, self._peers, interface=host)
        except CannotListenError as error:
            said = getattr(error.socketError, "strerror", None) or str(error.socketError)
            # Only a port that is taken is a matter of the port.
            is_foreign = getattr(error.socketError, "errno", None) == errno.EADDRNOTAVAIL
            raise MachineError(
                "address-not-here" if is_foreign else "port-in-use",
                f"the admin gateway cannot listen on port {config.port} of {config.host} ({said.lower()}); give "
                "<admin-gateway> "
                + (
                    "an address of this machine as its host"
                    if is_foreign
                    else "another port, or stop what listens there"
                ),
            ) from error

    async def _shut(self, port: Any, patience_s: float) -> None:
        if port is None:
            return
        gone = defer.maybeDeferred(port.stopListening)
        gone.addTimeout(max(patience_s, 0.1), self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await gone

    def _where(self) -> str:
        if self._port is None:
            return ""
        address = self._port.getHost()
        return f"https://{at_port(address.host, address.port)}"


def _place(config: AdminGatewayConfig | None) -> tuple[str, int] | None:
    return None if config is None else (config.host, config.port)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
