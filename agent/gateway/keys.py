"""Idempotency keys of senders that cannot set `Idempotency-Key`: from another header, or from the body by XPath."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from lxml import etree

from agent.config.model import KeySource
from agent.wire.marks import MAX_KEY_BYTES, read_key


class KeyFinder:
    """Looks where a `KeySource` says; the header counts before the body."""

    def __init__(self, source: KeySource) -> None:
        """The XPath was tried when the configuration was read."""
        self._name: Final = source.header
        self._header: Final = source.header.lower().encode("ascii")
        # string() takes the first node found, in document order, and gives an empty text where there is none.
        self._path: Final = etree.XPath(f"string({source.xpath})") if source.xpath else None

    @property
    def looks_into_bodies(self) -> bool:
        return self._path is not None

    def in_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the key, empty where there is none; raise `SenderError` 400 for one that is no key."""
        if self._header:
            for name, value in headers:
                if name.lower() == self._header:
                    return read_key(value, self._name)
        return ""

    def in_body(self, root: etree._Element) -> str:
        """Return the key, empty where there is none. A text that is too long for a key counts by its digest."""
        if self._path is None:
            return ""
        # Ends of lines and other white space at its edges belong to the layout of the document.
        key = str(self._path(root)).strip()
        if len(key.encode("utf-8", "surrogatepass")) <= MAX_KEY_BYTES and key.isprintable():
            return key
        return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def finder_for(source: KeySource) -> KeyFinder | None:
    """Return what looks for keys, None where nothing is configured."""
    return KeyFinder(source) if source.header or source.xpath else None
