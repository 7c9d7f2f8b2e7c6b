"""`iadmin tls`: HTTPS for people who do not know TLS."""

from __future__ import annotations

from typing import Final

import click

from iadmin.commands.lazy import LazyGroup

COMMANDS: Final = {
    "on": ("iadmin.commands.tls_switch:on", "Receive events over HTTPS."),
    "off": ("iadmin.commands.tls_switch:off", "Receive events over plain HTTP."),
    "check": ("iadmin.commands.tls_check:check", "Say what a port really speaks, and who would accept it."),
    "expiry": ("iadmin.commands.tls_expiry:expiry", "List certificates by the days they have left."),
    "export": ("iadmin.commands.tls_export:export", "Give senders what they must trust."),
    "strangers": ("iadmin.commands.tls_strangers:strangers", "Show who failed to connect, why, and the remedy."),
}
"""Verb -> where it is, and what help says of it (the first sentence of the command's own help; a test compares)."""


@click.group(cls=LazyGroup, lazy=COMMANDS)
def tls() -> None:
    """HTTPS: switch it, check it, see who fails at it."""
