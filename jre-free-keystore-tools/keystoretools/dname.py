"""Distinguished names from text: `CN=ia.example.com, OU="Agents, all", C=CA`.

The most specific part comes first in the text and last in the DER.  Values are encoded as Java does: PrintableString
where its letters suffice, else UTF8String; IA5String for mail addresses and domain components.
Source: RFC 4514 (text), RFC 5280 4.1.2.4 (encoding); keywords of keytool.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Final

from keystoretools import der
from keystoretools.errors import ErrorCode, KeystoreError, OperationError, quoted
from keystoretools.names import Name

KEYWORDS: Final[Mapping[str, str]] = {
    "CN": "2.5.4.3",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "S": "2.5.4.8",
    "ST": "2.5.4.8",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "STREET": "2.5.4.9",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "SERIALNUMBER": "2.5.4.5",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
    "EMAIL": "1.2.840.113549.1.9.1",
    "SURNAME": "2.5.4.4",
    "GIVENNAME": "2.5.4.42",
    "INITIALS": "2.5.4.43",
    "GENERATION": "2.5.4.44",
    "DNQ": "2.5.4.46",
    "DNQUALIFIER": "2.5.4.46",
}
_ASCII_ONLY: Final = frozenset({KEYWORDS["EMAILADDRESS"], KEYWORDS["DC"]})
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*\Z")
# A value in quotation marks, and what may stand behind a backslash (Java's rule; RFC 4514 2.4 has fewer).
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPABLE: Final = ',+<>#;="\\ \n'
_DOTTED: Final = re.compile(r"(?:OID\.)?([012](?:\.\d{1,20}){1,30})\Z", re.IGNORECASE)
# Longest text of a name anybody types; RFC 5280 allows 64 letters for most attributes.
_LONGEST: Final = 8192


def parse_name(text: str) -> Name:
    """The name that the text spells.  Raises OperationError name-not-valid with Java's words for the fault."""
    if len(text) > _LONGEST:
        raise _wrong("the name is too long", text)
    rdns: list[list[bytes]] = []
    for rdn in _split(text, ",;"):
        parts = _split(rdn, "+")
        if not all(parts) and text:
            raise _wrong(f'empty AVA in RDN "{rdn}"', text)
        rdns.append([_attribute(part) for part in parts])
    return Name(der=der.sequence(*(der.set_of(*rdn) for rdn in reversed(rdns))))


def build_name(parts: Sequence[tuple[str, str]]) -> Name:
    """A name from (keyword, value) pairs, the most specific first; empty values are left out."""
    found = [der.set_of(_encoded(KEYWORDS[keyword], value)) for keyword, value in parts if value]
    return Name(der=der.sequence(*reversed(found)))


def _attribute(text: str) -> bytes:
    keyword, equals, value = text.partition("=")
    keyword = keyword.strip()
    if not equals:
        raise _wrong("Incorrect AVA format", text)
    dotted = _DOTTED.match(keyword)
    oid = dotted[1] if dotted else KEYWORDS.get(keyword.upper())
    if oid is None:
        raise _wrong(f'Invalid keyword "{keyword}"', text)
    if value.lstrip().startswith("#"):
        return der.sequence(der.oid(oid), _octets(value.lstrip()[1:], text))
    return _encoded(oid, _value(value, text))


def _octets(digits: str, text: str) -> bytes:
    """A value given as its DER in hex.  Raises OperationError in Java's words."""
    odd = next((letter for letter in digits if letter not in string.hexdigits), None)
    if odd is not None:
        raise _wrong(f"AVA parse, invalid hex digit: {odd}", text)
    if not digits:
        raise _wrong("AVA parse, zero hex digits", text)
    if len(digits) % 2:
        raise _wrong("AVA parse, odd number of hex digits", text)
    octets = bytes.fromhex(digits)
    if len(octets) < 2:
        raise _wrong("Too short", text)
    try:
        der.parse(octets)
    except KeystoreError as error:
        raise _wrong("extra data at the end", text) from error
    return octets


def _encoded(oid: str, value: str) -> bytes:
    if oid in _ASCII_ONLY and value.isascii():
        encoded = der.encode(der.IA5_STRING, value.encode("ascii"))
    elif _PRINTABLE.match(value):
        encoded = der.encode(der.PRINTABLE_STRING, value.encode("ascii"))
    else:
        encoded = der.encode(der.UTF8_STRING, value.encode("utf-8", "replace"))
    return der.sequence(der.oid(oid), encoded)


def _split(text: str, separators: str) -> list[str]:
    """The parts between separators that are neither quoted nor escaped."""
    parts, start, is_quoted, at = [], 0, False, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            is_quoted = not is_quoted
        elif text[at] in separators and not is_quoted:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _value(text: str, whole: str) -> str:
    """A value without its quotation marks and escapes.  Raises OperationError in Java's words."""
    text = text.strip()
    quoted_text = _QUOTED.match(text)
    if quoted_text is not None:
        if quoted_text.end() != len(text):
            raise _wrong("AVA had characters other than whitespace after terminating quote", whole)
        text = quoted_text[1].strip()  # as Java does, though the marks are there to keep blanks
    elif text.startswith('"'):
        raise _wrong("Quoted string did not end in quote", whole)
    bare = re.sub(r"\\.", "", text, flags=re.DOTALL)
    if bare.endswith("\\"):
        raise _wrong("Invalid trailing backslash", whole)
    odd = next((letter for letter in bare if letter in '<>"'), None) if quoted_text is None else None
    if odd is not None:
        raise _wrong(f"Character '{odd}' in AVA appears without escape", whole)
    return re.sub(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", lambda found: _unescaped(found, whole), text, flags=re.DOTALL)


def _unescaped(match: re.Match[str], whole: str) -> str:
    if match[1] is None:
        return bytes.fromhex(match[0].replace("\\", "")).decode("utf-8", "replace")
    if match[1] not in _ESCAPABLE:
        raise _wrong(f"Invalid escaped character in AVA: '{match[1]}'", whole)
    return match[1]


def _wrong(fault: str, text: str) -> OperationError:
    return OperationError(
        f"{fault} (in {quoted(text)}; write for example CN=ia.example.com, O=Example, C=CA)",
        code=ErrorCode.NAME_NOT_VALID,
    )
