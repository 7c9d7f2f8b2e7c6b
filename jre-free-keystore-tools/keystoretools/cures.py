"""The commands that findings recommend, in one place, so that they stay what `iadmin keystore` understands."""

from __future__ import annotations

import shlex

COMMAND = "iadmin keystore"


def command(*words: str) -> str:
    """`iadmin keystore import new.pfx`, words quoted for a shell where they need it."""
    return f"{COMMAND} {shlex.join(words)}"


def renew(alias: str | None, name: str, *, signs_itself: bool = False) -> str:
    """How to get a new certificate for an entry, or for something called `name` that is in no keystore yet."""
    if alias is None and signs_itself:
        return f"Make a new one: {command('create', 'server')}"
    if alias is None:
        return f"Ask whoever issued {name} for a new certificate."
    return f"Make a request and send it to your certificate department: {command('request', alias)}"


def add_issuer(alias: str | None, urls: tuple[str, ...]) -> str:
    """How to complete a chain."""
    where = f" (the certificate says it is at {urls[0]})" if urls else " (ask whoever sent the certificate)"
    return (
        f"Get that certificate{where}, then: {command('import', 'issuer.cer')}"
        if alias is not None
        else (f"Get that certificate{where} and give it together with the other files.")
    )


def same_password(alias: str) -> str:
    return f"Put the key under the keystore's password: {command('passwd', '--key', alias)}"


def choose(alias: str) -> str:
    return f"Say which one to present: {command('use', alias)}"


GIVE_PASSWORD = (
    "Give its password: in the first line of a file (--source-password-file FILE) or in IA_SOURCE_PASSWORD; at a"
    " terminal it is asked for."
)
FIND_THE_KEY = (
    "The key was made where the request was made: look on that machine, in that keystore (.jks, .keystore, .pfx) or in"
    " a .key file beside the request, and give it together with the certificate."
)
