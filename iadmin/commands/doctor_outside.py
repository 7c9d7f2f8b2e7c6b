"""The checks of `iadmin doctor` that look at what others see: keys, ports, and the ways to destinations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.config.model import GatewayConfig, HttpDestination
from agent.errors import AgentError
from iadmin.commands.destination import route_of
from iadmin.commands.doctor_patient import Patient
from iadmin.commands.keystores import AgentKeystore, served_alias
from iadmin.commands.tls_gateways import WILD, called
from iadmin.commands.tls_verdict import judge
from iadmin.diagnosis import Finding, keys
from iadmin.diagnosis.finding import fault
from keystoretools import KeystoreError
from keystoretools.findings import findings
from keystoretools.identity import ADMIN_ALIAS

BIND_REMEDIES: Final = {
    "port-taken": "stop that program, or give the service-gateway another port",
    "port-not-allowed": "take a port above 1023, or let systemd give the right: iadmin install-unit",
}
TOLD_OF_PORTS: Final = frozenset({"no-connection", "not-as-configured", "neither", "other-certificate"})
"""Dates, names and chain are told from the keys themselves."""


def see_keys(patient: Patient) -> Iterator[Finding]:
    """What gateways present, and the rest of the keystore."""
    tools, now = patient.tools, patient.tools.now()
    presented: set[str] = set()
    for port, material in patient.materials.items():
        if isinstance(material, AgentError):
            yield from keys.look_at_unserved(material.code, material.sentence, port)
            continue
        for place, identity in enumerate(material.identities):
            presented.add(identity.alias)
            yield from keys.look_at_presented(
                identity.chain[0],
                gap=identity.gap,
                port=port,
                alias=identity.alias,
                # Further identities are for those who ask for their names.
                host_names=tools.machine_names() if place == 0 and not material.is_selfmade else (),
                now=now,
            )
        for anchor in material.anchors:
            yield from keys.look_at_anchor(anchor, where=f"port {port}", now=now)
    if not any(isinstance(one, AgentError) for one in patient.materials.values()):
        yield from _see_keystore(patient, presented)


def _see_keystore(patient: Patient, presented: set[str]) -> Iterator[Finding]:
    store = AgentKeystore(tools=patient.tools)
    if not store.path.exists():
        return
    try:
        keystore = store.read()
    except AgentError as error:
        yield from keys.look_at_unserved(error.code, error.sentence, patient.gateways[0].port)
        return
    except KeystoreError as error:
        yield from keys.look_at_unopened(error, str(store.path))
        return
    named = served_alias(patient.tools)
    found = findings(keystore, now=patient.tools.now(), alias=named if named in keystore else None)
    yield from keys.look_at_keystore(found, presented={*presented, ADMIN_ALIAS})


def see_ports(patient: Patient) -> Iterator[Finding]:
    """What really listens at the gateways' addresses; without an agent, whether one could."""
    asked = patient.tools.machine()
    for gateway in patient.gateways:
        if patient.pid is not None:
            yield from _see_port(patient, gateway)
            continue
        code, why = asked.why_not_bound(gateway.host, gateway.port) if gateway.port else ("", "")
        if code:
            owner = asked.port_owner(gateway.port) if code == "port-taken" else ""
            yield fault(
                code,
                f"an agent could not listen at {gateway.host or '*'} port {gateway.port}: {why}"
                + (f"; {owner} has it" if owner else ""),
                known="trying it",
                remedy=BIND_REMEDIES.get(code, "mend host and port of the service-gateway"),
            )


def _see_port(patient: Patient, gateway: GatewayConfig) -> Iterator[Finding]:
    material = patient.materials.get(gateway.port)
    good = None if isinstance(material, AgentError) else material
    host = "127.0.0.1" if gateway.host in WILD else gateway.host
    seen = patient.tools.prober().look(host, gateway.port, name=called(patient.tools, gateway, good))
    verdicts = judge(
        seen,
        url_scheme="https" if gateway.ssl else "http",
        expected=good.identities[0].chain if good else (),
        gateway=gateway,
        now=patient.tools.now(),
    )
    for one in verdicts:
        if one.level == "fault" and one.code in TOLD_OF_PORTS:
            yield fault(f"port-{one.code}", one.sentence, known="connecting as a sender does", remedy=one.cure)


def see_destinations(patient: Patient) -> Iterator[Finding]:
    """The way to each destination, hop by hop."""
    if patient.config is None:
        return
    walker = patient.tools.walker(patient.config)
    for one in patient.config.destinations:
        if not isinstance(one, HttpDestination):
            continue
        hops = walker.walk(route_of(one, patient.tools.login_fields(one), patient.tools.proxy_of(one)))
        for hop in hops:
            if not hop.is_good:
                yield fault(
                    f"destination-{hop.name.lower()}",
                    f"the way to destination {one.name} is broken at {hop.name}: {hop.sentence}",
                    known=f"going the way hop by hop (iadmin destination check {one.name})",
                    remedy=hop.cure,
                )
