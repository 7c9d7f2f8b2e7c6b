"""Alternative names and identifiers from text: `dns`, `ip`, `email`, `uri`, `oid` and `dn` with their rules.

The rules and the words for a fault are Java's, which people search for: a name that Java would refuse to read must not
get into a certificate.  Source: RFC 5280 4.2.1.6; texts measured with JDK 17.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from keystoretools import der
from keystoretools.dname import parse_name
from keystoretools.errors import ErrorCode, OperationError, quoted

_LETTERS_AND_DIGITS: Final = re.compile(r"[A-Za-z0-9]\Z")
_LABEL: Final = re.compile(r"[A-Za-z0-9-]*\Z")
_LONGEST_LABEL: Final = 63
# RFC 3986: the scheme; what may stand behind it, a percent sign only before two hex digits; no empty authority.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_BEHIND_SCHEME: Final = re.compile(r"(?!//\Z)(?:[^\s\x00-\x20\x7f\"<>\\^`{|}%]|%[0-9A-Fa-f]{2})+\Z")
_ARC: Final = re.compile(r"\d{1,21}\Z", re.ASCII)
_MOST_ARCS: Final = 31


def general_name(kind: str, value: str) -> bytes:
    """The DER of a GeneralName.  Raises OperationError value-not-valid; its sentence begins with Java's words."""
    match kind.lower():
        case "dns":
            _require_host(value)
            return der.encode(der.context(2, constructed=False), value.encode("ascii"))
        case "ip":
            return der.encode(der.context(7, constructed=False), _address(value))
        case "email":
            _require_mailbox(value)
            return der.encode(der.context(1, constructed=False), _ascii(value))
        case "uri":
            require_uri(value)
            return der.encode(der.context(6, constructed=False), _ascii(value))
        case "oid":
            try:
                return der.encode(der.context(8, constructed=False), der.parse(dotted(value)).content)
            except OperationError as error:
                raise _wrong(f"Unable to create OIDName: java.io.IOException: {error.sentence}") from error
        case "dn":
            return der.explicit(4, parse_name(value).der)
    raise _wrong(f"Unrecognized GeneralName type: {kind}")


def dotted(text: str) -> bytes:
    """The DER of an OBJECT IDENTIFIER that somebody typed.  Raises OperationError."""
    arcs = text.split(".")
    odd = next((arc for arc in arcs if not _ARC.match(arc)), None)
    if odd is not None:
        raise _wrong(
            f'ObjectIdentifier() -- Invalid format: java.lang.NumberFormatException: For input string: "{odd}"'
        )
    if len(arcs) < 2:
        raise _wrong("ObjectIdentifier() -- Must be at least two oid components ")
    if int(arcs[0]) > 2:
        raise _wrong("ObjectIdentifier() -- First oid component is invalid ")
    if int(arcs[0]) < 2 and int(arcs[1]) > 39:
        raise _wrong("ObjectIdentifier() -- Second oid component is invalid ")
    if len(arcs) > _MOST_ARCS:
        raise _wrong(f"ObjectIdentifier() -- More than {_MOST_ARCS} components", text)
    return der.oid(".".join(str(int(arc)) for arc in arcs))


def _require_host(value: str) -> None:
    """Letters, digits and hyphens between dots; `*` alone may stand for the first part of several."""
    if not value:
        raise _wrong("DNSName must not be null or empty")
    if " " in value:
        raise _wrong("DNSName with blank components is not permitted")
    if value.startswith(".") or value.endswith("."):
        raise _wrong("DNSName may not begin or end with a .")
    for label in value.removeprefix("*.").split("."):
        if not label:
            raise _wrong("DNSName with empty components are not permitted")
        if not _LETTERS_AND_DIGITS.match(label[0]):
            raise _wrong(
                "DNSName components must begin with a letter, digit, or the first component can have only a wildcard"
                " character *"
            )
        if not _LABEL.match(label):
            raise _wrong("DNSName components must consist of letters, digits, and hyphens")
        if len(label) > _LONGEST_LABEL:
            raise _wrong(f"DNSName components must have {_LONGEST_LABEL} characters or less", label)


def _address(value: str) -> bytes:
    if not value:
        raise _wrong("IPAddress cannot be null or empty")
    try:
        return ipaddress.ip_address(value.strip("[]")).packed
    except ValueError as error:
        raise _wrong(f"Invalid IPAddress: {value}") from error


def _require_mailbox(value: str) -> None:
    if not value:
        raise _wrong("RFC822Name may not be null or empty")
    domain = value.partition("@")[2] if "@" in value else value
    if not domain:
        raise _wrong("RFC822Name may not end with @")
    if domain == ".":
        raise _wrong("RFC822Name domain may not be just .")


def require_uri(value: str) -> None:
    """A scheme, and behind it what may stand in an address.  Raises OperationError in Java's words."""
    scheme, colon, rest = value.partition(":")
    if not colon and (not value or _BEHIND_SCHEME.match(value)):
        raise _wrong(f"URI name must include scheme:{value}")
    if not _SCHEME.match(scheme) or not _BEHIND_SCHEME.match(rest):
        raise _wrong(f"invalid URI name:{value}")


def _ascii(value: str) -> bytes:
    try:
        return value.encode("ascii")
    except UnicodeEncodeError as error:
        raise _wrong("Only ASCII is allowed here", value) from error


def _wrong(fault: str, value: str | None = None) -> OperationError:
    shown = fault if value is None else f"{fault}: {quoted(value)}"
    return OperationError(shown, code=ErrorCode.VALUE_NOT_VALID)
