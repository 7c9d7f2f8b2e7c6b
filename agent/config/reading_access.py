"""`<authentication>` -> `Access`: who may send to a gateway or a service.

The attributes `authenticate`, `user` and `password` are the spelling of the EMS (`http_server` in its config.json). The
lines of a senders file are `NAME:HASH`, as `iadmin secret` makes them; `#` begins a comment. What kind of credentials a
line is, its hash says.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from agent.access import DEFAULT_REALM, OPEN, Access, Account, CertificatePattern, Senders
from agent.config.lookup import Found, doubled_folder, relative_name, resolved, slashed
from agent.config.problem import printable, shown
from agent.config.section import Section
from agent.config.sending import Surroundings
from agent.config.values import Unfit, boolean, text, whole
from agent.credential import MAX_NAME, PasswordHash, parse_key, parse_token
from agent.secret import Secret

MAX_SENDERS_FILE_BYTES: Final = 1024 * 1024
"""Some 7,000 lines."""
MAX_FAULTS: Final = 20
"""Lines of one senders file that are told: a wrong file has thousands of wrong lines."""

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KINDS: Final = ("dns:", "ip:", "email:", "uri:")
_HOW_TO: Final = "make lines with: iadmin secret password NAME"


def read_access(section: Section, around: Surroundings) -> Access | None:
    """Read what an element says of who may send: its child `<authentication>` and, on a gateway, the EMS's attributes.

    None where it says nothing.
    """
    own = section.child("authentication")
    authenticate = section.attribute("authenticate", boolean, None)
    account = _read_user(section)
    access = None if own is None else _read_authentication(own, around)
    if authenticate is None and account is not None:
        section.error('user and password have no effect without authenticate="true"; add it', at="@user")
    if authenticate is False and access is not None and not access.is_open:
        section.error("false contradicts the element authentication; take one of the two out", at="@authenticate")
    if not authenticate:
        return access
    if access is not None and access.is_open:
        section.error(
            "true contradicts the element none in authentication; take one of the two out", at="@authenticate"
        )
    if account is None and access is None and not _has(section, "user", "password"):
        section.error(
            "true, but there are no credentials: give user and password, or the element authentication",
            at="@authenticate",
        )
    if account is None:
        return access or Access()
    given = access or Access()
    return Access(
        senders=(Senders(accounts=(account,)), *given.senders),
        networks=given.networks,
        certificates=given.certificates,
        realm=given.realm,
    )


def warn_of_clear_text(section: Section, access: Access | None, *, ssl: bool, host: str) -> None:
    """Warn where passwords and tokens travel unprotected."""
    if access is None or ssl or host in {"localhost", "::1"} or host.startswith("127."):
        return
    hashes = [account.secret.reveal() for senders in access.senders for account in senders.accounts]
    if any(not each.startswith("$key$") for each in hashes):
        section.warning('passwords and tokens of senders travel unprotected over http; use ssl="true"', at="@ssl")


def _read_authentication(section: Section, around: Surroundings) -> Access:
    account = _read_user(section)
    senders = [] if account is None else [Senders(accounts=(account,))]
    for entry in section.children("senders"):
        read = _read_senders(entry, around)
        if read is not None:
            senders.append(read)
    networks = [network for entry in section.children("network") for network in entry.text(_networks, ())]
    certificates = [_read_pattern(entry) for entry in section.children("client-certificate")]
    realm = section.attribute("realm", _realm, DEFAULT_REALM)
    is_restricted = _has(section, "user", "password") or any(
        any(section.children(name)) for name in ("senders", "network", "client-certificate")
    )
    if section.child("none") is not None:
        if is_restricted:
            section.error(
                "lets everybody in, so that the other methods have no effect; keep one or the other", at="none"
            )
        return OPEN
    if not is_restricted:
        section.error("names no method: add senders, network or client-certificate, or none to let everybody in")
    return Access(senders=tuple(senders), networks=tuple(networks), certificates=tuple(certificates), realm=realm)


def _read_user(section: Section) -> Account | None:
    """User and password in the file itself."""
    user = section.attribute("user", _account_name, None)
    password = section.element.get("password")
    if not _has(section, "user", "password"):
        return None
    if "user" not in section.element.attrib:
        section.error("there is a password, but no user", at="@password")
    elif password is None:
        section.error("there is a user, but no password", at="@user")
    elif not password:
        section.error("the password is empty", at="@password")
    elif password.startswith("$scrypt$"):
        if trouble := _fault_of(password):
            section.error(f"what begins with $scrypt$ {trouble}", at="@password")
            return None
    else:
        section.warning(
            f"stands here in clear text; {_HOW_TO.replace('lines', 'a hash').replace('NAME', user or 'NAME')}",
            at="@password",
        )
    return Account(name=user, secret=Secret(password)) if user and password else None


def _read_senders(section: Section, around: Surroundings) -> Senders | None:
    file = section.required_attribute("file", slashed)
    sources = section.attribute("from", _networks, ())
    window_s = section.attribute("window-s", whole(1, 3600), 300)
    if file is None:
        return None
    base = resolved(around.folder, file)
    name = relative_name(base, around.home)
    found = around.files.read(base, max_bytes=MAX_SENDERS_FILE_BYTES)
    if found.trouble:
        hint = doubled_folder(base, around.folder, around.files) or f"; {_HOW_TO}"
        section.error(f"the senders file {name} {found.trouble}{hint}", at="@file")
        return None
    if found.readable_by_others:
        section.warning(f"every account of this machine can read {name}; chmod 600 would mend it", at="@file")
    accounts = tuple(_read_lines(section, name, found))
    if not accounts and section.element not in section.problems.blamed:
        section.error(f"the senders file {name} holds no line; {_HOW_TO}", at="@file")
    return Senders(accounts=accounts, sources=sources, window_s=window_s)


def _read_lines(section: Section, name: str, found: Found) -> Iterator[Account]:
    try:
        lines = found.data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        section.error(f"the senders file {name} is not UTF-8 text", at="@file")
        return
    faults = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        account, colon, secret = line.strip().partition(":")
        trouble = _fault_of(secret)
        try:
            _account_name(account if colon else "")
        except Unfit:
            # Perhaps a password; the sentence must not repeat it.
            trouble = "does not begin with a name and a colon"
        if not trouble:
            yield Account(name=account, secret=Secret(secret))
            continue
        faults += 1
        if faults <= MAX_FAULTS:
            section.error(f"line {number} of {name} {trouble}; {_HOW_TO}", at="@file")


def _fault_of(secret: str) -> str:
    """What is wrong with the part of a line behind the name, as the end of a sentence; empty where it is good."""
    try:
        if secret.startswith("$sha256$"):
            parse_token(secret)
        elif secret.startswith("$key$"):
            parse_key(secret)
        else:
            PasswordHash.parse(secret)
    except ValueError as error:
        return str(error)
    return ""


def _read_pattern(section: Section) -> CertificatePattern:
    if not _has(section, "subject", "name", "fingerprint"):
        section.error("needs the attribute subject, name or fingerprint")
    return CertificatePattern(
        subject=section.attribute("subject", text, ""),
        name=section.attribute("name", _alternative_name, ""),
        fingerprint=section.attribute("fingerprint", _fingerprint, ""),
    )


def _has(section: Section, *names: str) -> bool:
    return any(name in section.element.attrib for name in names)


def _networks(value: str) -> tuple[str, ...]:
    """Read networks and addresses, with blanks or commas between them."""
    networks = []
    for piece in value.replace(",", " ").split():
        try:
            networks.append(str(ipaddress.ip_network(piece)))
        except ValueError as error:
            # A host bit that is set is a slip whose meaning is open: 10.1.2.3/8 can be one machine or many.
            raise Unfit(f"{shown(piece)} is not a network such as 10.1.0.0/16, nor an address: {error}") from None
    return tuple(networks)


def _account_name(value: str) -> str:
    """Read the name of an account: what HTTP Basic can carry in front of its colon (RFC 7617, section 2)."""
    if value and len(value) <= MAX_NAME and ":" not in value and value == printable(value) == value.strip():
        return value
    raise Unfit(f"{shown(value)} is not the name of an account: at most {MAX_NAME} characters, none of them a colon")


def _alternative_name(value: str) -> str:
    text(value)
    if value.startswith(_KINDS) and value not in _KINDS:
        return value
    raise Unfit(f"{shown(value)} is not an alternative name; write dns:*.example.com, ip:.., email:.. or uri:..")


def _fingerprint(value: str) -> str:
    """Read a SHA-256, with colons or without, as openssl and keytool print it."""
    digits = value.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(digits):
        return digits
    raise Unfit(f"{shown(value)} is not the SHA-256 fingerprint of a certificate: 64 hexadecimal digits")


def _realm(value: str) -> str:
    """Read a name that stands between quotes in a header."""
    text(value)
    if value.isascii() and not set(value) & set('"\\'):
        return value
    raise Unfit(f"{shown(value)} must be ASCII without quotes and backslashes")
