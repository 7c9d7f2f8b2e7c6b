"""Giving certificates away: which ones, in which form, and how the other side takes them in."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.tools import Tools
from keystoretools import (
    PORTABLE,
    PROFILES,
    Certificate,
    Format,
    Keystore,
    OperationError,
    Password,
    TrustedCertificateEntry,
    save_keystore,
    write_pem,
)
from keystoretools.certificate_findings import title
from keystoretools.chain import is_self_signed, order
from keystoretools.errors import ErrorCode, quoted

EXPORT_VARIABLE: Final = "IA_EXPORT_PASSWORD"
DEFAULT_PASSWORD: Final = "changeit"
"""Of Java's own trust stores; there is nothing secret in one."""
export_password_option = click.option(
    "--export-password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is the password of the new store (else ${EXPORT_VARIABLE}, else {DEFAULT_PASSWORD}).",
)


def choose(
    own: Certificate, near: Iterable[Certificate], *, ca: bool, chain: bool, alias: str = ""
) -> tuple[Certificate, ...]:
    """The certificate itself, with `ca` the authority at the top of its chain, with `chain` all of it.

    `near` are certificates among which its issuers are looked for. Raises `OperationError` when the authority is not
    among them.
    """
    links = order([own, *near], leaf=own).chain
    if chain:
        return links
    if not ca:
        return (own,)
    if len(links) == 1 and not is_self_signed(own):
        raise OperationError(
            f"The certificate of {title(own)}'s issuer {quoted(own.issuer.common_name or own.issuer.text())} is not in"
            " the keystore; import it first, or export the certificate itself without --ca.",
            code=ErrorCode.CHAIN_INCOMPLETE,
            alias=alias,
        )
    return (links[-1],)


def encode(
    chosen: tuple[Certificate, ...], form: str, alias: str, password: Password, profile: str, now_ms: int
) -> bytes:
    """Trusted certificates as PEM, DER (the first), or a trust store with their aliases."""
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


def write(tools: Tools, path: Path, octets: bytes, *, force: bool) -> None:
    """Write a file that may replace another only with `force`."""
    if path.exists() and not force:
        raise OperatorError(
            "file-exists",
            f"{str(path)!r} exists and is not overwritten; choose another name or add --force",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    tools.safe_files().save(path, octets, now=tools.now(), create=True)


def what(chosen: tuple[Certificate, ...]) -> str:
    """`the certificate "ia.example.com" and 2 of its issuers`."""
    more = f" and {len(chosen) - 1} of its issuers" if len(chosen) > 1 else ""
    return f"the certificate {title(chosen[0])}{more}"


def commands(out: Path, form: str, alias: str, password: Password) -> tuple[tuple[str, str], ...]:
    """For the machine of the sender; the file is there under the same name. Only the usual password is shown."""
    file, name = shlex.quote(out.name), shlex.quote(alias)
    if form in ("pkcs12", "jks"):
        kind, opener = form.upper(), DEFAULT_PASSWORD if password.reveal() == DEFAULT_PASSWORD else "PASSWORD"
        # Without the password Java takes a PKCS#12 store for an empty one.
        own = f"-Djavax.net.ssl.trustStoreType={kind} -Djavax.net.ssl.trustStorePassword={opener}"
        given = f"-srckeystore {file} -srcstoretype {kind} -srcstorepass {opener}"
        return (
            ("  Java, as its trust store", f"java -Djavax.net.ssl.trustStore={file} {own} ..."),
            (
                "  Java, into another store",
                f"keytool -importkeystore -noprompt {given} -destkeystore TRUSTSTORE -deststorepass changeit",
            ),
        )
    keytool = f"keytool -importcert -noprompt -trustcacerts -alias {name} -file {file} -keystore TRUSTSTORE"
    windows = out.name if " " not in out.name else f'"{out.name}"'
    # curl reads PEM only.
    pem = shlex.quote(f"{out.name}.pem")
    first = f"openssl x509 -inform DER -in {file} -out {pem} && " if form == "der" else ""
    return (
        ("  Java", f"{keytool} -storepass changeit"),
        ("  Windows (as administrator)", f"certutil -addstore -f Root {windows}"),
        (
            "  Windows PowerShell",
            f"Import-Certificate -FilePath {windows} -CertStoreLocation Cert:\\LocalMachine\\Root",
        ),
        ("  curl", f"{first}curl --cacert {pem if first else file} https://..."),
    )
