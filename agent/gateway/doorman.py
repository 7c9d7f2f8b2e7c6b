"""Lets requests in, or not: the rules of `agent.wire.auth` with a memory, a clock and threads.

Passwords that were found right are remembered by a digest under a key of this process, so that a request of a known
sender costs a microsecond. What could not be decided from the head is left with the slot as a `Doubt`; `resolve`
settles it when the body is there. Who shows wrong credentials has to wait, as `agent.wire.guessing` says; what was
found right before, tokens and signatures are not held up by that, because they cannot be guessed in any time.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.access import OPEN, Access
from agent.boundaries import Counters
from agent.config.changes import same
from agent.errors import SenderError
from agent.gateway.proofs import Proofs
from agent.gateway.slot import Slot
from agent.names import ServiceName
from agent.wire.auth import Gate, Passed, Refused, Unproven, Unsigned
from agent.wire.guessing import Guesses, Key, place_of
from agent.wire.refusal import internal_error, too_many_checks, too_many_failures
from agent.wire.signature import Nonces

log = Logger(namespace="gateway")

MAX_VERIFIED: Final = 10_000
THREAD_FROM_BYTES: Final = 256 * 1024
"""SHA-256 of this takes about a millisecond; more is done in a thread."""
QUIET_S: Final = 60.0
MAX_QUIET: Final = 1000

Settled = Callable[[SenderError | None], None]


class Doubt:
    """A request whose sender is still to be found right or wrong. Settled once, with an error or None."""

    def __init__(self, gate: Gate, unsigned: Unsigned | None = None, method: str = "", target: bytes = b"") -> None:
        self.gate: Final = gate
        self.unsigned: Final = unsigned
        self.method: Final = method
        self.target: Final = target
        self._is_settled = False
        self._error: SenderError | None = None
        self._then: Settled | None = None

    def settle(self, error: SenderError | None) -> None:
        self._is_settled, self._error = True, error
        if self._then is not None:
            self._then(error)

    def when_settled(self, then: Settled) -> None:
        self._then = then
        if self._is_settled:
            then(self._error)


class Doorman:
    """Stands at one gateway. `clock()` is a steady clock in seconds, `now_us()` the wall clock.

    `own` is what services demand in the place of the gateway.
    """

    def __init__(
        self,
        *,
        access: Access | None,
        own: Mapping[ServiceName, Access],
        clock: Callable[[], float],
        now_us: Callable[[], int],
        counters: Counters,
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]],
    ) -> None:
        self._clock = clock
        self._now_us = now_us
        self._counters = counters
        self._in_thread = in_thread
        self._proofs = Proofs(in_thread)
        self._guesses = Guesses()
        self._nonces = Nonces(began_s=now_us() // 1_000_000)
        self._quiet: dict[Key, float] = {}
        self._asked: list[tuple[ServiceName | None, Access]] = []
        self.configure(access, own)

    def configure(self, access: Access | None, own: Mapping[ServiceName, Access]) -> None:
        """Ask for these credentials from now on. What was guessed and what was signed stays in mind.

        Where they are the same as before, what was found right does, too: after a reload for another reason nobody
        has to be looked at anew, at a third of a second each.
        """
        asked = [(None, access or OPEN), *own.items()]
        if same(asked, self._asked):
            return
        self._asked = asked
        self._gate = Gate(access or OPEN)
        self._gates = {service: Gate(each) for service, each in own.items()}
        # Credentials that are not good any more must not be remembered as good ones.
        self._digest_key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, str] = OrderedDict()

    def admit(self, slot: Slot, method: str, target: bytes) -> None:
        """Let a request in, leave a `Doubt` with it, or raise `SenderError` 401, 403, 429 or 503."""
        route = slot.route
        service = None if route is None else route.service
        gate = self._gates.get(service, self._gate) if service is not None else self._gate
        if gate.is_open:
            return
        connection, head = slot.connection, slot.head
        # The reader gives out the same head for as long as the sender repeats it.
        known_head, known_gate, known_who = connection.let_in
        if head is known_head and gate is known_gate and head is not None:
            slot.who = known_who
            return
        peer = connection.peer
        authorization = head.authorization if head is not None else b""
        digest = self._digest((service.url_name if service else "").encode(), peer.encode(), authorization)
        who = self._verified.get(digest)
        if who is not None:
            slot.who = who
            connection.let_in = (head, gate, who)
            return
        verdict = gate.judge(authorization=authorization, peer=peer, certificate=connection.client_certificate)
        if isinstance(verdict, Passed):
            slot.who = verdict.who
            connection.let_in = (head, gate, verdict.who)
        elif isinstance(verdict, Unproven):
            self._prove(slot, gate, verdict, digest)
        elif isinstance(verdict, Refused):
            raise self._failed(gate, slot, verdict.account)
        else:
            now_s = self._now_us() // 1_000_000
            if not self._nonces.is_timely(verdict.signature, now_s=now_s, window_s=verdict.window_s):
                raise self._failed(gate, slot, verdict.account)
            slot.doubt = Doubt(gate, verdict, method, target)

    def resolve(self, slot: Slot, body: bytes, go_on: Callable[[], None]) -> None:
        """The body is here: call `go_on` once the request is found to be let in, else refuse it."""
        doubt, slot.doubt = slot.doubt, None
        assert doubt is not None

        def settled(error: SenderError | None) -> None:
            error = error or slot.fault
            if slot.answer is not None:
                return  # it was told that this takes too long
            if error is not None:
                slot.refused(error)
            else:
                go_on()

        doubt.when_settled(settled)
        unsigned = doubt.unsigned
        if unsigned is None:
            return

        def is_right() -> bool:
            return unsigned.is_right(method=doubt.method, target=doubt.target, body=body)

        if len(body) < THREAD_FROM_BYTES:
            self._signed(is_right(), slot, doubt, unsigned)
        else:
            self._in_thread(is_right).addCallback(self._signed, slot, doubt, unsigned).addErrback(self._fault, doubt)

    def _digest(self, *parts: bytes) -> bytes:
        return hashlib.blake2b(b"\0".join(parts), key=self._digest_key, digest_size=16).digest()

    def _prove(self, slot: Slot, gate: Gate, verdict: Unproven, digest: bytes) -> None:
        key = (place_of(slot.connection.peer), verdict.account)
        if self._guesses.is_known(key, self._guess(slot)):
            raise self._failed(gate, slot, verdict.account)
        wait_s = self._guesses.wait_s(key, self._clock())
        if wait_s:
            raise self._hold_up(wait_s)
        doubt = Doubt(gate)

        def told(right: bool | None) -> None:
            if right:
                self._guesses.forgive(key)
                self._remember(digest, verdict.account)
                slot.who = verdict.account
                doubt.settle(None)
            elif right is None:
                doubt.settle(self._hold_up(self._guesses.wait_s(key, self._clock())))
            else:
                doubt.settle(self._failed(gate, slot, verdict.account))

        is_taken = self._proofs.ask(
            key[0],
            digest,
            is_right=verdict.is_right,
            is_wanted=lambda: not self._guesses.wait_s(key, self._clock()),
            told=told,
        )
        if not is_taken:
            raise too_many_checks()
        slot.doubt = doubt

    def _signed(self, is_right: bool, slot: Slot, doubt: Doubt, unsigned: Unsigned) -> None:
        now_s = self._now_us() // 1_000_000
        signature = unsigned.signature
        if is_right and self._nonces.use(signature, now_s=now_s, window_s=unsigned.window_s):
            slot.who = unsigned.account
            doubt.settle(None)
        else:
            doubt.settle(self._failed(doubt.gate, slot, unsigned.account))

    def _fault(self, failure: Failure, doubt: Doubt) -> None:
        log.failure("a signature could not be checked", failure)
        doubt.settle(internal_error())

    def _remember(self, digest: bytes, who: str) -> None:
        self._verified[digest] = who
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)

    def _failed(self, gate: Gate, slot: Slot, account: str) -> SenderError:
        """Count a failure where credentials were shown; return what the sender is told."""
        peer, now = slot.connection.peer, self._clock()
        if not account:
            self._tell_certificate(gate, slot, now)
            return gate.refusal()
        key = (place_of(peer), account)
        self._counters.count("gateway.wrong_credentials")
        wait_s = self._guesses.note(key, self._guess(slot), now)
        if self._is_news(key, now):
            log.warn(
                "{peer} shows wrong credentials as {account!r}{waiting}",
                peer=peer,
                account=account[:100],
                waiting=f" and has to wait {math.ceil(wait_s)} s now" if wait_s else "",
            )
        return self._hold_up(wait_s) if wait_s else gate.refusal()

    def _tell_certificate(self, gate: Gate, slot: Slot, now: float) -> None:
        """The sender is not told what was wrong; the operator is."""
        peer, shown = slot.connection.peer, slot.connection.client_certificate
        if shown is not None and gate.looks_at_certificates and self._is_news((place_of(peer), shown.subject), now):
            log.warn(
                "{peer} shows a good certificate of {subject!r} (SHA-256 {fingerprint}), which no <client-certificate> "
                "of the configuration lets in: name it there, if it should be",
                peer=peer,
                subject=shown.subject[:200],
                fingerprint=shown.fingerprint,
            )

    def _is_news(self, key: Key, now: float) -> bool:
        """Whether nothing has been said of it for a while; it counts as said now."""
        if self._quiet.get(key, 0.0) > now:
            return False
        if len(self._quiet) >= MAX_QUIET:
            self._quiet.clear()
        self._quiet[key] = now + QUIET_S
        return True

    def _guess(self, slot: Slot) -> bytes:
        """What stands for the credentials shown, whichever service they were shown to."""
        return self._digest(slot.head.authorization if slot.head is not None else b"")

    def _hold_up(self, wait_s: float) -> SenderError:
        return too_many_failures(max(1, math.ceil(wait_s)))
