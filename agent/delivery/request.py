"""What a service asks to be sent, and what came of it."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class OutboundRequest:
    """One request for a destination, as the service's hook produced it.

    `destination` is the name of a `<destination>` of the configuration. `headers` are added to the destination's own
    and win over them. `path` is appended to the destination's URL. An empty `method` means the destination's.
    """

    destination: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    path: str = ""
    method: str = ""


@attrs.frozen(kw_only=True)
class Answer:
    """What a destination said. `status` is the HTTP status, or 0 where there is none (an outbox).

    `body` is cut at the destination's limit; `where` names who answered (a URL without credentials, a file name).
    """

    status: int
    where: str
    body: bytes = b""
    content_type: str = ""
    is_cut: bool = False
    """Whether `body` is not the whole: over the limit, or the connection broke off."""
    after_s: float | None = None
    """Seconds of patience that a 429 or a 5xx asks for (`Retry-After`)."""
