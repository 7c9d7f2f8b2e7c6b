"""agent.sdk.context: what a hook may send and say, and what is refused before it could do harm."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agent.delivery import OutboundRequest
from agent.sdk import context
from agent.sdk.context import Surroundings, calling, settle_in

LINES: list[tuple[str, str, str]] = []


@pytest.fixture(autouse=True)
def surroundings() -> Iterator[None]:
    LINES.clear()
    settle_in(
        Surroundings(
            service="a|b",
            agent_id="plant7",
            constants={"site": "plant-7"},
            platform={"company": "Example Ltd"},
            destination="outbox",
            destinations=frozenset({"outbox", "tickets"}),
            log=lambda *line: LINES.append(line),
        )
    )
    yield
    settle_in(Surroundings())


def test_send_json() -> None:
    """JSON goes to the service's destination, compact, as UTF-8."""
    with calling() as call:
        context.send(json={"city": "Zürich", "n": [1, None]})

    assert [OutboundRequest(destination="outbox", body='{"city":"Zürich","n":[1,null]}'.encode())] == call.requests


def test_send_body_elsewhere() -> None:
    """Everything can be said: destination, type, headers, path, method."""
    with calling() as call:
        context.send(
            "tickets", body="<t/>", content_type="text/xml", headers={"X-Site": "7"}, path="/new?a=1", method="PUT"
        )

    assert [
        OutboundRequest(
            destination="tickets",
            body=b"<t/>",
            content_type="text/xml",
            headers=(("X-Site", "7"),),
            path="/new?a=1",
            method="PUT",
        )
    ] == call.requests


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"destination": "tikets", "json": 1}, ValueError, "no <destination> 'tikets'; it has outbox, tickets"),
        ({"destination": 3, "json": 1}, TypeError, "destination is a int"),
        ({"json": 1, "path": "new"}, ValueError, "path is 'new'"),
    ],
)
def test_what_could_not_be_sent_is_refused_in_the_hook(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """The author learns of a mistake where it stands, with the value found."""
    with calling() as call, pytest.raises(error) as caught:
        context.send(**arguments)

    assert words in str(caught.value)
    assert [] == call.requests


def test_send_belongs_to_a_hook() -> None:
    """Outside a hook, in a thread of one's own, in on_startup and after the hook there is no event to send for."""
    failures: list[str] = []

    def send() -> None:
        try:
            context.send(json=1)
        except RuntimeError as error:
            failures.append(str(error))

    send()
    with calling():
        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
    with calling(may_send=False):
        send()

    async def leave_task_behind() -> asyncio.Task[None]:
        async def later() -> None:
            send()

        with calling():
            return asyncio.get_running_loop().create_task(later())

    async def run() -> None:
        await (await leave_task_behind())

    asyncio.run(run())

    assert 4 == len(failures)
    assert "in the thread that the hook was called in" in failures[1]
    assert "here is no event" in failures[2]
    assert "after the hook had returned" in failures[3]


def test_calls_do_not_mix() -> None:
    """Two async calls at the same time have their own requests."""

    async def hook(name: str) -> list[bytes]:
        with calling() as call:
            context.send(body=name)
            await asyncio.sleep(0)
            context.send(body=name)
            return [request.body for request in call.requests]

    async def both() -> list[list[bytes]]:
        return await asyncio.gather(hook("a"), hook("b"))

    assert [[b"a", b"a"], [b"b", b"b"]] == asyncio.run(both())


def test_log_lines_carry_the_event() -> None:
    """A line that is logged in a hook has its event's id, one outside has none."""
    with calling(event_id="e1"):
        context.log.warning("%s is %d%%", "disk", 99)
    context.log.info("100% plain")

    assert [("warn", "disk is 99%", "e1"), ("info", "100% plain", "")] == LINES


def test_service_knows_itself() -> None:
    """Name, agent id and constants come from the configuration; constants cannot be changed."""
    assert ("a|b", "plant7", "plant-7") == (context.service, context.agent_id, context.constants["site"])
    assert {"company": "Example Ltd"} == context.platform


def test_constants_of_a_test_end_with_it() -> None:
    """A test gives the constants its hook needs, for as long as the hook runs."""
    with calling(constants={"site": "plant-8"}):
        inside = context.constants["site"]

    assert ("plant-8", "plant-7") == (inside, context.constants["site"])
