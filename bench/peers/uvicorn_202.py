"""An ASGI application that reads the request and answers 202: no XML, no disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

ANSWER = b'{"requestId": "019dd2b4-7c1e-7a39-b3b1-6c9d3f1f0a52"}\n'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode("ascii"))]


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
