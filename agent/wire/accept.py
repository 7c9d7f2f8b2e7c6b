"""Does the sender want its answer as XML or as JSON? (RFC 9110, section 12.5.1)"""

from __future__ import annotations

from typing import Final

_XML: Final = (b"application/xml", b"text/xml", b"application/problem+xml")
_JSON: Final = (b"application/json", b"application/problem+json", b"text/json")
_MAX_BYTES: Final = 1024
"""A longer header is not read to its end: browsers send about 150 bytes."""


def wants_xml(accept: bytes) -> bool:
    """True when `accept` (the header's value) prefers XML to JSON.

    JSON wins a draw, an empty header and anything that cannot be understood: an answer is never refused with 406,
    because the event is stored by then.
    """
    if not accept or accept == b"*/*":
        return False
    ranges: dict[bytes, float] = {}
    for part in accept[:_MAX_BYTES].lower().split(b","):
        media, *parameters = (piece.strip() for piece in part.split(b";"))
        ranges[media] = max(ranges.get(media, 0.0), _quality(parameters))
    return _best(ranges, _XML) > _best(ranges, _JSON)


def _best(ranges: dict[bytes, float], media_types: tuple[bytes, ...]) -> float:
    """The quality of the best of `media_types`; the most specific range decides for each of them."""
    best = 0.0
    for media in media_types:
        for wanted in (media, media.partition(b"/")[0] + b"/*", b"*/*"):
            if wanted in ranges:
                best = max(best, ranges[wanted])
                break
    return best


def _quality(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0.0 <= quality <= 1.0 else 0.0
    return 1.0
