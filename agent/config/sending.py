"""`<destinations>` -> `Destination`: where services send to, with retry policy and credentials."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

import attrs

from agent.config.document import line_of
from agent.config.lookup import Files, relative_name
from agent.config.model import (
    MIB,
    Destination,
    HttpDestination,
    OutboxDestination,
    RetryPolicy,
)
from agent.config.outbound import Proxy
from agent.config.passwordfile import CREDENTIAL, KEY_NAME, MAX_KEY_FILE_BYTES, read_key, secret_in
from agent.config.reading_outbound import (
    read_answers,
    read_credentials,
    read_further_urls,
    read_proxy,
    read_redirects,
    read_tries,
)
from agent.config.reading_trust import read_client_tls
from agent.config.section import Section
from agent.config.template import check_template
from agent.config.values import choice, decimal, header_name, header_value, name, web_url, whole
from agent.secret import Secret

DEFAULT_DESTINATION: Final = "outbox"
OUTBOX_FOLDER: Final = PurePath("var", "outbox")
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

_OURS: Final = frozenset(
    {"connection", "content-length", "expect", "host", "proxy-authorization", "te", "transfer-encoding", "upgrade"}
)
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
    credentials: PurePath | None = None
    """Where the service manager puts credentials (systemd.exec(5)); None: nowhere."""

    def secret_in(self, data: bytes, path: PurePath, *, may_be_plain: bool) -> Secret:
        """Return the secret in the password file at `path`; raises as `agent.config.passwordfile.secret_in` does."""
        name = relative_name(path, self.home)
        return secret_in(data, self._home_key, may_be_plain=may_be_plain, name=name)

    def _home_key(self) -> bytes:
        places = [self.home / "conf" / KEY_NAME]
        if self.credentials is not None:
            places.insert(0, self.credentials / CREDENTIAL)
        for place in places:
            found = self.files.read(place, max_bytes=MAX_KEY_FILE_BYTES)
            if not found.trouble:
                try:
                    return read_key(found.data)
                except ValueError as error:
                    raise ValueError(f"is encrypted, and {relative_name(place, self.home)} {error}") from None
        raise ValueError(
            f"is encrypted, and the key of this home cannot be read: conf/{KEY_NAME} {found.trouble}. Bring the key "
            "back, or enter the secret again with iapassword"
        )


def read_destinations(
    sections: Sequence[Section], around: Surroundings, proxy: Proxy | None = None
) -> tuple[Destination, ...]:
    """Read all `<destination>` elements; `outbox` is added where none has that name. `proxy` is the default."""
    read: dict[str, Destination] = {}
    lines: dict[str, int] = {}
    for section in sections:
        own = section.required_attribute("name", name)
        destination = _read_destination(section, own or "", around, proxy)
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


def _read_destination(section: Section, own: str, around: Surroundings, proxy: Proxy | None) -> Destination:
    kind = section.attribute("type", choice(DestinationType), DestinationType.HTTP)
    retry = read_retry(section, RetryPolicy())
    if kind is DestinationType.OUTBOX:
        for surplus in ("url", "method"):
            if surplus in section.element.attrib:
                section.error("an outbox is a file and has none; did you mean type http?", at=f"@{surplus}")
        return _outbox(own, retry, around)
    url = section.required_attribute("url", web_url(query=True))
    credentials = read_credentials(section, url or "", around)
    exchange, body = section.child("apxml-exchange"), section.child("body")
    return HttpDestination(
        name=own,
        url=url or "",
        method=section.attribute("method", choice(Method), Method.POST).value,
        headers=_read_headers(section, has_credentials=credentials is not None),
        credentials=credentials,
        timeout_s=_read_timeout_s(section),
        concurrency=section.value("concurrency", whole(1, 1000), 4),
        max_answer_bytes=section.value("max-answer-bytes", whole(1, 64 * MIB), 64 * 1024),
        tries=read_tries(section),
        answers=read_answers(section),
        tls=read_client_tls(section, url or "", around),
        proxy=read_proxy(section, around, proxy),
        redirects=read_redirects(section),
        further_urls=read_further_urls(section, url or ""),
        body_template=_read_template(body) if body else "",
        body_type=body.attribute("content-type", header_value, "") if body else "",
        exchange_size=exchange.value("size", whole(1, 1_000_000), 100) if exchange else 0,
        exchange_interval_s=exchange.value("interval", decimal(0.1, DAY_S, "seconds"), 5.0) if exchange else 5.0,
        circuit_failures=section.value("circuit-failures", whole(0, 1000), 5),
        failback_s=section.value("fail-back-s", decimal(1, DAY_S, "seconds"), 300.0),
        retry=retry,
    )


def _read_template(section: Section) -> str:
    try:
        return check_template(section.element.text or "")
    except ValueError as error:
        section.error(str(error))
        return ""


def _read_timeout_s(section: Section) -> float:
    """`OutboundTimeout` is the same in the words of the Integration Runtime, in seconds as well."""
    timeout_s = section.value("timeout-s", decimal(0.1, 3600, "seconds"), None)
    outbound_s = section.value("OutboundTimeout", decimal(0.1, 3600, "seconds"), None)
    if timeout_s is not None and outbound_s is not None:
        section.error("timeout-s and OutboundTimeout are two names of one setting; keep one of them", at="timeout-s")
    return timeout_s or outbound_s or 30.0


def _read_headers(section: Section, *, has_credentials: bool) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for header in section.children("header"):
        field = header.required_attribute("name", header_name)
        value = header.text(header_value, "", may_be_empty=True)
        if field is None:
            continue
        if field.lower() in _OURS:
            header.error(f'"{field}" is written by the agent itself; take the element out', at="@name")
        if field.lower() == "authorization" and has_credentials:
            header.error("the credentials already give this header; keep one of the two", at="@name")
        headers.append((field, value))
    return tuple(headers)
