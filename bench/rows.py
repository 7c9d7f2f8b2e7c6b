"""The rows of the table: what is measured, against whom, and what was aimed at.

Each round measures all contenders one after the other, so that a machine that is busy with something else is so for
all of them. What counts is the ratio within a round; the median of the rounds is shown, and the least and greatest.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from bench import peers
from bench.clients import answered_by_nginx, first_answer_s, hold_open
from bench.home import Certificate, Home, compile_ours, make_certificate
from bench.load import Load, NotMeasured, Taken, send
from bench.peers import Missing
from bench.procs import Program, cpu_s, rss_bytes

CONNECTIONS: Final = 64
IDLE_CONNECTIONS: Final = 2000

Say = Callable[[str], None]


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


def accepting(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """Durable accepts over HTTP."""
    rivals: tuple[tuple[str, Callable[[Path], Program], str, float], ...] = (
        ("node-red", peers.node_red, "Node-RED http-in (no XML, no disk)", 4.0),
        ("twisted-web", peers.twisted_web, "twisted.web + the same SQLite store", 4.0),
        ("uvicorn", peers.uvicorn, "uvicorn, httptools, uvloop (no XML, no disk)", 0.9),
    )
    what = "durable accept, HTTP"
    load = Load(seconds=bench.plan.seconds, connections=CONNECTIONS)
    with ExitStack() as running:
        contenders: dict[str, Callable[[], Taken]] = {}
        chosen = [rival for rival in rivals if wanted(rival[0])]
        if not chosen:
            return
        for key, make, against, target in chosen:
            try:
                program = running.enter_context(make(bench.folder / key))
            except Missing as missing:
                yield Row(key=key, what=what, against=against, target=target, left_out=f"{missing} is not installed")
            else:
                contenders[key] = _sender(program, load)
        if not contenders:
            return
        ours = running.enter_context(bench.ours("http"))
        found = alternate(bench, {"ours": lambda: ours.take(load), **contenders})
    for key, _make, against, target in chosen:
        if key in found:
            yield _rates(key, what, against, target, found["ours"], found[key])


def accepting_tls(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """Durable accepts over TLS 1.3: rate against uvicorn, CPU against nginx."""
    rows = {
        "uvicorn-tls": ("durable accept, TLS 1.3", "uvicorn with TLS (no XML, no disk)", 1.0),
        "nginx-tls": ("durable accept, TLS 1.3, events per CPU second", "nginx answering 202 over TLS", 0.3),
    }
    makers = {"uvicorn-tls": peers.uvicorn, "nginx-tls": peers.nginx}
    load = Load(seconds=bench.plan.seconds, connections=CONNECTIONS, is_tls=True)
    chosen = [key for key in rows if wanted(key)]
    if not chosen:
        return
    certificate = make_certificate(bench.folder)
    with ExitStack() as running:
        contenders: dict[str, Callable[[], Taken]] = {}
        for key in chosen:
            what, against, target = rows[key]
            try:
                program = running.enter_context(makers[key](bench.folder / key, certificate))
            except Missing as missing:
                yield Row(key=key, what=what, against=against, target=target, left_out=f"{missing} is not installed")
            else:
                contenders[key] = _sender(program, load)
        if not contenders:
            return
        ours = running.enter_context(bench.ours("https", certificate=certificate))
        found = alternate(bench, {"ours": lambda: ours.take(load), **contenders})
    if "uvicorn-tls" in found:
        yield _rates("uvicorn-tls", *rows["uvicorn-tls"], found["ours"], found["uvicorn-tls"])
    if "nginx-tls" in found:
        yield _figures(
            "nginx-tls",
            *rows["nginx-tls"],
            unit="/CPU s",
            ours=[1e6 / one.cpu_us for one in found["ours"]],
            theirs=[1e6 / one.cpu_us for one in found["nginx-tls"]],
        )


def handshaking(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """CPU of a full TLS handshake: a connection for each request, less what a request costs on an open connection."""
    key, what, against, target = "handshake", "full TLS 1.3 handshake, CPU", "nginx", 1.3
    if not wanted(key):
        return
    certificate = make_certificate(bench.folder)
    open_load = Load(seconds=max(1, bench.plan.seconds // 2), connections=8, is_tls=True)
    load = attrs.evolve(open_load, closes=True)
    with ExitStack() as running:
        try:
            nginx = running.enter_context(peers.nginx(bench.folder / key, certificate))
        except Missing as missing:
            yield Row(
                key=key, what=what, against=against, target=target, at_most=True, left_out=f"{missing} is not installed"
            )
            return
        ours = running.enter_context(bench.ours("handshakes", certificate=certificate))
        found = alternate(
            bench,
            {
                "ours, open": lambda: ours.take(open_load),
                "ours": lambda: ours.take(load),
                "nginx, open": _sender(nginx, open_load),
                "nginx": _sender(nginx, load),
            },
        )
    costs = {
        name: [one.cpu_us - rest.cpu_us for one, rest in zip(found[name], found[f"{name}, open"], strict=True)]
        for name in ("ours", "nginx")
    }
    yield _figures(key, what, against, target, unit="us", at_most=True, ours=costs["ours"], theirs=costs["nginx"])


def resting(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """Memory of a TLS connection that has sent one event and rests."""
    key, what, against, target = "memory", "memory of an idle TLS keep-alive connection", "nginx", 1.5
    if not wanted(key):
        return
    certificate = make_certificate(bench.folder)
    found: dict[str, list[float]] = {"ours": [], "nginx": []}
    for number in range(min(3, bench.plan.rounds)):
        with ExitStack() as running:
            try:
                nginx = running.enter_context(peers.nginx(bench.folder / f"{key}{number}", certificate))
            except Missing as missing:
                yield Row(
                    key=key, what=what, against=against, target=target, at_most=True, left_out=f"no {missing} here"
                )
                return
            ours = running.enter_context(bench.ours(f"idle{number}", certificate=certificate))
            for name, program, authorization in (
                ("ours", ours.program, ours.home.authorization),
                ("nginx", nginx, ""),
            ):
                with hold_open(program.port, 50, certificate, authorization):
                    pass  # so that what is loaded once is loaded
                before = rss_bytes(program.pids)
                with hold_open(program.port, bench.plan.idle_connections, certificate, authorization):
                    each = (rss_bytes(program.pids) - before) / bench.plan.idle_connections / 1024
                bench.say(f"{name}: {each:.1f} KiB for each of {bench.plan.idle_connections} connections")
                found[name].append(each)
    yield _figures(key, what, against, target, unit="KiB", at_most=True, ours=found["ours"], theirs=found["nginx"])


def starting(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """From the start of the program to its first 202."""
    key, what, against, target = "start", "start to first 202", "Node-RED", 0.3
    if not wanted(key):
        return
    found: dict[str, list[float]] = {"ours": [], "Node-RED": []}
    compile_ours()
    for number in range(bench.plan.rounds):
        home = Home(bench.folder / f"start{number}")
        try:
            theirs = peers.node_red(bench.folder / f"start-red{number}")
        except Missing as missing:
            yield Row(
                key=key, what=what, against=against, target=target, at_most=True, left_out=f"{missing} is not installed"
            )
            return
        for name, program, authorization in (("ours", home.program(), home.authorization), ("Node-RED", theirs, "")):
            taken_s = first_answer_s(program, authorization)
            bench.say(f"{name}: {taken_s:.2f} s from the start to the first 202")
            found[name].append(taken_s)
    yield _figures(key, what, against, target, unit="s", at_most=True, ours=found["ours"], theirs=found["Node-RED"])


def going_on(bench: Bench, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """Accepting while a service works and its requests are delivered, against accepting alone."""
    key, what, against, target = "end-to-end", "accepting while services and deliveries run", "accepting alone", 0.5
    if not wanted(key):
        return
    load = Load(seconds=bench.plan.seconds, connections=CONNECTIONS)
    at_half: list[Taken] = []
    with ExitStack() as running:
        try:
            sink = running.enter_context(peers.nginx(bench.folder / "sink"))
        except Missing as missing:
            yield Row(key=key, what=what, against=against, target=target, left_out=f"{missing} is not installed")
            return
        alone = running.enter_context(bench.ours("alone"))
        busy = running.enter_context(bench.ours("busy", sink_port=sink.port))

        def take_alone() -> Taken:
            # What has come in is still being worked off, for minutes: that must not count as accepting alone.
            with busy.program.standing_still():
                return alone.take(load)

        found = alternate(bench, {"busy": lambda: busy.take(load), "alone": take_alone})
        half = statistics.median(one.rate for one in found["busy"]) / 2
        for _ in range(bench.plan.rounds):
            paced = busy.take(attrs.evolve(load, pause_ms=max(1.0, 1000 * CONNECTIONS / half)))
            bench.say(f"at half load: {paced.rate:,.0f}/s, p99 {paced.p99_ms:.1f} ms, {paced.worked_off:,.0f}/s sent")
            at_half.append(paced)
        left = _work_off(bench, busy)
    latencies = [one.p99_ms for one in at_half]
    yield attrs.evolve(
        _rates(key, what, against, target, found["busy"], found["alone"]),
        facts={
            "accepted/s alone": statistics.median(one.rate for one in found["alone"]),
            "accepted/s at work": statistics.median(one.rate for one in found["busy"]),
            "sent/s meanwhile": statistics.median(one.worked_off for one in found["busy"]),
            "sent/s at half load": statistics.median(one.worked_off for one in at_half),
            "p99 ms at half load": statistics.median(latencies),
            **left,
        },
    )
    yield _figures(
        "half-load",
        "p99 of accepts at half load, services and deliveries running",
        "50 ms",
        1.0,
        unit="ms",
        at_most=True,
        ours=latencies,
        theirs=[50.0] * len(latencies),
    )


ROWS: Final[Mapping[str, Callable[[Bench, Callable[[str], bool]], Iterator[Row]]]] = MappingProxyType(
    {
        "node-red twisted-web uvicorn": accepting,
        "uvicorn-tls nginx-tls": accepting_tls,
        "handshake": handshaking,
        "memory": resting,
        "start": starting,
        "end-to-end half-load": going_on,
    }
)
"""Keys of the rows, and what measures them."""


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


def _work_off(bench: Bench, busy: Ours) -> dict[str, float]:
    """What is left is worked off when nothing more comes in: how many a second, and at what CPU time of the agent."""
    waiting = busy.home.stored() - busy.home.delivered()
    watch, used_s, begun_s = busy.watch(), cpu_s(busy.program.pids), time.monotonic()
    time.sleep(min(5, bench.plan.seconds))
    rate, used_s, taken_s = watch(), cpu_s(busy.program.pids) - used_s, time.monotonic() - begun_s
    if rate * taken_s >= waiting:
        bench.say(f"nothing more coming in: the last {waiting:,} were worked off at once")
        return {}
    cost = used_s / taken_s / rate * 1e6
    bench.say(f"nothing more coming in: {rate:,.0f}/s sent, {cost:,.0f} us CPU each")
    return {"sent/s afterwards": rate, "CPU us of each": cost}


def _sender(program: Program, load: Load) -> Callable[[], Taken]:
    return lambda: send(program, load)


def _rates(key: str, what: str, against: str, target: float, ours: Sequence[Taken], theirs: Sequence[Taken]) -> Row:
    row = _figures(
        key, what, against, target, unit="/s", ours=[one.rate for one in ours], theirs=[one.rate for one in theirs]
    )
    facts = {
        "our CPU us": statistics.median(one.cpu_us for one in ours),
        "their CPU us": statistics.median(one.cpu_us for one in theirs),
        "our p99 ms": statistics.median(one.p99_ms for one in ours),
        "their p99 ms": statistics.median(one.p99_ms for one in theirs),
    }
    return attrs.evolve(row, facts=facts)


def _figures(
    key: str,
    what: str,
    against: str,
    target: float,
    *,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    at_most: bool = False,
) -> Row:
    return Row(
        key=key,
        what=what,
        against=against,
        target=target,
        at_most=at_most,
        unit=unit,
        ours=ours,
        theirs=theirs,
        ratios=[mine / other for mine, other in zip(ours, theirs, strict=True)],
    )
