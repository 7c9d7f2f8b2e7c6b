"""The TLS attributes of `<service-gateway>` -> `TlsConfig`: which files, which policy, which clients.

They are read and checked also while `ssl` is false, so that switching it on brings no surprise; but files must be there
only once it is on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from agent.config.lookup import doubled_folder, relative_name, resolved, slashed
from agent.config.problem import shown
from agent.config.section import Section
from agent.config.sending import Surroundings
from agent.config.tls import ClientAuth, TlsConfig, TlsPolicy
from agent.config.values import Unfit, choice, text
from agent.secret import Secret

KEYSTORE: Final = ".keystore"
"""In the folder of the configuration, as the original has it."""

MOST_FINGERPRINTS: Final = 1000

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_tls(section: Section, around: Surroundings, *, ssl: bool) -> TlsConfig:
    """Read what one `<service-gateway>` says about TLS."""

    def path(name: str) -> PurePath | None:
        return section.attribute(name, _path(around), None)

    keystore = path("keystore")
    read = TlsConfig(
        keystore=keystore or resolved(around.folder, KEYSTORE),
        is_keystore_named=keystore is not None,
        keystore_password_file=path("keystore-password-file"),
        certificate=path("certificate"),
        private_key=path("private-key"),
        passphrase_file=path("passphrase-file"),
        passphrase=section.attribute("passphrase", Secret, None),
        policy=section.attribute("policy", choice(TlsPolicy), TlsPolicy.INTERMEDIATE),
        client_auth=section.attribute("client-auth", choice(ClientAuth), ClientAuth.OFF),
        truststore=path("truststore"),
        truststore_password_file=path("truststore-password-file"),
        fingerprint_allowlist=section.attribute("fingerprint-allowlist", fingerprints, ()),
    )
    _judge(section, read)
    if ssl:
        _require_files(section, read, around)
    return read


def fingerprints(value: str) -> tuple[str, ...]:
    """Read SHA-256 fingerprints, apart by blanks or commas, with or without colons, in either case."""
    text(value)
    found: list[str] = []
    for word in value.replace(",", " ").split():
        digits = word.lower().removeprefix("sha256:").replace(":", "")
        if not _FINGERPRINT.fullmatch(digits):
            raise Unfit(f"{shown(word)} is not a SHA-256 fingerprint: 64 hex digits, with or without colons")
        found.append(digits)
    if len(found) > MOST_FINGERPRINTS:
        raise Unfit(f"{len(found)} fingerprints are more than {MOST_FINGERPRINTS}; use a truststore")
    return tuple(dict.fromkeys(found))


def _path(around: Surroundings) -> Callable[[str], PurePath]:
    return lambda value: resolved(around.folder, slashed(value))


def _judge(section: Section, tls: TlsConfig) -> None:
    """What stands together must fit together."""
    if tls.private_key is not None and tls.certificate is None:
        section.error("a private key without its certificate: name it in certificate, too", at="@private-key")
    _judge_passphrase(section, tls)
    if tls.certificate is not None and tls.is_keystore_named:
        section.error("both a keystore and a certificate are named; take one of the two out", at="@certificate")
    if tls.certificate is not None and "alias" in section.element.attrib:
        section.error("an alias is an entry of the keystore, but a certificate file is named", at="@alias")
    if tls.client_auth is ClientAuth.OFF:
        for name in ("truststore", "fingerprint-allowlist"):
            if name in section.element.attrib:
                section.error('it has no effect without client-auth="optional" or "required"', at=f"@{name}")
    elif tls.truststore is None and not tls.fingerprint_allowlist:
        section.error(
            f'"{tls.client_auth.value}", but nothing says which clients are known: name a truststore with their '
            "authorities, or their fingerprints in fingerprint-allowlist",
            at="@client-auth",
        )
    if tls.policy is TlsPolicy.LEGACY:
        section.warning(
            "older ciphers are taken as well, some of which let whoever learns the key read what was recorded before; "
            "renew the senders and go back to intermediate",
            at="@policy",
        )


def _judge_passphrase(section: Section, tls: TlsConfig) -> None:
    for name, given in (("passphrase-file", tls.passphrase_file), ("passphrase", tls.passphrase)):
        if given is not None and tls.certificate is None:
            section.error(
                "it opens the private-key of a PEM certificate, and none is named; the password of the keystore stands "
                "in keystore-password-file",
                at=f"@{name}",
            )
    if tls.passphrase is not None and tls.passphrase_file is not None:
        section.error("passphrase-file is named as well; take one of the two out", at="@passphrase")
    elif tls.passphrase is not None:
        section.warning(
            "it stands here in clear text, and whoever reads this file can use the key; write it into the first line "
            "of a file of its own (mode 0600) and name that in passphrase-file",
            at="@passphrase",
        )


def _require_files(section: Section, tls: TlsConfig, around: Surroundings) -> None:
    named = {
        "keystore": tls.keystore if tls.is_keystore_named else None,
        "keystore-password-file": tls.keystore_password_file,
        "certificate": tls.certificate,
        "private-key": tls.private_key,
        "passphrase-file": tls.passphrase_file,
        "truststore": tls.truststore,
        "truststore-password-file": tls.truststore_password_file,
    }
    for name, path in named.items():
        trouble = "" if path is None else around.files.trouble(path)
        if path is not None and trouble:
            hint = doubled_folder(path, around.folder, around.files)
            section.error(f"the file {relative_name(path, around.home)} {trouble}{hint}", at=f"@{name}")
