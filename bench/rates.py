"""The rows about events a second: over HTTP, over TLS, and while what came in is worked off."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from bench import peers
from bench.home import Certificate, make_certificate
from bench.load import Load, Taken
from bench.peers import Missing
from bench.procs import Program, cpu_s
from bench.rounds import CONNECTIONS, Bench, Ours, Row, Wanted, alternate, sender


def accepting(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """Durable accepts over HTTP."""
    rivals: tuple[tuple[str, Callable[[Path], Program], str, float], ...] = (
        ("node-red", peers.node_red, "Node-RED http-in (no XML, no disk)", 4.0),
        ("twisted-web", peers.twisted_web, "twisted.web + the same SQLite store", 4.0),
        ("uvicorn", peers.uvicorn, "uvicorn, httptools, uvloop (no XML, no disk)", 0.9),
    )
    chosen = [
        (Row(key=key, what="durable accept, HTTP", against=against, target=target, unit="/s"), make)
        for key, make, against, target in rivals
        if wanted(key)
    ]
    found = yield from _compete(bench, chosen, None)
    for row, _ in chosen:
        if row.key in found:
            yield row.of_rates(found["ours"], found[row.key])


def accepting_tls(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """Durable accepts over TLS 1.3: rate against uvicorn, CPU against nginx."""
    uvicorn = Row(
        key="uvicorn-tls",
        what="durable accept, TLS 1.3",
        against="uvicorn with TLS (no XML, no disk)",
        target=1.0,
        unit="/s",
    )
    nginx = Row(
        key="nginx-tls",
        what="durable accept, TLS 1.3, events per CPU second",
        against="nginx answering 202 over TLS",
        target=0.3,
        unit="/CPU s",
    )
    if not (wanted(uvicorn.key) or wanted(nginx.key)):
        return
    certificate = make_certificate(bench.folder)
    rivals: tuple[tuple[Row, Callable[[Path], Program]], ...] = (
        (uvicorn, lambda folder: peers.uvicorn(folder, certificate)),
        (nginx, lambda folder: peers.nginx(folder, certificate)),
    )
    found = yield from _compete(bench, [(row, make) for row, make in rivals if wanted(row.key)], certificate)
    if uvicorn.key in found:
        yield uvicorn.of_rates(found["ours"], found[uvicorn.key])
    if nginx.key in found:
        yield nginx.of([1e6 / one.cpu_us for one in found["ours"]], [1e6 / one.cpu_us for one in found[nginx.key]])


def going_on(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """Accepting while a service works and its requests are delivered, against accepting alone."""
    row = Row(
        key="end-to-end",
        what="accepting while services and deliveries run",
        against="accepting alone",
        target=0.5,
        unit="/s",
    )
    if not wanted(row.key):
        return
    load = Load(seconds=bench.plan.seconds, connections=CONNECTIONS)
    at_half: list[Taken] = []
    with ExitStack() as running:
        try:
            sink = running.enter_context(peers.nginx(bench.folder / "sink"))
        except Missing as missing:
            yield row.without(missing)
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
        row.of_rates(found["busy"], found["alone"]),
        facts={
            "accepted/s alone": statistics.median(one.rate for one in found["alone"]),
            "accepted/s at work": statistics.median(one.rate for one in found["busy"]),
            "sent/s meanwhile": statistics.median(one.worked_off for one in found["busy"]),
            "sent/s at half load": statistics.median(one.worked_off for one in at_half),
            "p99 ms at half load": statistics.median(latencies),
            **left,
        },
    )
    half_load = Row(
        key="half-load",
        what="p99 of accepts at half load, services and deliveries running",
        against="50 ms",
        target=1.0,
        at_most=True,
        unit="ms",
    )
    yield half_load.of(latencies, [50.0] * len(latencies))


def _compete(
    bench: Bench, rivals: Sequence[tuple[Row, Callable[[Path], Program]]], certificate: Certificate | None
) -> Generator[Row, None, Mapping[str, list[Taken]]]:
    """Measure ours and those of the rivals that are installed, by their keys; yield the rows of the others."""
    load = Load(seconds=bench.plan.seconds, connections=CONNECTIONS, is_tls=certificate is not None)
    with ExitStack() as running:
        contenders: dict[str, Callable[[], Taken]] = {}
        for row, make in rivals:
            try:
                program = running.enter_context(make(bench.folder / row.key))
            except Missing as missing:
                yield row.without(missing)
            else:
                contenders[row.key] = sender(program, load)
        if not contenders:
            return {}
        ours = running.enter_context(bench.ours("http" if certificate is None else "https", certificate=certificate))
        return alternate(bench, {"ours": lambda: ours.take(load), **contenders})


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
