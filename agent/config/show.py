"""The effective configuration as nested JSON-able data: defaults filled in, secrets masked."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import attrs

from agent.config.model import AgentConfig, HttpDestination, OutboxDestination
from agent.names import ServiceName
from agent.secret import Secret

TELLTALES: Final = ("auth", "cookie", "credential", "key", "pass", "pwd", "secret", "sig", "token")
"""A header or query parameter with one of these in its name is masked: trigger URLs carry `apiKey=...`."""


def show_config(config: AgentConfig) -> dict[str, object]:
    """Return all of `config` under the names of its fields."""
    return _record(config)


def masked_url(url: str) -> str:
    """Return `url` with the values of telltale query parameters masked."""
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    query = "&".join(
        f"{name}={Secret.MASK}" if equals and is_telltale(name) else name + equals + value
        for name, equals, value in pairs
    )
    return urlunsplit(parts._replace(query=query))


def _record(record: attrs.AttrsInstance) -> dict[str, object]:
    shown: dict[str, object] = {}
    if isinstance(record, HttpDestination | OutboxDestination):
        shown["type"] = "http" if isinstance(record, HttpDestination) else "outbox"
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if isinstance(record, HttpDestination) and field.name == "url":
            value = masked_url(value)
        shown[field.name] = _headers(value) if field.name == "headers" else _plain(value)
    return shown


def _headers(headers: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": Secret.MASK if is_telltale(name) else value} for name, value in headers]


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Secret):
        return Secret.MASK
    if isinstance(value, str | PurePath | ServiceName):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if attrs.has(type(value)):
        return _record(value)  # type: ignore[arg-type]
    # A kind of value that nobody has thought about here must not be shown by accident.
    raise TypeError(f"{type(value).__name__} cannot be shown")


def is_telltale(name: str, *, words: Iterable[str] = TELLTALES) -> bool:
    """Whether what has this name is a secret, as far as a name can tell."""
    return any(word in name.lower() for word in words)
