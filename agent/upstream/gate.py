"""Whether a destination may be asked now, for its queue and its questions alike: circuit breaker and rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from agent.config.model import Destination, HttpDestination
from agent.errors import DestinationError
from agent.upstream.circuit import Circuit, CircuitState, Rate

log = Logger(namespace="upstream")


class Gate:
    """Of one destination. `is_careful`: begin with one request at a time, as after an outage."""

    def __init__(
        self,
        destination: Destination,
        *,
        reactor: IReactorTime,
        jitter: Callable[[], float],
        concurrency: int,
        is_careful: bool = False,
    ) -> None:
        http = destination if isinstance(destination, HttpDestination) else None
        self._name: Final = destination.name
        self._reactor = reactor
        self._circuit = Circuit(
            failures=http.circuit_failures if http else 0,
            concurrency=concurrency,
            policy=destination.retry,
            jitter=jitter,
            is_careful=is_careful and http is not None,
        )
        self._rate = Rate(size=http.exchange_size if http else 0, interval_s=http.exchange_interval_s if http else 0.0)
        self.last_error = ""
        """The sentence of the failure that was judged last; kept also when a latecomer succeeds."""

    @property
    def state(self) -> CircuitState:
        """Of the circuit breaker."""
        return self._circuit.state

    def lets_through(self, in_hand: int) -> bool:
        """Whether the queue may begin one more request beside those in hand."""
        now_s = self._reactor.seconds()
        return self._rate.next_s(now_s) <= now_s and self._circuit.may_begin(now_s, in_hand)

    def refusal(self, in_hand: int) -> DestinationError | None:
        """Why a question may not be asked now; None where it may. `in_hand` counts the queue's and other questions."""
        now_s = self._reactor.seconds()
        if not self._circuit.may_ask(now_s, in_hand):
            left_s = self._circuit.until_s - now_s
            when = f"for {left_s:.0f} s more" if left_s >= 1 else "until the request that just asks it is answered"
            return DestinationError(
                "circuit-open",
                f"{self._name} does not work and is left alone {when}: {self.last_error}",
                after_s=left_s,
            )
        wait_s = self._rate.next_s(now_s) - now_s
        if wait_s > 0:
            return DestinationError(
                "rate-reached",
                f"{self._name} takes no more for {wait_s:.1f} s: its apxml-exchange allows {self._rate.shown}",
                after_s=wait_s,
            )
        return None

    def waits_for(self, now_s: float) -> tuple[float, float]:
        """Times on the reactor's clock before which nothing is let through; those up to `now_s` have passed."""
        return self._rate.next_s(now_s), self._circuit.until_s

    def began(self) -> None:
        """A request or a question is sent."""
        self._rate.began(self._reactor.seconds())

    def judge(self, error: DestinationError | None) -> None:
        """What came of it: None is success. What changes is told in the log."""
        circuit = self._circuit
        before = circuit.state
        if error is None:
            circuit.answered()
        else:
            self.last_error = error.sentence
            circuit.failed(error, self._reactor.seconds())
        if circuit.state is CircuitState.OPEN and before is CircuitState.CLOSED:
            log.warn(
                "{name}: nothing is sent for {pause_s} s, then one request asks again: {reason}",
                name=self._name,
                pause_s=max(1, round(circuit.until_s - self._reactor.seconds())),
                reason=self.last_error,
            )
        elif circuit.state is CircuitState.CLOSED and before is not CircuitState.CLOSED:
            log.info("{name}: answers again, what has waited is sent step by step", name=self._name)
