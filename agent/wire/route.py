"""Which service does this URL name? `/http/<domain>_<name>[/sub/path][?query]`, or `/apxml/..` for what APClient sends.

A target is decoded and normalised once, and only the result is looked up, so that no spelling reaches a service that
another spelling does not. Both halves of a name may hold `_`, so names are never split, only compared whole.

What stands behind the name is the sender's and the script's affair: a part of it that has no decoded form of its own
(an encoded slash, bytes that are no UTF-8, a stray `%`) stays as it is written. No name holds a `%` or a backslash, so
such a part never is one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

import attrs

from agent.errors import SenderError
from agent.names import PREFIX, ServiceName

APXML_PREFIX: Final = "/apxml/"
"""For ready-made messages and the values of command lines: these are never answered by the service itself."""
PLATFORM_PATH: Final = "/response"
"""Stands for the service's own URL, `/<domain>_<name>`, where the platform posts answers, requests and news."""
INACTIVE_RETRY_S: Final = 300
"""Retry-After of an inactive service: an operator has to switch it on, so seconds would only make noise."""

_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_PLAIN: Final = re.compile(rb"[\x21-\x7e]*")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_DOTS: Final = re.compile(r"(?:^|[/\\])\.\.?(?:[/\\]|$)")
"""Steps to another folder, behind an encoded slash: whoever stands before us may have taken them."""
_NOBODY: Final = frozenset({"/", PREFIX, PREFIX.rstrip("/"), APXML_PREFIX, APXML_PREFIX.rstrip("/")})
_MAX_SUGGESTED_CHARS: Final = 80
"""Longer names are not compared with ours: comparing costs time that a stranger would spend for us."""


@attrs.frozen(kw_only=True)
class Route:
    """Where a request goes. `path` and `query` as in `Event`."""

    service: ServiceName
    is_active: bool = True
    path: str = ""
    query: str = ""
    is_apxml: bool = False
    """Whether the body is a submission, as `agent.mapping` takes it."""
    is_platform: bool = False
    """Whether it is the service's own URL, which the platform calls: never answered by the service itself."""


class Routes:
    """The services that can be named in a URL. `inactive` ones are known, and take no events."""

    def __init__(self, active: Iterable[ServiceName], inactive: Iterable[ServiceName] = ()) -> None:
        self.change(active, inactive)

    def change(self, active: Iterable[ServiceName], inactive: Iterable[ServiceName] = ()) -> None:
        """Know other services from now on."""
        self._by_name = {name.url_name: Route(service=name, is_active=False) for name in inactive}
        self._by_name.update({name.url_name: Route(service=name) for name in active})
        # Most senders post to the bare URL, byte for byte the same each time.
        self._by_target = {route.service.path.encode("ascii"): route for route in self._by_name.values()}

    def find(self, target: bytes) -> Route:
        """Return the route of a request target; raise `SenderError` 400, or 404 for a service that does not exist."""
        route = self._by_target.get(target)
        if route is not None:
            return route
        path, query, trouble = _split(target)
        try:
            return self._find(path, query)
        except SenderError:
            if trouble:
                raise _bad_target(target, trouble) from None
            raise

    def _find(self, path: str, query: str) -> Route:
        if path in _NOBODY:
            raise _nobody_named()
        own = self._by_name.get(path[1:])
        if own is not None:
            return attrs.evolve(own, path=PLATFORM_PATH, query=query, is_platform=True)
        prefix = next((prefix for prefix in (PREFIX, APXML_PREFIX) if path.startswith(prefix)), None)
        if prefix is None:
            raise self.unknown(path)
        name, slash, rest = path[len(prefix) :].partition("/")
        known = self._by_name.get(name)
        if known is None:
            raise self.unknown(name)
        return attrs.evolve(known, path=slash + rest, query=query, is_apxml=prefix == APXML_PREFIX)

    def unknown(self, asked: str) -> SenderError:
        """The 404 for a path that names no service."""
        wanted = asked.strip("/").replace("|", "_")
        if 0 < len(wanted) <= _MAX_SUGGESTED_CHARS:
            active = [name for name, route in self._by_name.items() if route.is_active]
            close = difflib.get_close_matches(wanted, active, n=1, cutoff=0.85)
        else:
            close = []
        hint = f" Did you mean {PREFIX}{quote(close[0])}?" if close else ""
        shown = asked if len(asked) <= _MAX_SUGGESTED_CHARS else asked[: _MAX_SUGGESTED_CHARS - 3] + "..."
        return SenderError(
            "unknown-service",
            f"No service is called {shown!r} here. Post events to {PREFIX}<domain>_<name>, spelled exactly as in the "
            f"service's descriptor.{hint}",
            status=404,
            title="Unknown service",
        )


def _nobody_named() -> SenderError:
    """The 404 for someone who looks what this is. Which services there are is told to nobody."""
    return SenderError(
        "no-service-named",
        f"This is the service gateway of an integration agent. Events are sent to it with POST to "
        f"{PREFIX}<domain>_<name>, for instance {PREFIX}applications_sample-plan, as XML or JSON in the body; its "
        "operator knows the names.",
        status=404,
        title="The URL names no service",
    )


def inactive_service(service: ServiceName) -> SenderError:
    """The 503 for a service that is there but switched off."""
    return SenderError(
        "service-inactive",
        f"The service {service.client_id} is not active, so the event was not taken. Ask the operator of the agent to "
        "activate it, then send the event again.",
        status=503,
        title="Service not active",
        headers=(("Retry-After", str(INACTIVE_RETRY_S)),),
    )


def _split(target: bytes) -> tuple[str, str, str]:
    """The decoded, normalised path and the raw query of a target in origin or absolute form, and what is wrong with a
    part of the path that stays as it is written."""
    absolute = _ABSOLUTE.match(target)
    if absolute:
        target = target[absolute.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    if not target.startswith(b"/"):
        raise _bad_target(target, "must begin with '/'")
    if not _PLAIN.fullmatch(target):
        raise _bad_target(target, "holds characters that must be percent-encoded")
    if b"#" in target:
        raise _bad_target(target, "holds a fragment ('#'), which is never sent to a server")
    raw_path, _, query = target.partition(b"?")
    if b"%" not in raw_path and b"\\" not in raw_path:
        return _without_dots(raw_path.decode("ascii")), query.decode("ascii"), ""
    parts, trouble = [], ""
    for raw in raw_path.split(b"/"):
        text, wrong = _part(raw)
        if wrong and _DOTS.search(text):
            raise _bad_target(target, wrong)
        parts.append(raw.decode("ascii") if wrong else text)
        trouble = trouble or wrong
    return _without_dots("/".join(parts)), query.decode("ascii"), trouble


def _part(raw: bytes) -> tuple[str, str]:
    """One part of a path, decoded, and why it cannot be taken in that form."""
    decoded = _ESCAPE.sub(_unescape, raw)
    text = decoded.decode("utf-8", "replace")
    if _BAD_ESCAPE.search(raw):
        return text, "holds a '%' that does not begin an escape such as %20"
    if b"/" in decoded or b"\\" in decoded:
        return text, "holds an encoded slash or a backslash, which servers read in different ways"
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return text, "is not UTF-8 once its escapes are decoded"
    return text, "" if text.isprintable() else "holds an encoded control character"


def _unescape(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def _without_dots(path: str) -> str:
    """Remove `.` and `..` segments (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _bad_target(target: bytes, why: str) -> SenderError:
    shown = target[:_MAX_SUGGESTED_CHARS].decode("latin-1")
    return SenderError(
        "bad-target",
        f"The request target {shown!r} {why}. Post events to {PREFIX}<domain>_<name>.",
        status=400,
        title="Bad request target",
    )
