"""One destination in force: its sender, the lane of its queue, and its questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from agent.boundaries import Counters, Spool
from agent.config.model import Destination, HttpDestination, OutboxDestination
from agent.config.outbound import ClientTls
from agent.entries import Entries
from agent.secret import Secret
from agent.upstream.asking import Asker, numbered
from agent.upstream.contexts import Contexts
from agent.upstream.gate import Gate
from agent.upstream.health import Health
from agent.upstream.http import HttpSender
from agent.upstream.lane import Lane
from agent.upstream.login import OpenSecret, secret_in_file
from agent.upstream.material import ReadFile, context_of
from agent.upstream.outbox import OutboxSender
from agent.upstream.sender import Sender

Result = TypeVar("Result")

CARELESS: Final = (
    'destination {name}: ignoreSSLErrors="true", so whoever stands between can read and change what is sent; pin the '
    "certificate with SSL/fingerprint, or put its authority into a Truststore, and take the attribute out"
)


@attrs.frozen(kw_only=True, eq=False)
class Way:
    """What is known of a destination, and who takes requests and questions there."""

    destination: Destination
    gate: Gate
    lane: Lane
    asker: Asker
    health: Health

    @property
    def careless(self) -> str:
        """The warning about `ignoreSSLErrors`; empty where there is none."""
        if isinstance(self.destination, HttpDestination) and self.destination.tls.ignore_errors:
            return CARELESS.format(name=self.destination.name)
        return ""

    def describe(self) -> dict[str, object]:
        """See `Lane.describe`; `warnings` are sentences about how it is configured, and about an outage."""
        told = self.lane.describe()
        warnings = [self.careless] if self.careless else []
        if told["circuit"] != "closed":
            name, error = self.destination.name, self.gate.last_error
            warnings.append(
                f"destination {name}: nothing can be sent, it is stored: {error}; once that is mended, "
                f'"iadmin destination resume {name}" does not wait for the next try'
            )
        return {**told, "warnings": warnings}


class Ways:
    """Makes them. `senders` replaces the ways out by name, for tests; the rest is as in `Courier`."""

    def __init__(
        self,
        *,
        home: Path,
        spool: Spool,
        reactor: Any,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        counters: Counters,
        read: ReadFile,
        password: Secret | None,
        opened: OpenSecret,
        entries: Entries,
        senders: Callable[[Destination], Sender] | None = None,
    ) -> None:
        self._home = home
        self._spool = spool
        self._reactor = reactor
        self._now_us = now_us
        self._jitter = jitter
        self._counters = counters
        self._read = read
        self._password = password
        self._opened = opened
        self._entries = entries
        self._sender = senders or self._real_sender
        self._questions = numbered(now_us())

    def make(self, destination: Destination, *, before: Way | None = None) -> Way:
        """The way to a destination; `before` is the one whose place it takes."""
        name = destination.name
        sender = self._sender(destination)
        gate = Gate(
            destination,
            reactor=self._reactor,
            jitter=self._jitter,
            concurrency=sender.concurrency,
            is_careful=before is not None,
        )
        health = before.health if before is not None else self._new_health(name)
        lane = Lane(
            name=name,
            sender=sender,
            policy=destination.retry,
            spool=self._spool,
            reactor=self._reactor,
            now_us=self._now_us,
            jitter=self._jitter,
            gate=gate,
            health=health,
            is_hasty=before is not None,
        )
        asker = Asker(
            name=name,
            sender=sender,
            gate=gate,
            in_queue=lambda: lane.in_hand,
            questions=self._questions,
            reactor=self._reactor,
            now_us=self._now_us,
            counters=self._counters,
        )
        return Way(destination=destination, gate=gate, lane=lane, asker=asker, health=health)

    def _new_health(self, name: str) -> Health:
        return Health(name=name, counters=self._counters, seconds=self._reactor.seconds, entries=self._entries)

    def _real_sender(self, destination: Destination) -> Sender:
        if isinstance(destination, OutboxDestination):
            return OutboxSender(
                destination=attrs.evolve(destination, path=self._home / destination.path),
                reactor=self._reactor,
                now_us=self._now_us,
                run_in_thread=self._run_in_thread,
            )
        return HttpSender(
            destination=destination,
            reactor=self._reactor,
            now_us=self._now_us,
            context=Contexts(
                destination.tls, name=destination.name, make=self._make_context, in_thread=self._run_in_thread
            ),
            read=lambda path: self._run_in_thread(lambda: secret_in_file(path, self._opened)),
        )

    def _make_context(self, config: ClientTls) -> SSL.Context:
        now = datetime.fromtimestamp(self._now_us() / 1e6, UTC)
        return context_of(config, read=self._read, password=self._password, now=now, opened=self._opened)

    def _run_in_thread(self, work: Callable[[], Result]) -> Deferred[Result]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)
