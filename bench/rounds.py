"""How ours and theirs are compared: in rounds, by the ratio within each.

Each round measures all contenders one after the other, so that a machine that is busy with something else is so for
all of them. What counts is the ratio within a round; the median of the rounds is shown, and the least and greatest.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import attrs

from bench.clients import answered_by_nginx
from bench.home import Certificate, Home
from bench.load import Load, NotMeasured, Taken, send
from bench.peers import Missing
from bench.procs import Program

CONNECTIONS: Final = 64
IDLE_CONNECTIONS: Final = 2000

Say = Callable[[str], None]
Wanted = Callable[[str], bool]
"""Whether the row of a key is asked for."""


@attrs.frozen(kw_only=True)
class Plan:
    """How long and how often."""

    rounds: int = 5
    seconds: int = 3
    """wrk knows whole seconds only."""
    idle_connections: int = IDLE_CONNECTIONS


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table. `ratios` are those of the rounds, ours over theirs; `at_most`: whether less is better."""

    key: str
    what: str
    against: str
    target: float
    at_most: bool = False
    unit: str = ""
    ours: Sequence[float] = ()
    theirs: Sequence[float] = ()
    ratios: Sequence[float] = ()
    left_out: str = ""
    """Why there is no figure."""
    facts: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        return bool(self.ratios) and (self.ratio <= self.target if self.at_most else self.ratio >= self.target)

    def without(self, missing: Missing) -> Self:
        """There is no figure: a program is not here."""
        return attrs.evolve(self, left_out=f"{missing} is not installed")

    def of(self, ours: Sequence[float], theirs: Sequence[float]) -> Self:
        """With the figures of the rounds."""
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        return attrs.evolve(self, ours=ours, theirs=theirs, ratios=ratios)

    def of_rates(self, ours: Sequence[Taken], theirs: Sequence[Taken]) -> Self:
        """With what was taken in a second, and at what price."""
        facts = {
            "our CPU us": statistics.median(one.cpu_us for one in ours),
            "their CPU us": statistics.median(one.cpu_us for one in theirs),
            "our p99 ms": statistics.median(one.p99_ms for one in ours),
            "their p99 ms": statistics.median(one.p99_ms for one in theirs),
        }
        return attrs.evolve(self.of([one.rate for one in ours], [one.rate for one in theirs]), facts=facts)


@attrs.frozen(kw_only=True)
class Bench:
    """Where it is measured. `folder` is empty at first; `say` tells what is going on."""

    folder: Path
    plan: Plan
    say: Say

    @contextmanager
    def ours(
        self, name: str, *, certificate: Certificate | None = None, sink_port: int | None = None
    ) -> Iterator[Ours]:
        home = Home(self.folder / name, certificate=certificate, sink_port=sink_port)
        with home.program() as program:
            yield Ours(home=home, program=program, is_tls=certificate is not None, sink_port=sink_port)


@attrs.frozen(kw_only=True)
class Ours:
    """Our running agent."""

    home: Home
    program: Program
    is_tls: bool
    sink_port: int | None = None
    """Of the nginx to which the services send."""

    def take(self, load: Load) -> Taken:
        """Send, and hold what was answered against what is stored."""
        before, watch = self._settled(), self.watch()
        taken = attrs.evolve(send(self.program, load, authorization=self.home.authorization), worked_off=watch())
        stored = self._settled() - before
        # At the end wrk leaves a request on each connection to itself.
        if not taken.good <= stored <= taken.good + load.connections:
            raise NotMeasured(f"{taken.good} events were answered with 202, and {stored} are in the spool")
        return taken

    def watch(self) -> Callable[[], float]:
        """Begin to count what reaches the sink; what is returned tells how many a second it was."""
        port = self.sink_port
        if port is None:
            return lambda: 0.0
        before, begun_s = answered_by_nginx(port), time.monotonic()
        # The second question is a request, too.
        return lambda: (answered_by_nginx(port) - before - 1) / (time.monotonic() - begun_s)

    def _settled(self) -> int:
        """Events in the spool, once those are there that were still under way."""
        count = -1
        while count != (count := self.home.stored()):
            time.sleep(0.2)
        return count


def alternate(bench: Bench, contenders: Mapping[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """Measure all contenders in each round, each round beginning with another. The first round only warms up."""
    found: dict[str, list[Taken]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(bench.plan.rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken = contenders[name]()
            word = f"round {number}" if number else "warm-up"
            sent = f", {taken.worked_off:,.0f}/s sent" if taken.worked_off else ""
            cost = f"{taken.cpu_us:.1f} us CPU each, p99 {taken.p99_ms:.1f} ms"
            bench.say(f"{word}: {name}: {taken.rate:,.0f}/s, {cost}{sent}")
            if number:
                found[name].append(taken)
    return found


def sender(program: Program, load: Load) -> Callable[[], Taken]:
    """A contender that does nothing but answer."""
    return lambda: send(program, load)
