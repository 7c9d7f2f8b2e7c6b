"""The JSON reader: untrusted bytes in, nothing or a plain sentence out.

Python's decoder does a document in one piece and nobody else runs meanwhile, also when it works in a thread. So what
makes it long is bounded or taken away first, in pieces between which others run: 10 MB of any kind hold them up for
less than a tenth of a second.

* **Values**: 100,000 take the decoder up to 80 ms. They are counted in the bytes, outside of strings.
* **Depth**: brackets, counted likewise, so that the decoder never recurses far.
* **Escapes** in strings: five million take 140 ms. Those of two characters are blotted out before.
* **Digits**: reading a whole number takes the square of its length, so its value is not worked out here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from agent.errors import SenderError

MAX_VALUES: Final = 100_000
"""Commas and opening brackets in one document: its values, with empty objects and arrays counted twice. Bodies of
10 MiB may hold five million, which would be 1 s of everybody's time and 500 MB of the service's memory; an event has a
few dozen, a batch of 1000 alarms some 20,000."""

MAX_DIGITS: Final = 1000
"""Of a whole number (Jackson: the same). Python services could read up to 4300."""

MANY_ESCAPES: Final = 100_000
SLICE_BYTES: Final = 64 * 1024
"""Scanned at a time: 0.1 ms, and then others may run."""

_OPEN: Final = ord("[")
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_PAIRS: Final = (rb"\\", rb"\"", rb"\n", rb"\r", rb"\t", rb"\/", rb"\b", rb"\f")
"""The first must be the first: a backslash that is itself escaped escapes nothing."""

_HALF_WRITTEN: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""A pair of surrogates, one half alone (the group), or anything else that a backslash begins."""


class JsonReader:
    """Checks documents of at most `max_depth` nested objects and arrays."""

    def __init__(self, *, max_depth: int) -> None:
        self._max_depth = max_depth
        self._json = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_check_digits)

    def check(self, body: bytes, charset: str | None = None) -> None:
        """Raise `SenderError` 400 unless `body` is acceptable. `charset` is the parameter of the Content-Type."""
        text = _decoded(body, charset)
        openings = body.count(b"[") + body.count(b"{")
        escapes = body.count(b"\\")
        # Each level needs its own opening bracket and each value a comma or a bracket: most documents are done here.
        if openings > self._max_depth or openings + body.count(b",") > MAX_VALUES:
            self._measure(body)
        if escapes > MANY_ESCAPES:
            text = _blotted(body, _PAIRS).decode("utf-8-sig")
        try:
            self._json.decode(text)
        except json.JSONDecodeError as error:
            raise _bad_json(
                f"The JSON is broken at line {error.lineno}, column {error.colno}: {_plain(error)}."
            ) from None
        except RecursionError:
            raise self._too_deep() from None
        except ValueError as error:
            raise _bad_json(f"The JSON holds a value that is not accepted: {error}.") from None
        if escapes:
            _refuse_halves(body)

    def _measure(self, body: bytes) -> None:
        """Count values and depth without making any of them. What is broken is left to the decoder."""
        values = depth = 0
        for outside in _outside_strings(body):
            values += outside.count(b",") + outside.count(b"[") + outside.count(b"{")
            if values > MAX_VALUES:
                raise SenderError(
                    "json-too-many-values",
                    f"The JSON holds more than {MAX_VALUES} values. Send it in several smaller documents.",
                    status=400,
                    title="The JSON holds too many values",
                )
            for bracket in outside.translate(_BRACKETS, _NO_BRACKETS):
                depth += 1 if bracket == _OPEN else -1
                if depth > self._max_depth:
                    raise self._too_deep()
                if depth < 0:
                    return

    def _too_deep(self) -> SenderError:
        return SenderError(
            "json-too-deep",
            f"The JSON nests more than {self._max_depth} objects and arrays into one another. Send a flatter document.",
            status=400,
            title="The JSON is nested too deeply",
        )


def _decoded(body: bytes, charset: str | None) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        named = (charset or "").lower() not in ("", "utf-8", "utf8")
        hint = f" The charset {charset[:40]!r} of the Content-Type does not change that." if charset and named else ""
        raise _bad_json(
            f"Byte {error.start + 1} is not valid UTF-8, the only encoding of JSON (RFC 8259).{hint}"
        ) from None


def _outside_strings(body: bytes) -> Iterator[bytes]:
    """What stands outside of strings, slice by slice."""
    body = _blotted(body, _PAIRS[:2])
    is_inside = 0
    for start in range(0, len(body), SLICE_BYTES):
        parts = body[start : start + SLICE_BYTES].split(b'"')
        yield b"".join(parts[is_inside::2])
        is_inside = (is_inside + len(parts) - 1) % 2


def _blotted(body: bytes, pairs: tuple[bytes, ...]) -> bytes:
    """`body` with these escapes made into dots, of the same length: all places stay what they were."""
    for pair in pairs:
        body = body.replace(pair, b"..")
    return body


def _refuse_halves(body: bytes) -> None:
    """Half a surrogate pair is no character: Python reads it, and then no log, database or service can write it."""
    if not _HALF_WRITTEN.search(body):
        return
    for escape in _ESCAPE.finditer(body):
        if escape[1]:
            line_start = body.rfind(b"\n", 0, escape.start()) + 1
            line = body.count(b"\n", 0, escape.start()) + 1
            column = len(body[line_start : escape.start()].decode("utf-8-sig", "replace")) + 1
            raise _bad_json(
                f"Line {line}, column {column}: \\{escape[1].decode('ascii')} is half of a surrogate pair, which is no "
                "character. Send the pair, or the character itself."
            )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null or a number")


def _check_digits(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits; at most {MAX_DIGITS} are taken, or send it as text")
    return 0


def _plain(error: json.JSONDecodeError) -> str:
    """Python's words, with the two that senders misread put plainly."""
    if error.pos >= len(error.doc.rstrip()):
        return "it is cut off"
    if error.msg == "Extra data":
        return "something follows its end"
    return error.msg[:1].lower() + error.msg[1:]


def _bad_json(sentence: str) -> SenderError:
    return SenderError("bad-json", sentence, status=400, title="The JSON cannot be read")
