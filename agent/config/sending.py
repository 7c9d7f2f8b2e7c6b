"""`<destinations>` -> `Destination`: where services send to, with retry policy and credentials."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from agent.config.document import line_of
from agent.config.lookup import Files, relative_name, resolved, slashed
from agent.config.model import (
    MIB,
    BasicCredentials,
    Destination,
    HttpDestination,
    OutboxDestination,
    RetryPolicy,
)
from agent.config.section import Section
from agent.config.values import choice, decimal, header_name, header_value, name, text, web_url, whole
from agent.secret import Secret

DEFAULT_DESTINATION: Final = "outbox"
OUTBOX_FOLDER: Final = PurePath("var", "outbox")
MAX_PASSWORD_FILE_BYTES: Final = 4096
"""A password is one line; whoever names a larger file has named the wrong one."""

DAY_S: Final = 24 * 3600

RETRY: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = MappingProxyType(
    {
        "first-delay-s": ("first_delay_s", decimal(0.01, DAY_S, "seconds")),
        "factor": ("factor", decimal(1, 100)),
        "max-delay-s": ("max_delay_s", decimal(0.01, 7 * DAY_S, "seconds")),
        "max-attempts": ("max_attempts", whole(0, 1_000_000)),
        "max-age-s": ("max_age_s", decimal(1, 366 * DAY_S, "seconds")),
    }
)
"""Element of `<retry>` -> field of `RetryPolicy` and its reader."""

_OURS: Final = frozenset({"connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"})
"""Header fields that frame or route the request (RFC 9110, section 7.6.1): the agent writes them, nobody else."""


class DestinationType(enum.StrEnum):
    """`destination/@type`."""

    HTTP = "http"
    OUTBOX = "outbox"


class Method(enum.StrEnum):
    """Methods that make sense for sending an event."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    GET = "GET"


@attrs.frozen(kw_only=True)
class Surroundings:
    """Where a configuration lives: the agent home, the folder relative paths start at, and the disk to ask."""

    home: PurePath
    folder: PurePath
    files: Files


def read_destinations(sections: Sequence[Section], around: Surroundings) -> tuple[Destination, ...]:
    """Read all `<destination>` elements; `outbox` is added where none has that name."""
    read: dict[str, Destination] = {}
    lines: dict[str, int] = {}
    for section in sections:
        own = section.required_attribute("name", name)
        destination = _read_destination(section, own or "", around)
        if own is None:
            continue
        if own in lines:
            section.error(f'the name "{own}" is already taken by the destination of line {lines[own]}', at="@name")
        else:
            lines[own] = line_of(section.element)
            read[own] = destination
    if DEFAULT_DESTINATION not in read:
        read[DEFAULT_DESTINATION] = _outbox(DEFAULT_DESTINATION, RetryPolicy(), around)
    return tuple(read.values())


def read_retry(parent: Section, default: RetryPolicy) -> RetryPolicy:
    """Read the optional `<retry>` of a destination or a service; what it leaves out is as in `default`."""
    section = parent.child("retry")
    if section is None:
        return default
    given = {field: section.value(element, read, None) for element, (field, read) in RETRY.items()}
    policy = attrs.evolve(default, **{field: value for field, value in given.items() if value is not None})
    if policy.first_delay_s > policy.max_delay_s:
        section.error(f"{policy.first_delay_s:g} is more than max-delay-s, {policy.max_delay_s:g}", at="first-delay-s")
    return policy


def _outbox(own: str, retry: RetryPolicy, around: Surroundings) -> OutboxDestination:
    return OutboxDestination(name=own, path=around.home / OUTBOX_FOLDER / f"{own}.jsonl", retry=retry)


def _read_destination(section: Section, own: str, around: Surroundings) -> Destination:
    kind = section.attribute("type", choice(DestinationType), DestinationType.HTTP)
    retry = read_retry(section, RetryPolicy())
    if kind is DestinationType.OUTBOX:
        for surplus in ("url", "method"):
            if surplus in section.element.attrib:
                section.error("an outbox is a file and has none; did you mean type http?", at=f"@{surplus}")
        return _outbox(own, retry, around)
    url = section.required_attribute("url", web_url(query=True))
    credentials = _read_basic(section, url or "", around)
    return HttpDestination(
        name=own,
        url=url or "",
        method=section.attribute("method", choice(Method), Method.POST).value,
        headers=_read_headers(section, has_basic=credentials is not None),
        credentials=credentials,
        timeout_s=section.value("timeout-s", decimal(0.1, 3600, "seconds"), 30.0),
        concurrency=section.value("concurrency", whole(1, 1000), 4),
        max_answer_bytes=section.value("max-answer-bytes", whole(1, 64 * MIB), 64 * 1024),
        retry=retry,
    )


def _read_headers(section: Section, *, has_basic: bool) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for header in section.children("header"):
        field = header.required_attribute("name", header_name)
        value = header.text(header_value, "", may_be_empty=True)
        if field is None:
            continue
        if field.lower() in _OURS:
            header.error(f'"{field}" is written by the agent itself; take the element out', at="@name")
        if field.lower() == "authorization" and has_basic:
            header.error("the element basic already gives this header; keep one of the two", at="@name")
        headers.append((field, value))
    return tuple(headers)


def _read_basic(section: Section, url: str, around: Surroundings) -> BasicCredentials | None:
    basic = section.child("basic")
    if basic is None:
        return None
    user = basic.required_value("user", text) or ""
    if ":" in user:
        basic.error("a user name of HTTP Basic cannot hold a colon (RFC 7617)", at="user")
    place = basic.required_child("password-file")
    path = None if place is None else place.text(slashed, None)
    if place is None or path is None:
        return None
    if urlsplit(url).scheme == "http" and not _is_loopback(urlsplit(url).hostname or ""):
        section.warning("user and password travel unprotected over http; use https", at="@url")
    return BasicCredentials(user=user, password=Secret(_read_password(place, path, around)))


def _read_password(place: Section, path: str, around: Surroundings) -> str:
    """Return the first line of a password file; blanks count, the end of the line does not."""
    whole_path = resolved(around.folder, path)
    shown_path = relative_name(whole_path, around.home)
    found = around.files.read(whole_path, max_bytes=MAX_PASSWORD_FILE_BYTES)
    if found.trouble:
        place.error(f"the password file {shown_path} {found.trouble}")
        return ""
    if found.readable_by_others:
        place.warning(f"every account of this machine can read {shown_path}; chmod 600 would mend it")
    try:
        password = found.data.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        place.error(f"the password file {shown_path} is not UTF-8 text")
        return ""
    if not password:
        place.error(f"the first line of the password file {shown_path} is empty; it must hold the password")
    # RFC 7617, section 2: no control characters. The sentence must not repeat the value.
    elif any(ord(c) < 32 or ord(c) == 127 for c in password):
        place.error(f"the first line of the password file {shown_path} holds a control character")
    return password


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
