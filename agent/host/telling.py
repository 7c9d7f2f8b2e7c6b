"""The lines that the log gets about a service's events and its workers."""

from __future__ import annotations

from twisted.logger import Logger

from agent.boundaries import EventSettlement
from agent.delivery import Outcome
from agent.host.output import printable
from agent.host.process import Gone

log = Logger(namespace="host")


def told_good(service: str, settled: EventSettlement) -> str:
    """The line about an attempt that settled its event well."""
    if settled.outcome is Outcome.SUPPRESS:
        return printable(settled.reason)
    return f"{service} is done with it, requests: {len(settled.requests)}"


def tell_failed(service: str, event_id: str, settled: EventSettlement, *, next_start_s: float = 0.0) -> None:
    """Write the line about one that failed. `next_start_s`: there is no worker until then, so it waits that long."""
    reason = printable(settled.reason)
    if settled.outcome is Outcome.POSTPONE:
        pause_s = max((settled.due_us - settled.ended_us) / 1e6, next_start_s)
        log.warn(
            "{service} failed, again in {pause_s:.1f} s: {reason}",
            service=service,
            pause_s=pause_s,
            reason=reason,
            event_id=event_id,
        )
    else:
        log.error("{service} failed, dead letter: {reason}", service=service, reason=reason, event_id=event_id)


def tell_gone(service: str, gone: Gone, *, pause_s: float, is_news: bool, is_loop: bool) -> None:
    """A worker ended and another one will be started. The same fault again is told at debug level only: at a pause of a
    minute it would fill the log over night."""
    what = "worker ended" if gone.was_ready else "service cannot be started"
    tell = log.error if is_news or gone.was_ready else log.debug
    tell(
        "{service}: {what}: {reason}; next start in {pause_s:.1f} s{loop}",
        service=service,
        what=what,
        reason=gone.sentence,
        pause_s=pause_s,
        loop=" (crash loop)" if is_loop else "",
    )
    for line in gone.detail.splitlines():
        log.debug("{service}: {line}", service=service, line=printable(line))


class OwnLog:
    """What a service says itself, under its own name, so that its author finds it."""

    def __init__(self, service: str) -> None:
        own = Logger(namespace=service)
        self._tell = {"debug": own.debug, "info": own.info, "warn": own.warn, "error": own.error}

    def write(self, level: str, text: str, event_id: str) -> None:
        """Write one printable line; a level that is not known is info."""
        self._tell.get(level, self._tell["info"])("{text}", text=text, event_id=event_id)
