"""`<admin-gateway>` -> `AdminGatewayConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from agent.config.admin import DEFAULT_HOST, DEFAULT_PORT, AdminGatewayConfig
from agent.config.lookup import relative_name, resolved, slashed
from agent.config.model import GatewayConfig
from agent.config.reading_tls import KEYSTORE
from agent.config.section import Section
from agent.config.sending import Surroundings
from agent.config.values import host, listening_port


def read_admin_gateway(
    section: Section | None, around: Surroundings, gateways: Sequence[GatewayConfig]
) -> AdminGatewayConfig | None:
    """Read the section; None where there is none, and then only the socket in var/run leads to the agent.

    The password file of a keystore is also that of a service gateway with the same one.

    A keystore that is missing is no fault here: the agent starts without its admin gateway and says so, because events
    must not wait for the administration.
    """
    if section is None:
        return None

    def path(name: str) -> PurePath | None:
        return section.attribute(name, lambda value: resolved(around.folder, slashed(value)), None)

    password_file = path("keystore-password-file")
    trouble = "" if password_file is None else around.files.trouble(password_file)
    if password_file is not None and trouble:
        section.error(f"the file {relative_name(password_file, around.home)} {trouble}", at="@keystore-password-file")
    keystore = path("keystore") or resolved(around.folder, KEYSTORE)
    shared = (one.tls.keystore_password_file for one in gateways if one.tls.keystore == keystore)
    return AdminGatewayConfig(
        host=section.attribute("host", host, DEFAULT_HOST),
        port=section.attribute("port", listening_port, DEFAULT_PORT),
        keystore=keystore,
        password_file=password_file or next((one for one in shared if one is not None), None),
    )
