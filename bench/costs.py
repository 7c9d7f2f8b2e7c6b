"""The rows about what a connection and a start cost: a handshake's CPU, a resting connection's memory, the time to the
first 202.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import attrs

from bench import peers
from bench.clients import first_answer_s, hold_open
from bench.home import Home, compile_ours, make_certificate
from bench.load import Load
from bench.peers import Missing
from bench.procs import rss_bytes
from bench.rounds import Bench, Row, Wanted, alternate, sender


def handshaking(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """CPU of a TLS handshake: a connection for each request, less what a request costs on an open connection.

    wrk takes up its session again each time, so all but the first are resumed.
    """
    row = Row(
        key="handshake", what="resumed TLS 1.3 handshake, CPU", against="nginx", target=1.3, at_most=True, unit="us"
    )
    if not wanted(row.key):
        return
    certificate = make_certificate(bench.folder)
    open_load = Load(seconds=max(1, bench.plan.seconds // 2), connections=8, is_tls=True)
    load = attrs.evolve(open_load, closes=True)
    with ExitStack() as running:
        try:
            nginx = running.enter_context(peers.nginx(bench.folder / row.key, certificate))
        except Missing as missing:
            yield row.without(missing)
            return
        ours = running.enter_context(bench.ours("handshakes", certificate=certificate))
        found = alternate(
            bench,
            {
                "ours, open": lambda: ours.take(open_load),
                "ours": lambda: ours.take(load),
                "nginx, open": sender(nginx, open_load),
                "nginx": sender(nginx, load),
            },
        )
    costs = {
        name: [one.cpu_us - rest.cpu_us for one, rest in zip(found[name], found[f"{name}, open"], strict=True)]
        for name in ("ours", "nginx")
    }
    yield row.of(costs["ours"], costs["nginx"])


def resting(bench: Bench, wanted: Wanted) -> Iterator[Row]:
    """Memory of a TLS connection that has sent one event and rests."""
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
                with hold_open(program.port, 50, certificate, authorization):
                    pass  # so that what is loaded once is loaded
                before = rss_bytes(program.pids)
                with hold_open(program.port, bench.plan.idle_connections, certificate, authorization):
                    each = (rss_bytes(program.pids) - before) / bench.plan.idle_connections / 1024
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
