"""Texts of the configuration -> values. Each reader takes a stripped text and raises `Unfit` with the sentence.

Readers are stricter than Python's own conversions: `int()` would take `1_000` and Arabic digits, `float()` takes
`nan` and `1e999`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlsplit

from lxml import etree

from agent.config.problem import listed, nearest, shown

Choice = TypeVar("Choice", bound=StrEnum)

MAX_TEXT: Final = 4096
"""Characters of any single value. Long enough for each URL and path in use; a longer one is a slip of the editor."""
MAX_HOST: Final = 253
"""Characters of a host name (RFC 1035, section 2.3.4, as text)."""

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", re.ASCII)
_USER_INFO: Final = re.compile(r"//[^/?#]*@")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class Unfit(ValueError):
    """The text does not fit; the message is the sentence for the operator, without the place."""


def text(value: str) -> str:
    """Read any text on one line: no control characters, at most `MAX_TEXT` characters."""
    if len(value) > MAX_TEXT:
        raise Unfit(f"{shown(value)} is {len(value)} characters long, at most {MAX_TEXT} are allowed")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise Unfit(f"{shown(value)} holds a line break or another control character")
    return value


def boolean(value: str) -> bool:
    """Read `true` or `false`; `1` and `0` as in XML Schema."""
    try:
        return _BOOLEANS[value]
    except KeyError:
        raise Unfit(f"{shown(value)} is neither true nor false") from None


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader for whole numbers from `low` to `high`."""

    def read(value: str) -> int:
        if _WHOLE.fullmatch(value) and low <= int(value) <= high:
            return int(value)
        raise Unfit(f"{shown(value)} is not a whole number from {low} to {high}")

    return read


def decimal(low: float, high: float, unit: str = "") -> Callable[[str], float]:
    """Make a reader for decimal numbers from `low` to `high`; `unit` stands in the sentence only."""

    def read(value: str) -> float:
        if _DECIMAL.fullmatch(value) and low <= float(value) <= high:
            return float(value)
        raise Unfit(f"{shown(value)} is not a number{unit and f' of {unit}'} from {low:g} to {high:g}")

    return read


def milliseconds(low: int, high: int) -> Callable[[str], float]:
    """Make a reader for whole milliseconds from `low` to `high`; the value is in seconds."""

    def read(value: str) -> float:
        if _WHOLE.fullmatch(value) and low <= int(value) <= high:
            return int(value) / 1000
        raise Unfit(f"{shown(value)} is not a number of milliseconds from {low} to {high}")

    return read


def port(value: str) -> int:
    """Read a port to connect to."""
    if _WHOLE.fullmatch(value) and 1 <= int(value) <= 65535:
        return int(value)
    raise Unfit(f"{shown(value)} is not a port (1-65535)")


def listening_port(value: str) -> int:
    """Read a port to listen on: also 0, which takes a free one and is meant for tests."""
    return 0 if value == "0" else port(value)


def choice(options: type[Choice]) -> Callable[[str], Choice]:
    """Make a reader for the values of an enumeration, in exactly their spelling."""
    known = [option.value for option in options]

    def read(value: str) -> Choice:
        if value in known:
            return options(value)
        raise Unfit(f"{shown(value)} is not {listed(known)}{nearest(value, known)}")

    return read


def host(value: str) -> str:
    """Read a host name or an address. Underscores are accepted: real names have them, whatever RFC 952 says."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if _is_address(bare):
        return bare
    if not value.isascii():
        raise Unfit(f"{shown(value)} is not ASCII; write the name in its xn-- form")
    labels = value.removesuffix(".").split(".")
    # A last label of digits would be an address (RFC 3696, section 2), and as one it did not fit above.
    if len(value) <= MAX_HOST and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit():
        return value
    raise Unfit(f"{shown(value)} is neither a host name nor an address")


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def web_url(*, query: bool) -> Callable[[str], str]:
    """Make a reader for http and https URLs without fragment and credentials; `query` says whether `?...` may stand."""

    def read(value: str) -> str:
        # First of all, because every other sentence repeats the value.
        if _USER_INFO.search(value):
            raise Unfit("credentials do not belong into a URL: it is shown and logged")
        text(value)
        # urlsplit drops tabs and line breaks silently and keeps blanks; none of them belongs into a URL (RFC 3986).
        if not value.isascii() or any(c.isspace() for c in value):
            raise Unfit(f"{shown(value)} holds a blank or a character that must be percent-encoded in a URL")
        try:
            parts = urlsplit(value)
            name, _ = parts.hostname, parts.port
        except ValueError as error:
            raise Unfit(f"{shown(value)} is not a URL: {error}") from None
        if parts.scheme not in {"http", "https"}:
            raise Unfit(f"{shown(value)} does not begin with http:// or https://")
        if not name:
            raise Unfit(f"{shown(value)} names no host")
        host(name)
        if parts.port == 0:
            raise Unfit(f'{shown(value)} names port "0", which is not a port (1-65535)')
        if "#" in value:
            raise Unfit(f'{shown(value)} has a fragment ("#..."), which is never sent')
        if "?" in value and not query:
            raise Unfit(f'{shown(value)} has a query ("?..."), which is not allowed here')
        return value

    return read


def name(value: str) -> str:
    """Read a name that also becomes a file name."""
    if _NAME.fullmatch(value):
        return value
    raise Unfit(f"{shown(value)} is not a name: 1 to 64 letters, digits, dots, underscores and hyphens")


def service_part(value: str) -> str:
    """Read the domain or the name of a service: any text that survives in a URL's path and in `domain|name`.

    Blanks do, percent-encoded; other white space looks like them and is not.
    """
    text(value)
    if (
        len(value) <= 128
        and value.isprintable()
        and value == value.strip()
        and value not in {".", ".."}
        and not set(value) & set("|/\\?#%^")
    ):
        return value
    raise Unfit(
        f"{shown(value)} is not a service name: at most 128 printable characters, no blank at either end and none of "
        "| / \\ ? # % ^"
    )


def header_name(value: str) -> str:
    """Read the name of an HTTP header field (RFC 9110, section 5.1)."""
    if _TOKEN.fullmatch(value):
        return value
    raise Unfit(f"{shown(value)} is not the name of an HTTP header")


def header_value(value: str) -> str:
    """Read the value of an HTTP header field; other than ASCII has no agreed encoding there (RFC 9110, 5.5)."""
    text(value)
    if value.isascii():
        return value
    raise Unfit(f"{shown(value)} is not ASCII, as values of HTTP headers must be")


def xpath(value: str) -> str:
    """Read an XPath 1.0 expression that needs no namespace prefixes: nobody declares them for the events."""
    text(value)
    try:
        # Functions and prefixes that do not exist are only noticed when it is used.
        etree.XPath(f"string({value})")(etree.Element("event"))
    except etree.XPathError as error:
        hint = "; write *[local-name()='name'] for names in a namespace" if "prefix" in str(error) else ""
        raise Unfit(f"{shown(value)} is not an XPath: {str(error).lower()}{hint}") from None
    return value
