"""The same service as one would write it first: a resource of twisted.web, lxml, and the same SQLite store.

    python -m bench.peers.twisted_sqlite PORT FOLDER

No authentication, no limits of its own, no log: what it leaves out is in its favour.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from lxml import etree
from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.web.resource import Resource  # noqa: E402
from twisted.web.server import NOT_DONE_YET, Request, Site  # noqa: E402

from agent.config.model import SpoolLimits  # noqa: E402
from agent.errors import SenderError  # noqa: E402
from agent.event import BodyKind, Event  # noqa: E402
from agent.event.ids import EventIds  # noqa: E402
from agent.observe import CounterStore  # noqa: E402
from agent.spool import SqliteSpool  # noqa: E402


def now_us() -> int:
    return time.time_ns() // 1000


class Answering:
    """Answers one request when its event is stored."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def stored(self, event_id: str) -> None:
        self._answer(202, {"requestId": event_id})

    def refused(self, error: SenderError) -> None:
        self._answer(error.status, {"detail": error.sentence})

    def _answer(self, status: int, fields: dict[str, str]) -> None:
        self._request.setResponseCode(status)
        self._request.setHeader(b"content-type", b"application/json")
        self._request.write(json.dumps(fields).encode("ascii"))
        self._request.finish()


class Events(Resource):
    """POST of an event."""

    isLeaf = True

    def __init__(self, spool: SqliteSpool) -> None:
        super().__init__()
        self._spool = spool
        self._new_id = EventIds(now_us=now_us, randbytes=secrets.token_bytes)
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True)

    def render_POST(self, request: Request) -> Any:
        body = request.content.read()
        try:
            etree.fromstring(body, self._parser)
        except etree.XMLSyntaxError as error:
            request.setResponseCode(400)
            return str(error).encode("utf-8")
        event = Event(
            id=self._new_id(),
            service="applications|bench",
            received_us=now_us(),
            peer=request.getClientAddress().host,
            kind=BodyKind.XML,
            body=body,
        )
        self._spool.offer(event, Answering(request))
        return NOT_DONE_YET


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    spool = SqliteSpool(
        folder=folder / "spool",
        reactor=reactor,
        now_us=now_us,
        counters=CounterStore(),
        limits=SpoolLimits(max_events=0, max_service_events=0),
    )

    async def start() -> None:
        await spool.start()
        reactor.listenTCP(port, Site(Events(spool)), backlog=1024, interface="127.0.0.1")

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(start()))
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(spool.stop(5.0)))
    reactor.run()


if __name__ == "__main__":
    main()
