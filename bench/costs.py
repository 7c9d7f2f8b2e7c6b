"""The rows about what a connection and a start cost: a handshake's CPU, a resting connection's memory, the time to the
first 202.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Final

import attrs

from bench import peers
from bench.clients import first_answer_s, hold_open
from bench.home import Home, compile_ours, make_certificate
from bench.load import Load, Taken, send
from bench.peers import Missing
from bench.procs import rss_bytes
from bench.rounds import Bench, Row, Wanted, alternate

ANSWER_MS: Final = 1.5
"""Of a commit of its own, with what else there is."""


@attrs.define(kw_only=True)
class _Pair:
    """Requests to one program, each on a connection of its own, and as many in a second on connections that stay open.

    At a quicker pace more events would share a commit, and what a commit costs would be taken for a part of the
    handshake; and an idle processor takes longer for everything.
    """

    take: Callable[[Load], Taken]
    load: Load
    rate: float = 0.0

    def anew(self) -> Taken:
        taken = self.take(attrs.evolve(self.load, closes=True, resumes=False))
        self.rate = taken.rate
        return taken

    def open(self) -> Taken:
        pause_ms = max(0.0, 1000 * self.load.connections / self.rate - ANSWER_MS)
        return self.take(attrs.evolve(self.load, pause_ms=pause_ms))


def handshaking(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """CPU of a full TLS handshake: a connection for each request, less what a request costs on an open connection."""
    row = Row(key="handshake", what="full TLS 1.3 handshake, CPU", against="nginx", target=1.3, at_most=True, unit="us")
    if not wanted(row.key):
        return
    certificate = make_certificate(bench.folder)
    load = Load(seconds=max(1, bench.plan.seconds // 2), connections=8, is_tls=True)
    with ExitStack() as running:
        try:
            nginx = running.enter_context(peers.nginx(bench.folder / row.key, certificate))
        except Missing as missing:
            yield row.without(missing)
            return
        agent = running.enter_context(bench.ours("handshakes", certificate=certificate))
        ours, theirs = _Pair(take=agent.take, load=load), _Pair(take=partial(send, nginx), load=load)
        found = alternate(
            bench,
            # With each of the two, the first is measured before the second.
            {"ours": ours.anew, "ours, open": ours.open, "nginx": theirs.anew, "nginx, open": theirs.open},
        )
    costs = {
        name: [one.cpu_us - rest.cpu_us for one, rest in zip(found[name], found[f"{name}, open"], strict=True)]
        for name in ("ours", "nginx")
    }
    yield row.of(costs["ours"], costs["nginx"])


def resting(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """Memory of a TLS connection that has sent one event and rests: what so many more take beside half as many.

    The first some hundred fill what the start has left free of the heap: how much that is says nothing of a connection.
    """
    row = Row(
        key="memory",
        what="memory of an idle TLS keep-alive connection",
        against="nginx",
        target=1.5,
        at_most=True,
        unit="KiB",
    )
    if not wanted(row.key):
        return
    certificate = make_certificate(bench.folder)
    found: dict[str, list[float]] = {"ours": [], "nginx": []}
    for number in range(min(3, bench.plan.rounds)):
        with ExitStack() as running:
            try:
                nginx = running.enter_context(peers.nginx(bench.folder / f"{row.key}{number}", certificate))
            except Missing as missing:
                yield row.without(missing)
                return
            ours = running.enter_context(bench.ours(f"idle{number}", certificate=certificate))
            for name, program, authorization in (
                ("ours", ours.program, ours.home.authorization),
                ("nginx", nginx, ""),
            ):
                count = bench.plan.idle_connections
                with hold_open(program.port, count // 2, certificate, authorization):
                    before = rss_bytes(program.pids)
                    with hold_open(program.port, count, certificate, authorization):
                        each = (rss_bytes(program.pids) - before) / count / 1024
                bench.say(f"{name}: {each:.1f} KiB for each of {bench.plan.idle_connections} connections")
                found[name].append(each)
    yield row.of(found["ours"], found["nginx"])


def starting(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """From the start of the program to its first 202."""
    row = Row(key="start", what="start to first 202", against="Node-RED", target=0.3, at_most=True, unit="s")
    if not wanted(row.key):
        return
    found: dict[str, list[float]] = {"ours": [], "Node-RED": []}
    compile_ours()
    for number in range(bench.plan.rounds):
        home = Home(bench.folder / f"start{number}")
        try:
            theirs = peers.node_red(bench.folder / f"start-red{number}")
        except Missing as missing:
            yield row.without(missing)
            return
        for name, program, authorization in (("ours", home.program(), home.authorization), ("Node-RED", theirs, "")):
            taken_s = first_answer_s(program, authorization)
            bench.say(f"{name}: {taken_s:.2f} s from the start to the first 202")
            found[name].append(taken_s)
    yield row.of(found["ours"], found["Node-RED"])
