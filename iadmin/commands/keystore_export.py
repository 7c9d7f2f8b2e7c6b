"""`iadmin keystore export ALIAS`: a certificate for those who shall trust it, and how they take it in."""

from __future__ import annotations

from pathlib import Path

import click

from agent.errors import ExitStatus, OperatorError
from agent.storepassword import PASSWORD_VARIABLE
from iadmin.commands.exporting import (
    DEFAULT_PASSWORD,
    EXPORT_VARIABLE,
    choose,
    commands,
    encode,
    export_password_option,
    what,
    write,
)
from iadmin.commands.keystore_plan import name_for
from iadmin.commands.keystore_words import certificate_data, certificate_of
from iadmin.commands.keystores import AgentKeystore, keystore_command, served_alias
from iadmin.commands.lazy import Command
from iadmin.commands.passwords import given_password
from iadmin.model import Block, Outcome
from iadmin.render import Facts, Line, Script
from keystoretools import (
    PROFILES,
    Certificate,
    Entry,
    Keystore,
    OperationError,
    Password,
    PrivateKeyEntry,
)
from keystoretools.errors import ErrorCode, quoted
from keystoretools.identity import choose_identity


@click.command(cls=Command)
@click.argument("alias", metavar="[ALIAS]", required=False)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE (default: PEM to stdout).")
@click.option("--format", "form", type=click.Choice(["pem", "der", "pkcs12", "jks"]), default="pem", show_default=True)
@click.option("--ca", is_flag=True, help="Not the certificate itself, but the authority at the top of its chain.")
@click.option("--chain", is_flag=True, help="The certificate with all its issuers (PEM only).")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default="portable", help="For pkcs12: who can read it.")
@export_password_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@keystore_command
def export(
    store: AgentKeystore,
    alias: str | None,
    out: Path | None,
    form: str,
    ca: bool,
    chain: bool,
    profile: str,
    export_password_file: Path | None,
    force: bool,
) -> Outcome:
    """Give a certificate to those who shall trust it.

    Senders that use HTTPS must trust what the agent presents. Export it, send them the file, and tell them one of the
    commands that are shown. With a certificate from an authority, --ca is the better one to give: it stays good when
    the certificate is renewed. Private keys are never exported.
    """
    if form in ("pkcs12", "jks", "der") and out is None:
        raise OperatorError(
            "usage", f"--format {form} is not for a terminal; add --out FILE", exit_status=ExitStatus.USAGE
        )
    keystore = store.read_or_list()
    entry = _entry(store, keystore, alias)
    chosen = choose(_own(entry), _near(entry, keystore), ca=ca, chain=chain, alias=entry.alias)
    password = given_password(store.tools, export_password_file, EXPORT_VARIABLE) or Password(DEFAULT_PASSWORD)
    called = name_for(chosen[0]) if ca else entry.alias
    octets = encode(chosen, form, called, password, profile, store.now_ms)
    notes = [note for note in store.notes if PASSWORD_VARIABLE not in note and "everybody knows" not in note]
    data = {
        "alias": entry.alias,
        "format": form,
        "file": None if out is None else str(out),
        "certificates": [certificate_data(one) for one in chosen],
    }
    if out is None:
        return Outcome(
            data={**data, "pem": octets.decode("ascii")}, blocks=(Script(octets.decode("ascii")),), notes=tuple(notes)
        )
    write(store.tools, store.tools.cwd / out, octets, force=force)
    blocks: tuple[Block, ...] = (
        Line(f"Wrote {what(chosen)} to {out} ({form}). There is no secret in it.", "good"),
        Line(f"Fingerprint (SHA-256), to compare by telephone: {chosen[0].sha256.hex(':').upper()}"),
        Facts(title="Where the sender takes it in:", pairs=commands(out, form, called, password)),
    )
    return Outcome(data=data, blocks=blocks, notes=tuple(notes))


def _entry(store: AgentKeystore, keystore: Keystore, alias: str | None) -> Entry:
    if alias is not None:
        return keystore[alias]
    return choose_identity(keystore, served_alias(store.tools) or None, now=store.tools.now()).entry


def _own(entry: Entry) -> Certificate:
    own = certificate_of(entry)
    if own is None:
        raise OperationError(
            f"The entry {quoted(entry.alias)} has no certificate.", code=ErrorCode.NO_SUCH_ALIAS, alias=entry.alias
        )
    return own


def _near(entry: Entry, keystore: Keystore) -> tuple[Certificate, ...]:
    near = entry.chain if isinstance(entry, PrivateKeyEntry) else ()
    return (*near, *(one.certificate for one in keystore.trusted_certificates))
