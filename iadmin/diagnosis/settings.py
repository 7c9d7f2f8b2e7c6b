"""The configuration and the files of the home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from agent.config.model import AgentConfig, GatewayConfig, OutboxDestination
from agent.config.problem import Problem, Severity
from agent.config.tls import ClientAuth
from iadmin.diagnosis.finding import Finding, fault, note, warning

READ: Final = "reading the configuration as the agent does"
ADD_METHOD: Final = "add <authentication> to it, with what iadmin secret makes: docs/security.rst"


def look_at_problems(problems: Sequence[Problem]) -> Iterator[Finding]:
    """What the parser has found."""
    for one in problems:
        if one.severity in (Severity.ERROR, Severity.SERVICE):
            yield fault("config-fault", str(one), known=READ, remedy="mend it, then: iadmin config check")
        else:
            yield warning("config-warning", str(one), known=READ, remedy="mend it, then: iadmin config check")


def look_at_scripts(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Scripts that cannot be compiled."""
    for one in problems:
        yield fault("script-broken", str(one), known="compiling the script", remedy="mend it, then: iadmin reload")


def look_at_exposure(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Others may read or change what is the agent's."""
    for one in problems:
        yield fault("home-exposed", str(one), known="the modes and owners of the files")


def look_at_careless(problems: Sequence[Problem]) -> Iterator[Finding]:
    """What is for trials only, secrets in clear text among them."""
    for one in problems:
        yield warning("not-for-production", str(one), known=READ)


def look_at_exits(config: AgentConfig) -> Iterator[Finding]:
    """Whether anything leaves this machine."""
    if config.destinations and all(isinstance(one, OutboxDestination) for one in config.destinations):
        yield note(
            "only-outbox",
            "nothing leaves this machine: all that services send is written to a file",
            known=READ,
            remedy="name a <destination> with a URL in conf/iaconfig.xml: docs/destinations.rst",
        )


def look_at_doors(config: AgentConfig) -> Iterator[Finding]:
    """Gateways that are open to the network. Each is told of for the worse of two things."""
    for gateway in config.gateways:
        if _is_local(gateway.host):
            continue
        where = f"port {gateway.port}"
        if not gateway.ssl:
            yield warning(
                "plain-outside",
                f"{where} takes events without TLS from other machines: who is on the way reads and changes them",
                known=READ,
                remedy=f"iadmin tls on --port {gateway.port}",
            )
        elif _asks_nobody(gateway, config):
            yield warning(
                "open-to-all",
                f"{where} takes events from everybody who can reach it",
                known=READ,
                remedy=ADD_METHOD,
            )


def look_at_services(config: AgentConfig, found: Sequence[str]) -> Iterator[Finding]:
    """Descriptors that lie in the services' folder and are in nobody's list. `found`: their paths."""
    listed = {str(service.descriptor) for service in config.services}
    idle = [path for path in found if path not in listed]
    if idle:
        yield note(
            "services-not-listed",
            f"services that the configuration does not name do not run: {', '.join(idle)}",
            known="looking into the folder of services",
            remedy="add a <path> for each that shall run to <service-configs>, then: iadmin reload",
        )


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asks_nobody(gateway: GatewayConfig, config: AgentConfig) -> bool:
    if gateway.tls.client_auth is ClientAuth.REQUIRED or gateway.access is not None:
        return False
    return any(one.is_active and one.access is None for one in config.services)
