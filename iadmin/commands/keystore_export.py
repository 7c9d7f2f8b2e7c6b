"""`iadmin keystore export ALIAS`: a certificate for those who shall trust it, and how they take it in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.keystore_plan import name_for
from iadmin.commands.keystore_words import certificate_data, certificate_of
from iadmin.commands.keystores import PASSWORD_VARIABLE, AgentKeystore, keystore_command, served_alias
from iadmin.commands.lazy import Command
from iadmin.commands.passwords import given_password
from iadmin.model import Block, Outcome
from iadmin.render import Facts, Line, Script
from keystoretools import (
    PORTABLE,
    PROFILES,
    Certificate,
    Entry,
    Format,
    Keystore,
    OperationError,
    Password,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    save_keystore,
    write_pem,
)
from keystoretools.certificate_findings import title
from keystoretools.chain import is_self_signed, order
from keystoretools.errors import ErrorCode, quoted
from keystoretools.identity import choose_identity

EXPORT_VARIABLE: Final = "IA_EXPORT_PASSWORD"
DEFAULT_PASSWORD: Final = "changeit"
"""Of Java's own trust stores; there is nothing secret in one."""


@click.command(cls=Command)
@click.argument("alias", metavar="[ALIAS]", required=False)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE (default: PEM to stdout).")
@click.option("--format", "form", type=click.Choice(["pem", "der", "pkcs12", "jks"]), default="pem", show_default=True)
@click.option("--ca", is_flag=True, help="Not the certificate itself, but the authority at the top of its chain.")
@click.option("--chain", is_flag=True, help="The certificate with all its issuers (PEM only).")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default="portable", help="For pkcs12: who can read it.")
@click.option(
    "--export-password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is the password of the new store (else ${EXPORT_VARIABLE}, else {DEFAULT_PASSWORD}).",
)
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
    chosen = _chosen(entry, keystore, ca=ca, chain=chain)
    password = given_password(store.tools, export_password_file, EXPORT_VARIABLE) or Password(DEFAULT_PASSWORD)
    called = name_for(chosen[0]) if ca else entry.alias
    octets = _octets(chosen, form, called, password, profile, store.now_ms)
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
    _write(store, store.tools.cwd / out, octets, force=force)
    blocks: tuple[Block, ...] = (
        Line(f"Wrote {_what(chosen)} to {out} ({form}). There is no secret in it.", "good"),
        Line(f"Fingerprint (SHA-256), to compare by telephone: {chosen[0].sha256.hex(':').upper()}"),
        Facts(title="Where the sender takes it in:", pairs=_commands(out, form, called)),
    )
    return Outcome(data=data, blocks=blocks, notes=tuple(notes))


def _entry(store: AgentKeystore, keystore: Keystore, alias: str | None) -> Entry:
    if alias is not None:
        return keystore[alias]
    return choose_identity(keystore, served_alias(store.tools) or None, now=store.tools.now()).entry


def _chosen(entry: Entry, keystore: Keystore, *, ca: bool, chain: bool) -> tuple[Certificate, ...]:
    own = certificate_of(entry)
    if own is None:
        raise OperationError(
            f"The entry {quoted(entry.alias)} has no certificate.", code=ErrorCode.NO_SUCH_ALIAS, alias=entry.alias
        )
    near = entry.chain if isinstance(entry, PrivateKeyEntry) else ()
    trusted = [one.certificate for one in keystore.trusted_certificates]
    links = order([own, *near, *trusted], leaf=own).chain
    if chain:
        return links
    if not ca:
        return (own,)
    if len(links) == 1 and not is_self_signed(own):
        raise OperationError(
            f"The certificate of {title(own)}'s issuer {quoted(own.issuer.common_name or own.issuer.text())} is not in"
            " the keystore; import it first, or export the certificate itself without --ca.",
            code=ErrorCode.CHAIN_INCOMPLETE,
            alias=entry.alias,
        )
    return (links[-1],)


def _octets(
    chosen: tuple[Certificate, ...], form: str, alias: str, password: Password, profile: str, now_ms: int
) -> bytes:
    if form == "pem":
        return write_pem(chosen)
    if form == "der":
        return chosen[0].der
    names = [alias, *(f"{alias}-{number}" for number in range(2, len(chosen) + 1))]
    entries = tuple(
        TrustedCertificateEntry(alias=name, certificate=one, created_ms=now_ms)
        for name, one in zip(names, chosen, strict=True)
    )
    made = Keystore(format=Format.JKS if form == "jks" else Format.PKCS12, entries=entries, password=password)
    return save_keystore(made, profile=PROFILES.get(profile, PORTABLE), now_ms=now_ms)


def _write(store: AgentKeystore, path: Path, octets: bytes, *, force: bool) -> None:
    if path.exists() and not force:
        raise OperatorError(
            "file-exists",
            f"{str(path)!r} exists and is not overwritten; choose another name or add --force",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    store.tools.safe_files().save(path, octets, now=store.tools.now(), create=True)


def _what(chosen: tuple[Certificate, ...]) -> str:
    more = f" and {len(chosen) - 1} of its issuers" if len(chosen) > 1 else ""
    return f"the certificate {title(chosen[0])}{more}"


def _commands(out: Path, form: str, alias: str) -> tuple[tuple[str, str], ...]:
    """For the machine of the sender; the file is there under the same name."""
    file, name = shlex.quote(out.name), shlex.quote(alias)
    if form in ("pkcs12", "jks"):
        kind = form.upper()
        return (
            (
                "  Java, as its trust store",
                f"java -Djavax.net.ssl.trustStore={file} -Djavax.net.ssl.trustStoreType={kind} ...",
            ),
            (
                "  Java, into another store",
                f"keytool -importkeystore -srckeystore {file} -srcstoretype {kind} -destkeystore TRUSTSTORE",
            ),
        )
    keytool = f"keytool -importcert -noprompt -trustcacerts -alias {name} -file {file} -keystore TRUSTSTORE"
    windows = out.name if " " not in out.name else f'"{out.name}"'
    return (
        ("  Java", f"{keytool} -storepass changeit"),
        ("  Windows (as administrator)", f"certutil -addstore -f Root {windows}"),
        (
            "  Windows PowerShell",
            f"Import-Certificate -FilePath {windows} -CertStoreLocation Cert:\\LocalMachine\\Root",
        ),
        ("  curl", f"curl --cacert {file} https://..."),
    )
