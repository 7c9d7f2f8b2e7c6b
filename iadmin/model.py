"""What a command comes to, before anybody decides how to show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import attrs

from agent.errors import ExitStatus
from agent.secret import Secret


class Block(Protocol):
    """A piece of an answer for people: drawn as plain text into files and pipes, with rich on a terminal."""

    def plain(self) -> Iterable[str]:
        """The lines for a file or a pipe: aligned, without colour, nothing cut."""

    def rich(self, width: int) -> object:
        """A rich renderable for a terminal `width` columns wide; rich is imported here and nowhere earlier."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The result of one command.

    `data` is the whole of it as JSON-able values, with keys that stay; `blocks` say the same to a person. `notes` are
    sentences for standard error, shown with either ("the agent is not running ..."). `exit_status` is that of the
    process.
    """

    data: object
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    exit_status: ExitStatus = ExitStatus.OK


@attrs.frozen(kw_only=True)
class Anchors:
    """Certificates that somebody trusts: as DER, or as a file and a folder of OpenSSL."""

    name: str
    certificates: tuple[bytes, ...] = ()
    file: str = ""
    folder: str = ""


@attrs.frozen(kw_only=True)
class Probed:
    """What was found on a port. `speaks`: `tls`, `http`, `other`, or `nothing` where no connection came about.

    `chain` holds the certificates as they were sent, DER. `versions` gives for each version of TLS the cipher that was
    agreed on, empty where it was refused. `trouble` says why there is no more, as the rest of a sentence.
    """

    host: str
    port: int
    address: str = ""
    name: str = ""
    speaks: str = "nothing"
    trouble: str = ""
    chain: tuple[bytes, ...] = ()
    versions: Mapping[str, str] = attrs.field(factory=dict)
    is_stapled: bool = False
    asks_for_certificate: bool = False
    answer: str = ""
    """The first line of the HTTP answer, printable; empty where there was none."""


@attrs.frozen(kw_only=True)
class HopRoute:
    """The way to a destination. `path` is what is asked for, query included; `timeout_s` is for the whole way.

    `headers` go with the request; `has_credentials` says that they hold some. An empty `proxy_host`: no proxy;
    `is_proxy_tls`: the proxy itself is spoken to over TLS. An empty `proxy_user`: no login there.
    """

    destination: str
    scheme: str
    host: str
    port: int
    path: str = "/"
    timeout_s: float = 30.0
    headers: tuple[tuple[str, Secret], ...] = ()
    has_credentials: bool = False
    has_key: bool = False
    """Whether it shows a certificate of its own."""
    proxy_host: str = ""
    proxy_port: int = 0
    is_proxy_tls: bool = False
    proxy_user: str = ""
    proxy_password: Secret | None = None


@attrs.frozen(kw_only=True)
class Hop:
    """One hop that was tried, and how long it took. `cure`: what to do where it is broken."""

    name: str
    is_good: bool
    sentence: str
    ms: int
    cure: str = ""
