"""`<SSL>` and `ignoreSSLErrors` of a destination -> `ClientTls`."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agent.config.lookup import doubled_folder, relative_name, resolved, slashed
from agent.config.outbound import ClientTls
from agent.config.problem import shown
from agent.config.section import Section
from agent.config.values import Unfit, boolean, text

if TYPE_CHECKING:
    from agent.config.sending import Surroundings

KEYSTORE: Final = ".keystore"
"""In the folder of the configuration, as the original has it."""

FINGERPRINT_DIGITS: Final = 64


def read_client_tls(destination: Section, url: str, around: Surroundings) -> ClientTls:
    """Read what a destination says about TLS; what cannot go together is an error, what is dangerous a warning."""
    ignores = destination.attribute("ignoreSSLErrors", boolean, False)
    if ignores:
        destination.warning(
            "whoever stands between can read and change everything that is sent: pin the certificate with "
            "SSL/fingerprint instead; it is not for production",
            at="@ignoreSSLErrors",
        )
    section = destination.child("SSL")
    if section is None:
        return ClientTls(ignore_errors=ignores)
    if urlsplit(url).scheme == "http":
        section.warning("the URL is http, so nothing of this has an effect; write https")
    trust, own = section.child("Truststore"), section.child("Keystore")
    fingerprints = [pin for each in section.children("fingerprint") if (pin := each.text(fingerprint, None))]
    if ignores and (trust is not None or fingerprints):
        section.error("ignoreSSLErrors makes Truststore and fingerprint useless; keep one of them")
    keystore = None
    if own is not None:
        own.required_child("alias")
        keystore = _file(own, "path", around) or _present(own, resolved(around.folder, KEYSTORE), around)
    return ClientTls(
        truststore=_file(trust, "path", around) if trust is not None and trust.required_child("path") else None,
        truststore_password_file=_file(trust, "password-file", around) if trust is not None else None,
        with_system=trust.value("with-system", boolean, False) if trust is not None else False,
        fingerprints=tuple(dict.fromkeys(fingerprints)),
        ignore_errors=ignores,
        keystore=keystore,
        keystore_password_file=_file(own, "password-file", around) if own is not None else None,
        alias=own.value("alias", text, "") if own is not None else "",
        verbose=section.value("verbose", boolean, False),
    )


def fingerprint(value: str) -> str:
    """Read one SHA-256 fingerprint, with or without colons, in either case."""
    digits = text(value).lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if len(digits) != FINGERPRINT_DIGITS or set(digits) - set("0123456789abcdef"):
        raise Unfit(f"{shown(value)} is not a SHA-256 fingerprint: 64 hex digits, with or without colons")
    return digits


def _file(section: Section, name: str, around: Surroundings) -> PurePath | None:
    element = section.child(name)
    named = element.text(slashed, None) if element is not None else None
    if element is None or named is None:
        return None
    return _present(element, resolved(around.folder, named), around)


def _present(place: Section, path: PurePath, around: Surroundings) -> PurePath:
    if trouble := around.files.trouble(path):
        hint = doubled_folder(path, around.folder, around.files)
        place.error(f"the file {relative_name(path, around.home)} {trouble}{hint}")
    return path
