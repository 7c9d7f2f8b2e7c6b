"""Which `<service-gateway>` a `tls` command means, and how senders reach it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import click

from agent.config.model import AgentConfig, GatewayConfig
from agent.config.tls import TlsConfig
from agent.errors import ExitStatus, OperatorError
from agent.hosts import in_url
from iadmin.commands.edges import KeyMaterial
from iadmin.commands.keystores import AgentKeystore
from iadmin.commands.tools import Tools
from keystoretools import Certificate, PrivateKeyEntry, read_anything
from keystoretools.hostnames import covers

WILD: Final = frozenset({"", "0.0.0.0", "::"})

port_option: Callable[[Any], Any] = click.option(
    "--port", type=click.IntRange(0, 65535), metavar="PORT", help="Of several service gateways, the one on this port."
)


def choose_gateway(settings: AgentConfig, port: int | None) -> tuple[int, GatewayConfig]:
    """The gateway on `port`, or the only one there is, with its place in the file (from 0).

    Raises `OperatorError` (exit status 64) that lists them.
    """
    gateways = list(enumerate(settings.gateways))
    found = gateways if port is None else [one for one in gateways if one[1].port == port]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{gateway.port} ({'https' if gateway.ssl else 'http'})" for _, gateway in gateways)
    said = f"no service-gateway is on port {port}" if port is not None else "which service-gateway? There are several"
    raise OperatorError("which-gateway", f"{said}; name one with --port: {listed}", exit_status=ExitStatus.USAGE)


def material_of(tools: Tools, gateway: GatewayConfig) -> KeyMaterial:
    """What the gateway would serve over TLS; raises `AgentError` with the reason why it would not."""
    return tools.key_material(tools.home, attrs.evolve(gateway, ssl=True))


def near(tools: Tools, tls: TlsConfig, alias: str) -> list[Certificate]:
    """What lies where the certificate lies: the root is not presented, but it may be there."""
    if tls.certificate is not None:
        return list(read_anything(tools.safe_files().load(tools.home / tls.certificate)).certificates)
    store = AgentKeystore(tools=tools)
    if not store.path.exists():
        return []
    keystore = store.read()
    own = keystore.get(alias)
    issuers = own.chain[1:] if isinstance(own, PrivateKeyEntry) else ()
    return [*issuers, *(one.certificate for one in keystore.trusted_certificates)]


def called(tools: Tools, gateway: GatewayConfig, material: KeyMaterial | None) -> str:
    """A name by which senders reach the gateway: one that the certificate covers, where there is one.

    This machine's own name is the best, then whatever host name the certificate has.
    """
    own = [*([gateway.host] if gateway.host not in WILD else []), *tools.machine_names()]
    if material is None:
        return own[0] if own else "localhost"
    leaf = material.identities[0].chain[0]
    covered = [name for name in own if covers(leaf, name)]
    names = [name for name in material.identities[0].names if not name.startswith("*.")]
    return next(iter([*covered, *names, *own]), "localhost")


def base_url(scheme: str, host: str, port: int) -> str:
    """`https://agent.example.com:8081`."""
    usual = {"https": 443, "http": 80}[scheme] == port
    return f"{scheme}://{in_url(host)}" + ("" if usual else f":{port}")


def service_urls(settings: AgentConfig, base: str) -> Sequence[str]:
    """The URLs of the active services."""
    return [base + service.name.path for service in settings.services if service.is_active]
