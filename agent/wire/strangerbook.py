"""The book of the stranger desk: who failed or misused a connection, by peer, port and cause; bounded, and pure.

A flood of one cause, from however many addresses, drives out only entries of the same cause: a scan cannot make the
operator forget the sender whose certificate has expired. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from agent.wire.misuse import Cause, Misuse
from agent.wire.strangers import explain

MOST_OF_A_CAUSE: Final = 200
"""Peers remembered for each cause; with 21 causes some 4,000 entries, 3 MB at the worst."""
KEPT_DAYS: Final = 14
DAY_US: Final = 24 * 3600 * 1_000_000
MOST_TEXT: Final = 1000
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a book on disk; ours stay below 6 MB."""

_VERSION: Final = 1


@attrs.define(kw_only=True)
class Entry:
    """One peer with one cause on one port. `misuse` is the latest; None where it was read from disk."""

    peer: str
    port: int
    cause: Cause
    count: int = 0
    first_us: int = 0
    last_us: int = 0
    misuse: Misuse | None = None
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    """As in `facts_of`; made anew of `misuse` when somebody looks."""

    def told(self) -> Mapping[str, Any]:
        """The facts of the latest occurrence."""
        if self.misuse is not None:
            self.facts, self.misuse = facts_of(self.misuse), None
        return self.facts

    def document(self) -> dict[str, Any]:
        """JSON-able; the shape of `/v1/strangers`."""
        return {
            "peer": self.peer,
            "port": self.port,
            "cause": self.cause.value,
            "count": self.count,
            "first": _iso(self.first_us),
            "last": _iso(self.last_us),
            **self.told(),
        }


def facts_of(misuse: Misuse) -> dict[str, Any]:
    """What is worth keeping of one occurrence, with its sentence."""
    hello, client = misuse.hello, misuse.client_certificate
    return {
        "sentence": explain(misuse)[:MOST_TEXT],
        "tls_port": misuse.expects_tls,
        "first_line": misuse.first_line,
        "asked_for": hello.server_name if hello else "",
        "offered_versions": list(hello.versions) if hello else [],
        "offered_ciphers": list(hello.ciphers[:20]) if hello else [],
        "alert": misuse.alert,
        "openssl": list(misuse.reasons)[:4],
        "verify_error": misuse.verify_error,
        "client_subject": client.subject[:MOST_TEXT] if client else "",
        "client_fingerprint": client.fingerprint if client else "",
        "client_not_after": client.not_after if client else "",
    }


class StrangerBook:
    """Entries of the last days. `forgotten` counts occurrences whose entries were driven out, by cause."""

    def __init__(self) -> None:
        self.forgotten: dict[Cause, int] = {}
        self._pages: dict[Cause, OrderedDict[tuple[str, int], Entry]] = {cause: OrderedDict() for cause in Cause}

    def note(self, misuse: Misuse, now_us: int) -> Entry:
        """Take note of one occurrence; costs a microsecond or two, because floods pass here."""
        page = self._pages[misuse.cause]
        key = (misuse.peer, misuse.port)
        entry = page.get(key)
        if entry is None:
            entry = Entry(peer=misuse.peer, port=misuse.port, cause=misuse.cause, first_us=now_us)
            self._put(page, key, entry)
        else:
            page.move_to_end(key)
        entry.count += 1
        # A clock that was set back must not make the last time earlier than the first.
        entry.last_us = max(now_us, entry.first_us)
        entry.misuse = misuse
        return entry

    def entries(self) -> list[Entry]:
        """All, the latest first."""
        return sorted(self._all(), key=lambda entry: entry.last_us, reverse=True)

    def expire(self, now_us: int) -> None:
        """Drop what has not happened for `KEPT_DAYS`."""
        oldest = now_us - KEPT_DAYS * DAY_US
        for page in self._pages.values():
            for key in [key for key, entry in page.items() if entry.last_us < oldest]:
                del page[key]

    def document(self) -> dict[str, Any]:
        """The whole book, JSON-able: what is kept on disk and what `/v1/strangers` answers."""
        return {
            "version": _VERSION,
            "kept_days": KEPT_DAYS,
            "strangers": [entry.document() for entry in self.entries()],
            "forgotten": {cause.value: number for cause, number in sorted(self.forgotten.items())},
        }

    def dump(self) -> bytes:
        """The octets for the disk."""
        return json.dumps(self.document()).encode("ascii")

    def _all(self) -> Iterator[Entry]:
        for page in self._pages.values():
            yield from page.values()

    def _put(self, page: OrderedDict[tuple[str, int], Entry], key: tuple[str, int], entry: Entry) -> None:
        if len(page) >= MOST_OF_A_CAUSE:
            _, gone = page.popitem(last=False)
            self.forgotten[gone.cause] = self.forgotten.get(gone.cause, 0) + gone.count
        page[key] = entry


def read_book(data: bytes) -> StrangerBook:
    """The book that `dump` wrote; entries that make no sense are left out. Raises `ValueError` for anything else."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise ValueError("it is not a book of strangers of this version")
    book = StrangerBook()
    known = {cause.value for cause in Cause}
    forgotten = document.get("forgotten")
    for name, number in forgotten.items() if isinstance(forgotten, dict) else ():
        if name in known and isinstance(number, int):
            book.forgotten[Cause(name)] = number
    strangers = document.get("strangers")
    # The latest first on disk, the latest last in a page.
    for found in reversed(strangers) if isinstance(strangers, list) else ():
        try:
            entry = _entry(found)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        book._put(book._pages[entry.cause], (entry.peer, entry.port), entry)
    return book


_FACTS: Final = {
    "sentence": str, "tls_port": bool, "first_line": str, "asked_for": str, "offered_versions": list,
    "offered_ciphers": list, "alert": str, "openssl": list, "verify_error": str, "client_subject": str,
    "client_fingerprint": str, "client_not_after": str,
}  # fmt: skip


def _entry(found: object) -> Entry:
    if not isinstance(found, dict):
        raise TypeError("no object")
    facts = {name: found.get(name, kind()) for name, kind in _FACTS.items()}
    if not all(isinstance(facts[name], kind) for name, kind in _FACTS.items()):
        raise TypeError("a fact of another kind")
    return Entry(
        peer=str(found["peer"])[:MOST_TEXT],
        port=int(found["port"]),
        cause=Cause(found["cause"]),
        count=int(found["count"]),
        first_us=_micros(found["first"]),
        last_us=_micros(found["last"]),
        facts=facts,
    )


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds")


def _micros(text: str) -> int:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without zone")
    return round(found.timestamp() * 1_000_000)
