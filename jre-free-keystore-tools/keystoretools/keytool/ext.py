"""The value of keytool's `-ext`: `name[:critical][=value]`.

Names and values may be shortened to a beginning or to the initials, in any case, as long as one fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from keystoretools import der, extend, oids
from keystoretools.certificate import Extension
from keystoretools.errors import OperationError
from keystoretools.generalname import dotted, general_name
from keystoretools.keytool import validity
from keystoretools.keytool.failures import EXCEPTION, KeytoolError

_NAMES: Final = (
    "BasicConstraints",
    "KeyUsage",
    "ExtendedKeyUsage",
    "SubjectAlternativeName",
    "IssuerAlternativeName",
    "SubjectInfoAccess",
    "AuthorityInfoAccess",
    "CRLDistributionPoints",
)
_METHODS: Final = {
    "ocsp": "1.3.6.1.5.5.7.48.1",
    "caIssuers": "1.3.6.1.5.5.7.48.2",
    "timeStamping": "1.3.6.1.5.5.7.48.3",
    "caRepository": "1.3.6.1.5.5.7.48.5",
}
_KINDS: Final = ("EMAIL", "URI", "DNS", "IP", "OID")
_WHOLE: Final = re.compile(r"[+-]?\d{1,9}\Z", re.ASCII)
_DOTTED: Final = re.compile(r"\d+(\.\d+)+\Z")
_PIECE: Final = 9
_RUNTIME: Final = "java.lang.RuntimeException"


def read_extensions(texts: Iterable[str], asked: Sequence[Extension] = ()) -> list[Extension]:
    """The extensions that `-ext` options ask for; `asked` are those of a request, taken over as `honored=` says.

    A later one of a kind replaces an earlier one.  Raises KeytoolError in keytool's words.
    """
    found: dict[str, Extension] = {}
    given: dict[str, Extension] = {}
    for text in texts:
        left, equals, value = text.partition("=")
        name, colon, mark = left.partition(":")
        if name.lower() == "honored" and not equals:
            continue
        if name.lower() == "honored":
            found.update({one.oid: one for one in _honored(value, asked)})
            continue
        is_critical = bool(colon) and "critical".startswith(mark.lower())
        try:
            made = _extension(name, value if equals else None, is_critical, text)
        except OperationError as error:
            raise KeytoolError(f"java.io.IOException: {error.sentence}", java_class=_RUNTIME) from error
        given[made.oid] = made
    return list({**found, **given}.values())


def _honored(value: str, asked: Sequence[Extension]) -> list[Extension]:
    """`all` (first), names with `:critical` or `:non-critical`, and `-name` for all but that one."""
    chosen: dict[str, Extension] = {}
    for number, item in enumerate(_items(value) if asked else ()):
        if number == 0 and item.lower() == "all":
            chosen = {one.oid: one for one in asked}
            continue
        name, colon, mark = item.removeprefix("-").partition(":")
        oid = name if _DOTTED.match(name) else _OIDS[_one_of(name, _NAMES)]
        if not oid:
            raise _no_such_extension(name)
        there = next((one for one in asked if one.oid == oid), None)
        if there is None:
            raise KeytoolError(
                f"java.io.IOException: No extension found with name {oid}",
                java_class=_RUNTIME,
                hint=f"The request does not ask for {name}.",
            )
        if item.startswith("-"):
            chosen.pop(oid, None)
        else:
            chosen[oid] = attrs.evolve(there, critical=_mark(mark, item)) if colon else there
    return list(chosen.values())


def _mark(word: str, item: str) -> bool:
    """Whether a mark says critical or non-critical."""
    fitting = [mark for mark in ("critical", "non-critical") if word and mark.startswith(word.lower())]
    if not fitting:
        raise KeytoolError(f"Illegal value: {item}")
    return fitting[0] == "critical"


def _one_of(word: str, names: Iterable[str]) -> str:
    """The one name that `word` spells, begins or abbreviates.  Raises KeytoolError; "" means none."""
    lower = word.lower()
    known = list(names)
    exact = [name for name in known if name.lower() == lower]
    if exact:
        return exact[0]
    fitting = [name for name in known if name.lower().startswith(lower) or _initials(name) == lower]
    if len(fitting) > 1:
        raise KeytoolError(f"command {word} is ambiguous:\n     {' '.join(fitting)}")
    return fitting[0] if fitting else ""


def _initials(name: str) -> str:
    return (name[0] + "".join(letter for letter in name[1:] if letter.isupper())).lower()


def _extension(name: str, value: str | None, is_critical: bool, text: str) -> Extension:
    if _DOTTED.match(name):
        return _raw(name, value or "", is_critical, text)
    kind = _one_of(name, _NAMES)
    match kind:
        case "BasicConstraints":
            return _basic_constraints(value, is_critical, text)
        case "KeyUsage":
            return _key_usage(_required(value, text), is_critical)
        case "ExtendedKeyUsage":
            return _extended_key_usage(_required(value, text), is_critical)
        case "SubjectAlternativeName" | "IssuerAlternativeName":
            pairs = _pairs(_required(value, text), text)
            return extend.alternative_names(pairs, critical=is_critical, oid=_OIDS[kind])
        case "SubjectInfoAccess" | "AuthorityInfoAccess":
            if is_critical:
                raise KeytoolError(f"This extension cannot be marked as critical. {text}")
            return _access(_OIDS[kind], _required(value, text), text)
        case "CRLDistributionPoints":
            return _distribution_points(_required(value, text), text, is_critical)
    raise _no_such_extension(name)


def _no_such_extension(name: str) -> KeytoolError:
    # Java reads a long number in pieces of nine digits, the first one short, and names the piece
    piece = name if len(name) <= _PIECE else name[: len(name) % _PIECE or _PIECE]
    return KeytoolError(
        "java.io.IOException: ObjectIdentifier() -- Invalid format: java.lang.NumberFormatException:"
        f' For input string: "{piece}"',
        java_class=_RUNTIME,
        hint=f"There is no extension {name}; there are bc, ku, eku, san, ian, aia, sia, crl and dotted numbers.",
    )


_OIDS: Final = {
    "BasicConstraints": oids.BASIC_CONSTRAINTS,
    "KeyUsage": oids.KEY_USAGE,
    "ExtendedKeyUsage": oids.EXTENDED_KEY_USAGE,
    "SubjectAlternativeName": oids.SUBJECT_ALTERNATIVE_NAME,
    "IssuerAlternativeName": extend.ISSUER_ALTERNATIVE_NAME,
    "SubjectInfoAccess": "1.3.6.1.5.5.7.1.11",
    "AuthorityInfoAccess": oids.AUTHORITY_INFORMATION_ACCESS,
    "CRLDistributionPoints": "2.5.29.31",
    "": "",
}


def _required(value: str | None, text: str) -> str:
    if value is None:
        raise KeytoolError(f"Illegal value: {text}", java_class=EXCEPTION)
    return value


def _raw(oid: str, value: str, is_critical: bool, text: str) -> Extension:
    """Octets in hex, with anything between them; the identifier must be a real one."""
    dotted(oid)
    digits = re.sub(r"[^0-9A-Fa-f]", "", value)
    if len(digits) % 2:
        raise KeytoolError(f"Odd number of hex digits found: {text}")
    return Extension(oid=oid, critical=is_critical, value=bytes.fromhex(digits))


def _items(value: str) -> list[str]:
    """The parts between commas as Java splits: empty ones at the end do not count, others are faults of their own."""
    parts = value.split(",")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _basic_constraints(value: str | None, is_critical: bool, text: str) -> Extension:
    """`ca:true,pathlen:0`, or the length alone; nothing at all means an authority.  A negative length is none."""
    is_authority, length = value is None, None
    if value is not None and _WHOLE.match(value):
        is_authority, length = True, int(value)
        value = None
    for item in () if value is None else _items(value):
        key, colon, argument = item.partition(":")
        if key.lower() == "ca" and colon:
            is_authority = argument.lower() == "true"
        elif key.lower() == "pathlen" and colon:
            length = validity.whole_number(argument, 0)
        else:
            raise KeytoolError(f"Illegal value: {text}")
    if length is not None and length < 0:
        length = None
    return extend.basic_constraints(is_authority=is_authority, path_length=length, critical=is_critical)


def _key_usage(value: str, is_critical: bool) -> Extension:
    names = []
    for word in _items(value):
        name = _one_of(word, (*extend.KEY_USAGES, "contentCommitment"))
        if not name:
            raise KeytoolError(f"Unknown keyUsage type: {word}")
        names.append("nonRepudiation" if name == "contentCommitment" else name)
    return extend.key_usage(names, critical=is_critical)


def _extended_key_usage(value: str, is_critical: bool) -> Extension:
    names = []
    for word in _items(value):
        name = word if _DOTTED.match(word) else _one_of(word, extend.EXTENDED_USAGES)
        if not name:
            raise KeytoolError(f"Unknown extendedkeyUsage type: {word}")
        names.append(name)
    return extend.extended_key_usage(names, critical=is_critical)


def _pairs(value: str, text: str) -> list[tuple[str, str]]:
    """`dns:host,ip:1.2.3.4` as pairs."""
    found = []
    for item in _items(value):
        kind, colon, rest = item.partition(":")
        if not colon:
            raise KeytoolError(f"Illegal item {item} in {text}")
        found.append((_kind(kind), rest))
    return found


def _kind(word: str) -> str:
    kind = _one_of(word, _KINDS)
    if not kind:
        raise KeytoolError(f"Unrecognized GeneralName type: {word}")
    return kind


def _access(oid: str, value: str, text: str) -> Extension:
    items = []
    for item in _items(value):
        method, colon, rest = item.partition(":")
        if not colon or ":" not in rest:
            raise KeytoolError(f"Illegal value: {text}")
        named = method if _DOTTED.match(method) else _METHODS.get(_one_of(method, _METHODS), "")
        if not named:
            raise KeytoolError(f"Unknown AccessDescription type: {method}")
        kind, _, place = rest.partition(":")
        items.append(der.sequence(dotted(named), general_name(_kind(kind), place)))
    return Extension(oid=oid, critical=False, value=der.sequence(*items))


def _distribution_points(value: str, text: str, is_critical: bool) -> Extension:
    names = der.explicit(0, *(general_name(kind, place) for kind, place in _pairs(value, text)))
    point = der.sequence(der.explicit(0, names))
    return Extension(oid="2.5.29.31", critical=is_critical, value=der.sequence(point))
