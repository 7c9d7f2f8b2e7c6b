"""What a sender says about its event beside the body: priority, process group, idempotency key.

Header                 stands for the token      value
`Apia-Priority`        `apia_priority`           `normal` (default) or `high`, in any case
`Apia-Process-Group`   `apia_process_group`      any text; without it the event belongs to the group of all such events
`Idempotency-Key`                                the same event sent again has the same key

The names have hyphens because proxies drop header fields with underscores. Another header may be configured to hold the
key; `read_key` reads that one as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from agent.errors import SenderError

PRIORITY: Final = b"apia-priority"
GROUP: Final = b"apia-process-group"
KEY: Final = b"idempotency-key"

NAMES: Final = frozenset({PRIORITY, GROUP, KEY})

MAX_GROUP_BYTES: Final = 256
"""Groups are names of hosts, pumps, tickets. Each one that waits is kept in memory and in an index."""

MAX_KEY_BYTES: Final = 256
"""Stripe and Adyen: 255 and 64 characters; a UUID has 36."""

_PRIORITIES: Final = {b"normal": False, b"high": True}


@attrs.frozen
class Marks:
    """What the headers say. An empty `key` is none."""

    is_high: bool = False
    group: str = ""
    key: str = ""


UNMARKED: Final = Marks()


def read_marks(found: Mapping[bytes, bytes]) -> Marks:
    """Read the three headers; names in `found` are lower case. Raises `SenderError` 400."""
    priority, group, key = found.get(PRIORITY), found.get(GROUP), found.get(KEY)
    if priority is None and group is None and key is None:
        return UNMARKED
    return Marks(
        is_high=priority is not None and _read_priority(priority),
        group="" if group is None else _read_group(group),
        key="" if key is None else read_key(key, "Idempotency-Key"),
    )


def read_key(value: bytes, name: str) -> str:
    """Read an idempotency key out of the header `name`; raise `SenderError` 400.

    The quotes of a structured field (draft-ietf-httpapi-idempotency-key-header) do not belong to the key.
    """
    key = value.strip(b" \t")
    if len(key) > 1 and key[:1] == key[-1:] == b'"':
        key = key[1:-1]
    if not key:
        raise _bad("idempotency-key", f"The header {name} is empty. Give the event a key of its own, or leave it out.")
    if len(key) > MAX_KEY_BYTES:
        raise _bad(
            "idempotency-key",
            f"The header {name} has {len(key)} bytes; a key has at most {MAX_KEY_BYTES}. Send a UUID or a digest.",
        )
    return _text(key, name, "idempotency-key")


def _read_priority(value: bytes) -> bool:
    try:
        return _PRIORITIES[value.strip(b" \t").lower()]
    except KeyError:
        shown = value[:80].decode("latin-1")
        raise _bad(
            "priority", f"The header Apia-Priority is {shown!r}; send normal or high, or leave it out."
        ) from None


def _read_group(value: bytes) -> str:
    group = value.strip(b" \t")
    if len(group) > MAX_GROUP_BYTES:
        raise _bad(
            "process-group",
            f"The header Apia-Process-Group has {len(group)} bytes; a process group has at most {MAX_GROUP_BYTES}.",
        )
    return _text(group, "Apia-Process-Group", "process-group")


def _text(value: bytes, name: str, what: str) -> str:
    """Headers have no agreed encoding (RFC 9110, section 5.5): UTF-8 where the bytes are that, else Latin-1."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    if not text.isprintable():
        raise _bad(what, f"The header {name} is {text[:80]!r}; it must not hold control characters.")
    return text


def _bad(what: str, sentence: str) -> SenderError:
    return SenderError(f"bad-{what}", sentence, status=400, title=f"Not an acceptable {what.replace('-', ' ')}")
