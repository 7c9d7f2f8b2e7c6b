"""`iadmin tls on` and `off`: one attribute of the configuration, checked before, in force after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agent.config.edit import NotEditable, set_attribute
from agent.config.model import AgentConfig, GatewayConfig
from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.edges import KeyMaterial
from iadmin.commands.keystore_words import certificate_data, days_left
from iadmin.commands.keystores import operator_error
from iadmin.commands.lazy import Command
from iadmin.commands.tls_gateways import base_url, called, choose_gateway, material_of, port_option, service_urls
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Facts, Line
from keystoretools import KeystoreError
from keystoretools.chain import is_self_signed


@click.command(cls=Command)
@port_option
@pass_tools
def on(tools: Tools, port: int | None) -> Outcome:
    """Receive events over HTTPS.

    Checks first that there is a certificate that can be served (with nothing configured, a self-signed one is made).
    Then writes ssl="true" into iaconfig.xml, leaves everything else in that file as it is, and lets the running agent
    take it over: the port stays open, and connections that are open go on as they began.
    """
    settings, number, gateway = _found(tools, port)
    material = material_of(tools, gateway)
    changed, reloaded = _switch(tools, settings, number, ssl=True)
    name = called(tools, gateway, material)
    base = base_url("https", name, gateway.port)
    first = material.identities[0]
    leaf = first.chain[0]
    return Outcome(
        data={
            "port": gateway.port,
            "ssl": True,
            "changed": changed,
            "reload": reloaded,
            "alias": first.alias,
            "certificate": certificate_data(leaf),
            "self_made": material.is_selfmade,
            "urls": list(service_urls(settings, base)),
            "warnings": list(material.warnings),
        },
        blocks=(
            Line(_done(tools, gateway, "HTTPS", changed, reloaded), "good"),
            *(Line(f"warning: {warning}", "warn") for warning in material.warnings),
            Facts(
                title="It presents",
                pairs=(
                    ("certificate", f"{first.alias}, for {', '.join(first.names) or 'no name at all'}"),
                    ("issued by", _issuer(material)),
                    ("valid until", f"{leaf.not_after:%Y-%m-%d} ({days_left(leaf, tools.now())})"),
                    ("SHA-256", leaf.sha256.hex(":").upper()),
                ),
            ),
            Facts(title="What senders must do now", pairs=tuple(_to_do(settings, base, material))),
            *_named(reloaded),
        ),
    )


@click.command(cls=Command)
@port_option
@pass_tools
def off(tools: Tools, port: int | None) -> Outcome:
    """Receive events over plain HTTP.

    Writes ssl="false" into iaconfig.xml and lets the running agent take it over. What senders send can then be read on
    the network.
    """
    settings, number, gateway = _found(tools, port)
    changed, reloaded = _switch(tools, settings, number, ssl=False)
    base = base_url("http", called(tools, gateway, None), gateway.port)
    urls = service_urls(settings, base)
    return Outcome(
        data={"port": gateway.port, "ssl": False, "changed": changed, "reload": reloaded, "urls": list(urls)},
        blocks=(
            Line(_done(tools, gateway, "plain HTTP", changed, reloaded), "good"),
            Line("What senders send, passwords too, can be read by whoever is on the way.", "warn"),
            Facts(title="What senders must do now", pairs=(("use", urls[0] if urls else f"{base}/http/..."),)),
            *_named(reloaded),
        ),
    )


def _found(tools: Tools, port: int | None) -> tuple[AgentConfig, int, GatewayConfig]:
    settings, _ = tools.load_config(tools.home)
    return settings, *choose_gateway(settings, port)


def _switch(tools: Tools, settings: AgentConfig, number: int, *, ssl: bool) -> tuple[bool, Mapping[str, Any] | None]:
    """Write it and let the agent take it over; when that fails, the file is as before.

    Returns whether the file was changed, and the agent's answer, None where no agent runs.
    """
    config = tools.config_file
    try:
        with tools.safe_files().locked(config):
            before = tools.safe_files().load(config)
            after = _edited(config, before, number, ssl=ssl, gateways=len(settings.gateways))
            if after != before:
                tools.safe_files().save(config, after, now=tools.now(), expected=before)
    except KeystoreError as error:
        raise operator_error(error) from error
    try:
        tools.load_config(tools.home)
        # The lock on the home says whether an agent runs; a socket file would say so of a dead one.
        reloaded = tools.link().reload() if tools.agent_pid() is not None else None
    except AgentError as error:
        if after != before:
            tools.safe_files().save(config, before, now=tools.now(), expected=after, backup=False)
        undone = f"{'; '.join(error.lines)}; {config.name} is as it was before"
        raise OperatorError(error.code, undone, exit_status=error.exit_status) from error
    return after != before, reloaded


def _edited(config: Path, data: bytes, number: int, *, ssl: bool, gateways: int) -> bytes:
    try:
        return set_attribute(
            data, "service-gateway", "ssl", "true" if ssl else "false", number=number if gateways > 1 else None
        )
    except NotEditable as error:
        raise OperatorError("cannot-edit", f"{config.name}: {error}", exit_status=ExitStatus.CONFIG) from error


def _done(tools: Tools, gateway: GatewayConfig, what: str, changed: bool, reloaded: Mapping[str, Any] | None) -> str:
    file = f"{tools.config_file.name} {'says so' if changed else 'said so already'}"
    if reloaded is None:
        return f"Port {gateway.port} will receive events over {what} ({file}); the agent is not running."
    return f"Port {gateway.port} receives events over {what} now ({file}, and the agent has taken it over)."


def _named(reloaded: Mapping[str, Any] | None) -> list[Block]:
    needed = (reloaded or {}).get("restart_needed") or []
    if not needed:
        return []
    return [Line(f"Also changed in the configuration, in force after a restart only: {', '.join(needed)}.", "warn")]


def _issuer(material: KeyMaterial) -> str:
    leaf = material.identities[0].chain[0]
    if is_self_signed(leaf):
        return "itself (self-signed)" + (", made by the agent just now or before" if material.is_selfmade else "")
    return leaf.issuer.common_name or leaf.issuer.text()


def _to_do(settings: AgentConfig, base: str, material: KeyMaterial) -> list[tuple[str, str]]:
    urls = service_urls(settings, base)
    steps = [("1. use", url) for url in urls[:1]] or [("1. use", f"{base}/http/...")]
    steps += [("", url) for url in urls[1:5]]
    if is_self_signed(material.identities[0].chain[0]):
        steps.append(("2. trust", "what this writes, for them to import: iadmin tls export --out agent.pem"))
    else:
        steps.append(("2. trust", "its issuer, if they do not yet: iadmin tls export --out agent.pem"))
    steps.append(("then look", "iadmin tls check, and who still fails: iadmin tls strangers"))
    return steps
