"""What lies in the home: folders that the agent writes to, events that `apclient` has kept, secrets in clear text."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Final

import attrs

from agent.config.model import AgentConfig, HttpDestination
from agent.config.show import is_telltale, masked_url
from agent.heldback import consequence
from iadmin.diagnosis.finding import Finding, fault, note, warning
from iadmin.diagnosis.settings import READ

KEPT_LONG_S: Final = 60.0
"""The agent looks once a second; what is there for longer, it cannot take."""


OF_CONSTANTS: Final = ("pass", "pwd", "secret", "token")
"""Fewer than of headers: a constant may be a key of something, or an author."""


class Reach(Enum):
    """What the agent's account can do with a path."""

    WRITABLE = "writable"
    DENIED = "denied"
    ABSENT = "absent"
    NO_FOLDER = "no folder"
    LINK_TO_NOTHING = "link to nothing"


@attrs.frozen(kw_only=True)
class Kept:
    """Events in `var/apclient`: how many wait, how long the oldest does, and how many were put aside."""

    waiting: int = 0
    oldest_s: float = 0.0
    refused: int = 0


def look_at_path(path: str, reach: Reach, *, account: str, is_running: bool) -> Iterator[Finding]:
    """One folder or file that the agent writes to. One that is absent is made at the start."""
    known = f"looking at {path}"
    if reach is Reach.DENIED:
        yield fault(
            "not-writable",
            f"{account}, as whom the agent runs, cannot write to {path}",
            known="its owner and mode, and how its disk is mounted",
            remedy=f"chown -R {account} {path}; chmod -R u+rwX {path}; a disk that is mounted read-only may be failing",
        )
    elif reach is Reach.NO_FOLDER:
        yield fault("not-a-folder", f"{path} is no folder", known=known, remedy=f"mv {path} {path}.aside")
    elif reach is Reach.LINK_TO_NOTHING:
        yield fault(
            "link-to-nothing",
            f"{path} is a link to something that is not there",
            known=known,
            remedy="mount or make what it leads to, before the agent starts",
        )
    elif reach is Reach.ABSENT and is_running:
        yield fault(
            "folder-gone",
            f"{path} is gone, and the agent runs: what it writes there is lost",
            known=known,
            remedy="iadmin restart, which makes it again",
        )


def look_at_kept(kept: Kept, *, folder: str, is_running: bool) -> Iterator[Finding]:
    """Events that `apclient` could not bring to the agent."""
    if kept.refused:
        yield warning(
            "parcels-refused",
            f"{kept.refused} events that apclient had kept could not be taken, and were put aside",
            known=f"{folder}/refused",
            remedy=f"var/log/agent.log says why; mend that, then: mv {folder}/refused/*.parcel {folder}/",
        )
    if kept.waiting and is_running and kept.oldest_s > KEPT_LONG_S:
        yield warning(
            "parcels-wait",
            f"{kept.waiting} events of apclient wait, the oldest for {kept.oldest_s:.0f} s, and the running agent does "
            "not take them",
            known=folder,
            remedy="iadmin status says why: a full spool, or a service that is not active",
        )
    elif kept.waiting and not is_running:
        yield note(
            "parcels-kept",
            f"{kept.waiting} events of apclient wait for an agent",
            known=folder,
            remedy="iadmin start; it fetches them",
        )


def look_at_book(path: str, trouble: str) -> Iterator[Finding]:
    """A file of names that the operator holds back, which the next agent would pass over."""
    yield warning(
        "held-back-unreadable",
        f"{path} {trouble}, {consequence(PurePath(path).name)}",
        known="reading it as the agent does at its start",
        remedy=f"rm {path}, and hold back again what shall wait",
    )


def look_at_clear_secrets(config: AgentConfig) -> Iterator[Finding]:
    """Secrets that stand in the configuration itself. (Passwords of senders are warned of where it is read.)"""
    for destination in config.destinations:
        if not isinstance(destination, HttpDestination):
            continue
        for name, _ in destination.headers:
            if is_telltale(name):
                yield warning(
                    "clear-secret",
                    f'the header "{name}" of destination {destination.name} has its value in clear text',
                    known=READ,
                    remedy="name a file instead: <basic> with password-file, <bearer> with token-file or <appKey> with "
                    "key-file, sealed with iapassword: docs/destinations.rst",
                )
        if any(masked_url(url) != url for url in (destination.url, *destination.further_urls)):
            yield note(
                "secret-in-url",
                f"a URL of destination {destination.name} has a secret in it, and proxies and receivers log URLs",
                known=READ,
                remedy="take another way where the receiver knows one: docs/destinations.rst; keep conf private",
            )
    for service in config.services:
        for one in service.constants:
            if one.value and is_telltale(one.name, words=OF_CONSTANTS):
                yield warning(
                    "clear-secret",
                    f'the constant "{one.name}" of {service.name.client_id} has its value in clear text',
                    known=READ,
                    remedy=f"iapassword --file {one.name}.pw --new, then an <encrypted-constant> with that <file>, "
                    "then: iadmin reload",
                )
