"""`iadmin tls export`: what senders must trust, and the command that takes it in."""

from __future__ import annotations

from pathlib import Path

import click

from agent.errors import ExitStatus, OperatorError
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
from iadmin.commands.keystore_words import certificate_data
from iadmin.commands.keystores import operator_error
from iadmin.commands.lazy import Command
from iadmin.commands.passwords import given_password
from iadmin.commands.tls_gateways import choose_gateway, material_of, near, port_option
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line, Script
from keystoretools import Certificate, KeystoreError, Password
from keystoretools.chain import is_self_signed


@click.command(cls=Command)
@port_option
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE (default: PEM to stdout).")
@click.option("--format", "form", type=click.Choice(["pem", "der", "pkcs12", "jks"]), default="pem", show_default=True)
@click.option("--leaf", is_flag=True, help="The certificate itself, though it has an issuer.")
@export_password_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@pass_tools
def export(
    tools: Tools,
    port: int | None,
    out: Path | None,
    form: str,
    leaf: bool,
    export_password_file: Path | None,
    force: bool,
) -> Outcome:
    """Give senders what they must trust.

    That is the authority at the top of the chain that the agent presents, as far as it is at hand: it stays good when
    the certificate is renewed. A self-signed certificate is its own authority. There is no secret in it.
    """
    if form != "pem" and out is None:
        raise OperatorError(
            "usage", f"--format {form} is not for a terminal; add --out FILE", exit_status=ExitStatus.USAGE
        )
    settings, _ = tools.load_config(tools.home)
    _, gateway = choose_gateway(settings, port)
    first = material_of(tools, gateway).identities[0]
    own = first.chain[0]
    try:
        around = [*first.chain[1:], *near(tools, gateway.tls, first.alias)]
        at_hand = choose(own, around, ca=False, chain=True)
        chosen = (own,) if leaf else (at_hand[-1],)
        password = given_password(tools, export_password_file, EXPORT_VARIABLE) or Password(DEFAULT_PASSWORD)
        alias = name_for(chosen[0])
        octets = encode(chosen, form, alias, password, "portable", int(tools.now().timestamp() * 1000))
        if out is not None:
            write(tools, tools.cwd / out, octets, force=force)
    except KeystoreError as error:
        raise operator_error(error) from error
    notes = [
        f"{what(chosen)}; SHA-256 {chosen[0].sha256.hex(':').upper()}",
        *_advice(own, chosen[0]),
    ]
    data = {
        "alias": first.alias,
        "format": form,
        "file": None if out is None else str(out),
        "certificates": [certificate_data(one) for one in chosen],
    }
    if out is None:
        pem = octets.decode("ascii")
        return Outcome(data={**data, "pem": pem}, blocks=(Script(pem),), notes=tuple(notes))
    return Outcome(
        data=data,
        blocks=(
            Line(f"Wrote {what(chosen)} to {out} ({form}). There is no secret in it.", "good"),
            Line(f"Fingerprint (SHA-256), to compare by telephone: {chosen[0].sha256.hex(':').upper()}"),
            *(Line(advice) for advice in _advice(own, chosen[0])),
            Facts(title="Where the sender takes it in:", pairs=commands(out, form, alias, password)),
        ),
    )


_SELF_SIGNED = "The certificate is self-signed: whenever it is made anew, senders must be given the new one."
_NO_ISSUER = (
    "Its issuer is not at hand, so this is the certificate itself: senders need the new one after each renewal. Most "
    "senders know public authorities by themselves: iadmin tls check says whether."
)
_AUTHORITY = "Senders that know this authority already (public ones are known everywhere) need nothing."


def _advice(own: Certificate, chosen: Certificate) -> list[str]:
    if is_self_signed(own):
        return [_SELF_SIGNED]
    return [_NO_ISSUER if chosen == own else _AUTHORITY]
