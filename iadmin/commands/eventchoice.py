"""Which events a command is about: filters, as for dead letters, or all."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs
import click

from agent.delivery import State
from iadmin.commands.arguments import find_moment
from iadmin.commands.completing import service_names
from iadmin.commands.matching import Fits, matcher
from iadmin.commands.naming import service_filter
from iadmin.commands.records import Records
from iadmin.commands.tools import Tools
from iadmin.text import moment

_Command = TypeVar("_Command", bound=Callable[..., Any])

FILTERS: Final = (
    click.option(
        "--service", metavar="NAME", default="", shell_complete=service_names, help="Only events of this service."
    ),
    click.option("--state", type=click.Choice([state.label for state in State]), help="Only events that stand there."),
    click.option("--since", metavar="TIME", default="", help="Only events received since: 15m, 2h, today, or a time."),
    click.option("--before", metavar="TIME", default="", help="Only events received before."),
    click.option(
        "--match",
        metavar="TEXT",
        default="",
        help="Only those whose reason or body contains TEXT; /... is an XPath into an XML body.",
    ),
)


def event_filters(command: _Command) -> _Command:
    """The options that say which events are meant."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@attrs.frozen(kw_only=True)
class EventChoice:
    """What was said on the command line. `filters` are those of `/v1/events`."""

    filters: Mapping[str, str]
    since: datetime | None = None
    match: Fits | None = None

    @classmethod
    def read(cls, tools: Tools, said: Mapping[str, str | None]) -> EventChoice:
        """Understand the options of `FILTERS`; raises `OperatorError` (64)."""
        now = tools.now()
        since, before, match = said["since"], said["before"], said["match"]
        filters = {
            "service": service_filter(tools, said["service"] or ""),
            "state": said["state"] or "",
            "until": find_moment(before, now).isoformat() if before else "",
        }
        return cls(
            filters={name: value for name, value in filters.items() if value},
            since=find_moment(since, now) if since else None,
            match=matcher(match) if match else None,
        )

    @property
    def is_narrow(self) -> bool:
        """Whether some are meant, and not all."""
        return bool(self.filters) or self.since is not None or self.match is not None

    def fitting(self, records: Records, *, bodies: bool = False) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Those that fit, newest first, with their whole bodies where these are asked for or looked into, page by page.

        With `bodies` each also has its steps and what else is known of it.
        """
        is_whole = bodies or self.match is not None
        for page in records.pages(self.filters, bodies=is_whole):
            for event in page:
                body = base64.b64decode(event.pop("body_base64", ""))
                if self.since is not None and not _is_since(event, self.since):
                    continue
                if self.match is None or self.match(str(event.get("reason") or ""), body):
                    yield event, body
            # The newest come first: behind a page that ends before, there is nothing that fits.
            if self.since is not None and not _is_since(page[-1], self.since):
                return


def _is_since(event: Mapping[str, Any], oldest: datetime) -> bool:
    received = moment(event.get("received"))
    return received is None or received >= oldest
