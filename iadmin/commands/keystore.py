"""`iadmin keystore`: keys and certificates for people who do not know TLS."""

from __future__ import annotations

from typing import Final

import click

from iadmin.commands.lazy import LazyGroup

COMMANDS: Final = {
    "list": ("iadmin.commands.keystore_look:list_", "List the entries, with names and expiry."),
    "explain": ("iadmin.commands.keystore_explain:explain", "Say in plain words what is in any FILE."),
    "import": ("iadmin.commands.keystore_import:import_", "Take key, certificate and chain from FILEs."),
    "create": ("iadmin.commands.keystore_create:create", "Make a key with a self-signed certificate."),
    "request": ("iadmin.commands.keystore_create:request", "Make a request for the certificate department."),
    "export": ("iadmin.commands.keystore_export:export", "Give a certificate to those who shall trust it."),
    "remove": ("iadmin.commands.keystore_change:remove", "Remove an entry."),
    "rename": ("iadmin.commands.keystore_change:rename", "Give an entry another name."),
    "passwd": ("iadmin.commands.keystore_change:passwd", "Change the password of the keystore or of one key."),
    "use": ("iadmin.commands.keystore_use:use", "Say which entry the service gateway presents."),
    "check": ("iadmin.commands.keystore_look:check", "Report what is wrong, with remedies."),
    "migrate": ("iadmin.commands.keystore_change:migrate", "Convert the keystore to another format."),
}
"""Verb -> where it is, and what help says of it (the first sentence of the command's own help; a test compares)."""


@click.group(cls=LazyGroup, lazy=COMMANDS)
def keystore() -> None:
    """Keys and certificates: explain, import, create, check."""
