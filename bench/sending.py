"""`python -m bench.sending`: the CPU that a request to an HTTP destination costs, by the real sender to a local nginx.

The queue before it, the store and everything else of the agent are left out.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.config.outbound import ClientTls
from agent.delivery import OutboundRequest
from agent.upstream.http import HttpSender
from agent.upstream.trust import system_context
from bench import peers
from bench.home import make_certificate

CONNECTIONS: Final = 4
WARM_UP: Final = 50
BODY: Final = b'{"rest": "' + b"." * 238 + b'"}'


def main() -> int:
    """Measure over http and over https, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m bench.sending", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="requests of each kind (default 10000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.") as name:
        folder = Path(name)
        try:
            plain = peers.nginx(folder / "plain")
            secure = peers.nginx(folder / "secure", make_certificate(folder))
        except peers.Missing as missing:
            print(f"{missing} is not installed", file=sys.stderr)
            return 69
        with plain, secure:
            urls = (f"http://127.0.0.1:{plain.port}/sink", f"https://127.0.0.1:{secure.port}/sink")
            return _measure(urls, given.count)


def _measure(urls: tuple[str, ...], count: int) -> int:
    reactor = EPollReactor()  # type: ignore[no-untyped-call]
    installReactor(reactor)
    faults: list[object] = []

    async def run() -> None:
        for url in urls:
            spent_us = await _cost_us(reactor, url, count)
            print(f"{url.partition(':')[0]:5} {spent_us:6.1f} us of CPU for each request", flush=True)

    def start() -> None:
        Deferred.fromCoroutine(run()).addErrback(faults.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


async def _cost_us(reactor: EPollReactor, url: str, count: int) -> float:
    context = system_context(with_system=False)
    destination = HttpDestination(name="sink", url=url, concurrency=CONNECTIONS, tls=ClientTls(ignore_errors=True))
    sender = HttpSender(
        destination=destination,
        reactor=reactor,
        now_us=lambda: time.time_ns() // 1000,
        context=lambda: succeed(context),
    )

    async def send(first: int) -> None:
        for number in range(first, first + each):
            answer = await sender.send(_request(number), 1)
            if answer.status != 202:
                raise RuntimeError(f"the sink answered {answer.status}")

    each = WARM_UP
    await gatherResults([Deferred.fromCoroutine(send(0)) for _ in range(CONNECTIONS)])
    each = max(1, count // CONNECTIONS)
    begun_s = _cpu_s()
    await gatherResults([Deferred.fromCoroutine(send(first * each)) for first in range(CONNECTIONS)])
    spent_s = _cpu_s() - begun_s
    await sender.close()
    return spent_s / (each * CONNECTIONS) * 1e6


def _request(number: int) -> StoredRequest:
    return StoredRequest(
        seq=number,
        id=f"019dd2b4-7c1e-7a39-b3b1-{number:012d}/1",
        event_seq=number,
        service="applications|bench",
        group="",
        request=OutboundRequest(destination="sink", body=BODY, content_type="application/json"),
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
