"""In which encoding is this document? Decided from the bytes, the transport and the declaration, in that order.

RFC 7303, section 3: a byte order mark is authoritative, then the charset parameter of the transport, then the
document's own declaration, then UTF-8. Whatever is not on the list below is refused: exotic encodings are a way round
filters (UTF-7 spells `<` as `+ADw-`), and each of them is a decoder that nobody tests.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agent.errors import SenderError

_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

CODECS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "utf-8": "utf-8",
        "utf8": "utf-8",
        "us-ascii": "ascii",
        "ascii": "ascii",
        "utf-16": "utf-16",
        "utf-16le": "utf-16-le",
        "utf-16be": "utf-16-be",
        "latin1": "iso8859-1",
        # Part 12 was never published; 16 is real (Romanian) and costs nothing.
        **{f"iso-8859-{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
        **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
        **{f"cp{page}": f"cp{page}" for page in range(1250, 1259)},
    }
)
"""Name in the document or the charset parameter, lower case -> Python codec.

UTF-8 and UTF-16 are what every XML processor must read; US-ASCII and the ISO 8859 and Windows pages are what older
management systems write. All are fixed tables without shift states. UTF-32 is left out: nobody sends it, and HTML
forbids it. So are EBCDIC, UTF-7 and the ISO 2022 family, whose bytes change their meaning on the way.
"""

_DECLARATION: Final = re.compile(
    rb"""<\?xml[ \t\r\n]+version[^>]{1,40}?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z0-9._:-]{1,40})["']"""
)


def decide_codec(body: bytes, charset: str | None) -> str:
    """Return the Python codec for `body`; raise `SenderError` 415 for one that is not supported.

    `charset` is the parameter of the Content-Type, None where there is none. A declaration that contradicts the bytes
    (UTF-16 claimed in 8-bit text) is a 400.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            if codec == "utf-32":
                raise unsupported("UTF-32", "found by its byte order mark")
            return codec
    if charset:
        codec = _supported(charset, "named by the charset parameter of the Content-Type")
        return _utf16_order(body) or "utf-16-be" if codec == "utf-16" else codec
    if order := _utf16_order(body):
        return order
    declaration = _DECLARATION.match(body)
    if declaration is None:
        return "utf-8"
    name = declaration[1].decode("ascii")
    codec = _supported(name, "named by the document's XML declaration")
    if codec.startswith("utf-16"):
        raise SenderError(
            "encoding-contradiction",
            f"The XML declaration says encoding {name!r}, but the document is written in single bytes. Declare the "
            "encoding that is really used, most likely UTF-8.",
            status=400,
            title="Encoding contradicts the document",
        )
    return codec


def why_codec(body: bytes, charset: str | None) -> str:
    """What decided about the encoding in `decide_codec`, to be read behind "because": whoever erred has to mend it."""
    if any(body.startswith(bom) for bom, _ in _BOMS):
        return "its byte order mark says so"
    declaration = _DECLARATION.match(body)
    declared = f"the XML declaration says {declaration[1].decode('ascii')!r}" if declaration else ""
    if charset:
        passed_over = f" and comes before the document's own word ({declared})" if declared else ""
        return f"the charset parameter of the Content-Type says {charset[:40]!r}{passed_over}"
    if _utf16_order(body):
        return "it begins like that"
    return declared or "nothing names another"


def decode(body: bytes, codec: str, *, why: str = "") -> str:
    """Decode strictly, without the byte order mark; raise `SenderError` 400 naming line and column of the bad byte.

    `why` is what decided about the codec, from `why_codec`.
    """
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(codec, "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        because = f", in which the document is read because {why}" if why else ""
        raise SenderError(
            "bad-encoding",
            f"Line {line}, column {column}: the bytes {body[error.start : error.start + 4].hex(' ')} are not valid "
            f"{official_name(codec)}{because}. Send the document in the encoding that is named for it.",
            status=400,
            title="Text does not match its encoding",
        ) from None
    return text.removeprefix("\ufeff")


def official_name(codec: str) -> str:
    """`iso8859-1` -> `ISO-8859-1`, `cp1252` -> `windows-1252`: the name a sender knows."""
    if codec.startswith("cp"):
        return f"windows-{codec[2:]}"
    return codec.replace("iso8859", "iso-8859").replace("ascii", "us-ascii").upper()


def unsupported(name: str, where: str) -> SenderError:
    """The 415 for an encoding that is not on the list."""
    return SenderError(
        "unsupported-encoding",
        f"The encoding {name!r}, {where}, is not supported. Send UTF-8 (best), UTF-16, US-ASCII, ISO-8859-1 to 16 or "
        "windows-1250 to 1258.",
        status=415,
        title="Unsupported encoding",
    )


def _supported(name: str, where: str) -> str:
    codec = CODECS.get(name.strip().strip("\"'").lower().replace("_", "-"))
    if codec is None:
        raise unsupported(name[:40], where)
    return codec


def _utf16_order(body: bytes) -> str:
    """Guess UTF-16 without a mark from its first character, which is `<` or white space (XML 1.0, appendix F)."""
    first = body[:2]
    if len(first) == 2 and first[1] == 0 and first[0] in b"< \t\r\n{[":
        return "utf-16-le"
    if len(first) == 2 and first[0] == 0 and first[1] in b"< \t\r\n{[":
        return "utf-16-be"
    return ""
