"""Lines that cut, garble, swallow and delay, and receivers that never come to an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live import LiveHome, until
from tests.support.outside import EVENT, BadLine, Receiver, http_date, sends_to

FORWARD = "applications_forward"
QUICK = (
    "<RetryPolicy><RetryDelay>20</RetryDelay></RetryPolicy><timeout-s>1</timeout-s>"
    "<retry><first-delay-s>0.1</first-delay-s><max-delay-s>0.3</max-delay-s></retry>"
)


@pytest.fixture
def line(receiver: Receiver) -> Iterator[BadLine]:
    made = BadLine(receiver.port)
    yield made
    made.close()


def test_what_a_bad_line_does_is_named_and_outlived(home: LiveHome, receiver: Receiver, line: BadLine) -> None:
    """Cut, garbled, half an answer, silence, answer lost: delivered in the end, and each attempt had the same id."""
    line.harms = ["cut", "garble", "half", "silence", "cut-answer"]
    sends_to(home, f"http://127.0.0.1:{line.port}/in", QUICK)
    home.start()
    event = home.settled(home.accept(EVENT, FORWARD))
    [request] = event["requests"]
    assert ("done", 6) == (request["state"], line.connections)
    assert {f"{event['id']}/1"} == {headers["idempotency-key"] for _, _, headers, _ in receiver.got}
    said = [step["text"] for step in request["steps"]]
    assert any("timed out after 1 s while waiting for the answer" in text for text in said), said
    assert any("the connection was cut while waiting for the answer" in text for text in said), said
    assert "is not HTTP" in home.log


def test_receivers_that_ask_for_patience_never_answer_or_never_end(home: LiveHome, receiver: Receiver) -> None:
    """Retry-After as a date is waited for; silence costs the time-out; of an endless body the limit is kept."""
    sends_to(home, receiver.url, QUICK)
    home.start()
    receiver.answers = [(503, {"Retry-After": http_date(2)}), (200, {"never": "1"}), (200, {"endless": "1"})]
    event = home.settled(home.accept(EVENT, FORWARD))
    [request] = event["requests"]
    assert ("done", 3) == (request["state"], len(receiver.got))
    assert any("asks for" in step["text"] and "of patience" in step["text"] for step in request["steps"])
    assert 60_000 < len(request["answer"]["body"]) <= 65_536


def test_the_order_of_a_group_over_an_outage_and_a_fail_over(home: LiveHome, receiver: Receiver, line: BadLine) -> None:
    """The first URL goes away in the middle: the second one gets the rest, in order, and the status names it."""
    sends_to(home, f"http://127.0.0.1:{line.port}/first", QUICK + f"<secondary-url>{receiver.url}</secondary-url>")
    home.start()
    events = []
    for number in range(12):
        if number == 4:
            line.harms = ["cut"] * 1000
        events.append(home.accept(f"<event><n>{number}</n></event>", FORWARD, "-H", "Apia-Process-Group: a"))
    assert "done" == home.settled(events[-1])["requests"][0]["state"]
    seen = [body for _, _, _, body in receiver.got]
    numbers = [int(body.split(b"<n>")[1].split(b"<")[0]) for body in dict.fromkeys(seen)]
    assert sorted(numbers) == numbers
    assert 12 == len(numbers)


def test_a_kill_in_mid_send_loses_nothing(home: LiveHome, receiver: Receiver) -> None:
    """What was being sent is sent again under the same id, and what stood behind it follows in its order."""
    sends_to(home, receiver.url)
    receiver.answers = [(200, {"never": "1"})]
    home.start()
    events = [home.accept(f"<event><n>{number}</n></event>", FORWARD) for number in range(3)]
    until("the first to be on its way", lambda: receiver.got)
    home.kill()
    home.start()
    for event in events:
        assert "done" == home.settled(event)["requests"][0]["state"]
    ids = [headers["idempotency-key"] for _, _, headers, _ in receiver.got]
    assert [f"{events[0]}/1", *(f"{event}/1" for event in events)] == ids


def test_an_outage_drains_step_by_step_and_questions_fail_at_once(home: LiveHome, receiver: Receiver) -> None:
    """The circuit opens and the status says so; a service's question is told why; resume lets all of it go at once."""
    sends_to(home, receiver.url, QUICK + "<circuit-failures>2</circuit-failures>")
    home.add_service(
        "asks",
        "from agent.sdk import RequestFailed, context\n"
        "def on_event(event):\n"
        "    try:\n"
        "        context.request('out').wait()\n"
        "    except RequestFailed as error:\n"
        "        context.send('outbox', json=str(error))\n",
    )
    receiver.usual = (503, {"Retry-After": "600"})
    home.start()
    events = [home.accept(EVENT, FORWARD, "-H", f"Apia-Process-Group: {number}") for number in range(12)]
    until("the circuit to open", lambda: b"circuit open" in home.iadmin("status").stdout)
    home.settled(home.accept(EVENT, "applications_asks"))
    assert "out does not work and is left alone for" in home.outbox[0]["body"]
    receiver.usual = (200, {})
    assert 0 == home.iadmin("destination", "resume", "out").returncode
    until("all of them to arrive", lambda: len({headers["idempotency-key"] for _, _, headers, _ in receiver.got}) == 12)
    assert "done" == home.settled(events[-1])["requests"][0]["state"]
    # The concurrency may have failed before the circuit opened, and no more.
    assert 12 + 5 >= len(receiver.got)
