"""The event: what a management system said, as the agent keeps it."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

DEFAULT_GROUP: Final = ""


class BodyKind(enum.StrEnum):
    """How the body is to be read; decided once, at the gateway, from the bytes and not from the Content-Type."""

    XML = "xml"
    JSON = "json"
    APXML = "apxml"
    """XML that is a message of `agent.event.apxml`, with the constants of its service in it."""
    OTHER = "other"
    """Anything else; only where a service answers its senders itself, because then nobody parses the body."""


class Priority(enum.IntEnum):
    """The two priorities of a service; they never wait for one another."""

    NORMAL = 0
    HIGH = 1


class Event(NamedTuple):
    """One event, complete and checked: its body parsed once without fault, its service exists and is active. A tuple,
    because one is made for each event, and attrs' frozen objects take twice as long.

    `id` is a UUIDv7 (RFC 9562) in its 36-character text form: ids sort by time. `service` is the agent client id
    (`applications|sample-plan`). `received_us` counts microseconds since 1970 UTC. `body` holds the bytes as sent
    (after content decoding); `charset` is the encoding the transport claimed, which wins over the document's own
    declaration (RFC 7303, section 3). `path` is what followed the service name in the URL, decoded, with its leading
    slash, or empty; `query` the raw query without `?`. `group` is the process group; empty is the group of all events
    that name none. `idempotency_key` is the sender's name for the event, empty for none: the same key for the same
    service, within a while, is the same event.
    """

    id: str
    service: str
    received_us: int
    peer: str
    kind: BodyKind
    body: bytes
    content_type: str = ""
    charset: str | None = None
    path: str = ""
    query: str = ""
    priority: Priority = Priority.NORMAL
    group: str = DEFAULT_GROUP
    idempotency_key: str = ""
