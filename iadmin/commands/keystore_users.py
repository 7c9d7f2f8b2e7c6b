"""Who opens a keystore of the home, and with which password file: the sections of the configuration that name it."""

from __future__ import annotations

from pathlib import Path

import attrs

from agent.errors import AgentError
from iadmin.commands.tools import Tools


@attrs.frozen
class User:
    """A section of the configuration, as an operator finds it, and its password file."""

    section: str
    password_file: Path | None


def users_of(tools: Tools, keystore: Path) -> tuple[User, ...]:
    """Those that open this file; nobody where the configuration cannot be read or there is no home."""
    try:
        home = tools.home
        settings, _ = tools.load_config(home)
    except AgentError:
        return ()
    found = [
        (f"<service-gateway> of port {one.port}", one.tls.keystore, one.tls.keystore_password_file)
        for one in settings.gateways
        if (one.ssl or one.tls.is_keystore_named) and one.tls.certificate is None
    ]
    if settings.admin is not None:
        found.append(("<admin-gateway>", settings.admin.keystore, settings.admin.password_file))
    return tuple(
        User(section, None if file is None else home / file) for section, path, file in found if home / path == keystore
    )


def after_new_password(tools: Tools, keystore: Path) -> list[str]:
    """What is still to do so that the agent can open it with its new password."""
    users = users_of(tools, keystore)
    named = dict.fromkeys(one.password_file for one in users if one.password_file is not None)
    told = [f"the configuration names {file} for its password: write the new one into it" for file in named]
    unnamed = [one.section for one in users if one.password_file is None]
    if unnamed:
        told.append(
            f"{' and '.join(unnamed)} would open it with the default password: write the new one into a file of its "
            'own (0600) and name that there (keystore-password-file="..."), or give it as docs/security.rst '
            "says; then: iadmin reload"
        )
    return told
