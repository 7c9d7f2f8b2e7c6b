"""Arguments that several commands take: services by any of their names, moments by age or by date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.errors import ExitStatus, OperatorError
from agent.names import ServiceName
from iadmin.commands.edges import AgentLink
from iadmin.commands.lazy import nearest

AGE: Final = re.compile(r"(\d{1,6})(s|m|min|h|d|w)", re.ASCII)
UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def find_service(known: Sequence[ServiceName], text: str) -> ServiceName:
    """Find a service by `domain|name`, `domain_name`, or by its bare name where that is unambiguous.

    Raises `OperatorError` (exit status 64) that names the nearest ones.
    """
    for name in known:
        if text in (name.client_id, name.url_name):
            return name
    fitting = [name for name in known if name.name == text]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choice = " or ".join(f'"{name}"' for name in fitting)
        sentence = f"{text!r} is the name of {len(fitting)} services; say {choice}"
    else:
        spellings = [spelling for name in known for spelling in (name.name, name.client_id, name.url_name)]
        listed = ", ".join(f'"{name}"' for name in known[:10]) or "none at all"
        sentence = f"there is no service {text!r}{nearest(text, spellings)}; the configuration has {listed}"
    raise OperatorError("no-such-service", sentence, exit_status=ExitStatus.USAGE)


def running_service(link: AgentLink, text: str) -> str:
    """The client id of a service that the running agent has. Raises `OperatorError` (64) with the nearest."""
    known = [str(one.get("service", "")) for one in link.services()]
    return find_service([_named(one) for one in known], text).client_id


def _named(client_id: str) -> ServiceName:
    domain, _, name = client_id.partition("|")
    return ServiceName(domain=domain, name=name)


def find_moment(text: str, now: datetime) -> datetime:
    """Read `15m`, `2h`, `3d` (ago), `today`, a date, or an ISO 8601 time; without a zone it is in the zone of `now`.

    Raises `OperatorError` (exit status 64).
    """
    said = text.strip().lower()
    try:
        if age := AGE.fullmatch(said):
            return now - timedelta(**{UNITS[age[2]]: int(age[1])})
        if said == "today":
            return now.replace(hour=0, minute=0, second=0, microsecond=0)
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise OperatorError(
            "no-time",
            f"{text!r} is not a time; say an age (15m, 2h, 3d), today, or a time like 2025-07-30T10:22",
            exit_status=ExitStatus.USAGE,
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
