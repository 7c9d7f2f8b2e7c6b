"""ASN.1 as keystores have it: a reader for DER and BER with limits, and a DER writer.

Shapes: `parse` gives an `Element`, a window into the given octets; nothing is copied or decoded until asked
for. `children` walks one level.  BER's indefinite lengths and constructed strings are read (BouncyCastle and
NSS write them), only DER is written.  All integers and lengths are checked before use, all recursion is
bounded by `Limits.der_depth`.

Raises only `CorruptError`, `TruncatedError` (for whole files) and `LimitError`.
Source: ITU-T X.690.  Why not a library: docs/decisions/keystore-der.rst.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from keystoretools.errors import CorruptError, TruncatedError
from keystoretools.limits import Limits, check

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
T61_STRING: Final = 0x14
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
GENERAL_STRING: Final = 0x1B
UNIVERSAL_STRING: Final = 0x1C
BMP_STRING: Final = 0x1E
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONSTRUCTED: Final = 0x20

_DEFAULT: Final = Limits()
_STRING_ENCODINGS: Final = {
    UTF8_STRING: "utf-8",
    BMP_STRING: "utf-16-be",
    UNIVERSAL_STRING: "utf-32-be",
    PRINTABLE_STRING: "ascii",
    IA5_STRING: "ascii",
}
TEXT_TYPES: Final = frozenset({*_STRING_ENCODINGS, T61_STRING, GENERAL_STRING})
"""The string types that names are shown in: those above, TeletexString and GeneralString."""


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of context tag [number], 0 to 30."""
    return 0x80 | number | (CONSTRUCTED if constructed else 0)


@attrs.frozen(kw_only=True)
class Header:
    """Identifier and length octets: `tag` is the identifier octet; `length` None means indefinite."""

    tag: int
    body: int
    length: int | None


def read_header(data: bytes, at: int, end: int, limits: Limits = _DEFAULT) -> Header:
    """Read one header in `data[at:end]` without looking at the body (detection reads cut files with it).

    Raises TruncatedError when the header itself is not whole, CorruptError for tag numbers above 30 and
    length octets that X.690 forbids, LimitError for more than four length octets.
    """
    if at + 2 > end:
        raise TruncatedError("the ASN.1 element", offset=at, missing=at + 2 - end)
    tag, first = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise CorruptError(f"The octet {tag:02X} at {at} starts no ASN.1 element that keystores use.", offset=at)
    if first < 0x80:
        return Header(tag=tag, body=at + 2, length=first)
    if first == 0x80:
        if not tag & CONSTRUCTED:
            raise CorruptError(f"The simple ASN.1 element at octet {at} has no length.", offset=at)
        return Header(tag=tag, body=at + 2, length=None)
    count = first & 0x7F
    check("an ASN.1 length in octets", count, limits.der_length_octets, offset=at)
    body = at + 2 + count
    if body > end:
        raise TruncatedError("the ASN.1 length", offset=at, missing=body - end)
    return Header(tag=tag, body=body, length=int.from_bytes(data[at + 2 : body], "big"))


# Not frozen: a frozen class with slots takes five times as long to make, and hostile files have two million elements.
@attrs.define(eq=False)
class Element:
    """One tag-length-value: `data[start:stop]` with the value in `data[body:end]` (before the end mark)."""

    data: bytes = attrs.field(repr=False)
    tag: int
    start: int
    body: int
    end: int
    stop: int
    depth: int
    limits: Limits = attrs.field(repr=False)

    @property
    def content(self) -> bytes:
        """The value octets as they stand (with inner headers where the element is constructed)."""
        return self.data[self.body : self.end]

    @property
    def raw(self) -> bytes:
        """The whole element, header included, as it stood in the file."""
        return self.data[self.start : self.stop]

    @property
    def is_constructed(self) -> bool:
        return bool(self.tag & CONSTRUCTED)

    def children(self) -> list[Element]:
        """The elements inside, one level.  Raises CorruptError when this one is not constructed."""
        if not self.is_constructed:
            raise self.wrong("elements inside")
        found: list[Element] = []
        data, at, end, depth, limits = self.data, self.body, self.end, self.depth + 1, self.limits
        most = limits.der_elements
        try:
            while at < end:
                if len(found) >= most:
                    check("elements inside one ASN.1 element", len(found) + 1, most, offset=self.start)
                child = _element(data, at, end, depth, limits, is_file=False)
                found.append(child)
                at = child.stop
        except TruncatedError as error:  # the file is whole here: only the parent's length is too short
            raise self.wrong("an element that ends inside this one") from error
        return found

    def sequence(self, least: int = 0, what: str = "SEQUENCE") -> list[Element]:
        """The children of a SEQUENCE that must have at least `least` of them."""
        children = self.expect(SEQUENCE, what).children()
        if len(children) < least:
            raise self.wrong(f"{what} with {least} parts")
        return children

    def expect(self, tag: int, what: str) -> Element:
        """This element, when it has that tag; BER's constructed form of a string counts too."""
        if self.tag != tag and not (self.tag == tag | CONSTRUCTED and tag < CONSTRUCTED and tag in _SEGMENTED):
            raise self.wrong(what)
        return self

    def wrong(self, expected: str) -> CorruptError:
        """The error that says what should have stood here."""
        return CorruptError(
            f"The ASN.1 structure is damaged: {expected} was expected at octet {self.start},"
            f" tag {self.tag:02X} was found.",
            offset=self.start,
        )

    def octets(self) -> bytes:
        """The value of a string; BER's segments are joined.  For [n] IMPLICIT strings as well."""
        return b"".join(self._segments()) if self.is_constructed else self.content

    def _segments(self) -> list[bytes]:
        parts: list[bytes] = []
        for child in self.children():
            parts.extend(child._segments() if child.is_constructed else [child.content])
        return parts

    def octet_string(self) -> bytes:
        return self.expect(OCTET_STRING, "OCTET STRING").octets()

    def integer(self) -> int:
        content = self.expect(INTEGER, "INTEGER").content
        if not content:
            raise self.wrong("INTEGER with a value")
        return int.from_bytes(content, "big", signed=True)

    def boolean(self) -> bool:
        return self.expect(BOOLEAN, "BOOLEAN").content not in (b"", b"\0")

    def oid(self) -> str:
        """The dotted form.  Raises CorruptError for an empty or unfinished one."""
        content = self.expect(OID, "OBJECT IDENTIFIER").content
        if not content or content[-1] & 0x80 or len(content) > 64:
            raise self.wrong("OBJECT IDENTIFIER with a value")
        return _dotted(content)

    def bits(self) -> bytes:
        """The octets of a BIT STRING, without the count of unused bits in front."""
        content = self.expect(BIT_STRING, "BIT STRING").content
        if not content or content[0] > 7:
            raise self.wrong("BIT STRING with a value")
        return content[1:]

    def text(self) -> str:
        """A character string of any ASN.1 type; octets that do not fit the type are read as Latin-1."""
        octets = self.octets()
        try:
            return octets.decode(_STRING_ENCODINGS.get(self.tag & ~CONSTRUCTED, "latin-1"))
        except UnicodeDecodeError:
            return octets.decode("latin-1")

    def time(self) -> datetime:
        """UTCTime or GeneralizedTime in UTC, to the second.  Raises CorruptError for what is no date."""
        text = self.content.decode("ascii", "replace")
        try:
            if self.tag == UTC_TIME:
                text = f"{19 if int(text[:2]) >= 50 else 20}{text}"
            elif self.tag != GENERALIZED_TIME:
                raise self.wrong("a date")
            return _moment(text)
        except (ValueError, OverflowError) as error:
            raise self.wrong("a date") from error


@functools.lru_cache(maxsize=256)
def _dotted(content: bytes) -> str:
    """A file has a few dozen identifiers, thousands of times."""
    arcs: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


_SEGMENTED: Final = frozenset({OCTET_STRING, BIT_STRING, UTF8_STRING, PRINTABLE_STRING, IA5_STRING, BMP_STRING})


def parse(data: bytes, *, limits: Limits = _DEFAULT, is_file: bool = False, allow_trailing: bool = False) -> Element:
    """The one element that `data` holds.

    `is_file`: a length behind the end means a cut file (TruncatedError), not a damaged structure
    (CorruptError). `allow_trailing`: octets behind the element are left to the caller (`len(data) -
    element.stop`).
    """
    try:
        element = _element(data, 0, len(data), 0, limits, is_file=is_file)
    except TruncatedError as error:
        if is_file:
            raise
        raise CorruptError(
            f"The ASN.1 structure is damaged: it ends in the middle of the element at octet {error.offset}.",
            offset=error.offset,
        ) from error
    if element.stop != len(data) and not allow_trailing:
        raise CorruptError(
            f"{len(data) - element.stop} unexpected octets follow the ASN.1 structure.", offset=element.stop
        )
    return element


def _moment(text: str) -> datetime:
    """YYYYMMDDhhmm[ss[.fff]] and Z or +hhmm; seconds and zone may lack (old writers).  Raises ValueError."""
    sign = max(text.find("+"), text.find("-"))
    shift = timedelta()
    if sign >= 0:
        shift = timedelta(hours=int(text[sign + 1 : sign + 3]), minutes=int(text[sign + 3 : sign + 5] or 0))
        shift = shift if text[sign] == "+" else -shift
        text = text[:sign]
    digits = text.rstrip("Z").partition(".")[0]
    if not digits.isdigit() or len(digits) not in (12, 14):
        raise ValueError("no date")
    month, day, hour, minute, second = (int(digits[at : at + 2] or 0) for at in (4, 6, 8, 10, 12))
    return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC) - shift


def _element(data: bytes, at: int, end: int, depth: int, limits: Limits, *, is_file: bool) -> Element:
    if depth > limits.der_depth:
        check("ASN.1 nesting with a depth", depth, limits.der_depth, offset=at)
    # The short form, which nearly all elements have, without the detour.
    if at + 1 < end and (length := data[at + 1]) < 0x80 and (tag := data[at]) & 0x1F != 0x1F:
        body = at + 2
        if body + length <= end:
            return Element(data, tag, at, body, body + length, body + length, depth, limits)
    header = read_header(data, at, end, limits)
    if header.length is None:
        inner, stop = _find_end(data, header.body, end, depth + 1, limits, [0])
    else:
        inner = stop = header.body + header.length
        if stop > end:
            if is_file:
                raise TruncatedError("the ASN.1 element", offset=at, missing=stop - end)
            raise CorruptError(
                f"The ASN.1 structure is damaged: the element at octet {at} is longer than its parent.",
                offset=at,
            )
    return Element(data, header.tag, at, header.body, inner, stop, depth, limits)


def _find_end(data: bytes, at: int, end: int, depth: int, limits: Limits, passed: list[int]) -> tuple[int, int]:
    """Where an indefinite-length element ends: before and after its end-of-contents octets.

    `passed` counts the elements stepped over in the whole search, so that nesting does not multiply the work.
    """
    check("ASN.1 nesting with a depth", depth, limits.der_depth, offset=at)
    while True:
        if data[at : at + 2] == b"\0\0" and at + 2 <= end:
            return at, at + 2
        passed[0] += 1
        check("elements of indefinite length", passed[0], limits.der_elements, offset=at)
        header = read_header(data, at, end, limits)
        if header.length is None:
            at = _find_end(data, header.body, end, depth + 1, limits, passed)[1]
        elif header.body + header.length > end:
            raise TruncatedError("the ASN.1 element", offset=at, missing=header.body + header.length - end)
        else:
            at = header.body + header.length


# --- writing (DER)
# ---------------------------------------------------------------------------------------------


def encode(tag: int, *parts: bytes) -> bytes:
    """One element with the shortest length octets; `parts` are joined as its value."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def sequence(*parts: bytes) -> bytes:
    return encode(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF: DER wants the encodings in ascending order."""
    return encode(SET, *sorted(parts))


def explicit(number: int, *parts: bytes) -> bytes:
    """[number] EXPLICIT, or IMPLICIT over something constructed."""
    return encode(context(number), *parts)


def integer(value: int) -> bytes:
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octet_string(value: bytes) -> bytes:
    return encode(OCTET_STRING, value)


def bit_string(value: bytes) -> bytes:
    return encode(BIT_STRING, b"\0", value)


def null() -> bytes:
    return b"\x05\x00"


def bmp_string(value: str) -> bytes:
    return encode(BMP_STRING, value.encode("utf-16-be", "surrogatepass"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form (from our own tables, never from a file)."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        out.extend(reversed(octets))
    return encode(OID, bytes(out))


def algorithm(dotted: str, parameters: bytes | None = b"\x05\x00") -> bytes:
    """An AlgorithmIdentifier; parameters NULL unless given, None leaves them out."""
    return sequence(oid(dotted), parameters or b"")
