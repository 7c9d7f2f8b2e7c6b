"""The proof of the crash test finds what it is there to find."""

from __future__ import annotations

import json

import attrs
import pytest

from tests.support.traffic import Attempt, Delivery, Figures, OutboxTail, prove


def sent(number, *, attempt=1, status=202, **more):
    event_id = f"id-{number}-{attempt}" if status == 202 else ""
    return Attempt(group="g", number=number, attempt=attempt, status=status, **{"event_id": event_id, **more})


def arrived(number, *, attempt=1, at_s=100.0, **more):
    event_id = f"id-{number}-{attempt}"
    fields = {"id": f"{event_id}/1", "event_id": event_id, "group": "g", "hook_attempt": 1, "at_s": at_s, **more}
    return Delivery(number=number, attempt=attempt, **fields)


def test_all_is_well():
    """Acknowledged and delivered in order; a double with a kill in between, and one that nobody answered."""
    attempts = [sent(1), sent(2, status=0), sent(2, attempt=2), sent(3, status=503), sent(3, attempt=2)]
    first, again = arrived(1), arrived(1, at_s=102.0)
    deliveries = [first, again, arrived(2), arrived(2, attempt=2, hook_attempt=2), arrived(3, attempt=2)]
    assert Figures(
        acknowledged=3,
        unanswered=1,
        refused=1,
        delivered=4,
        doubled=1,
        delivered_unanswered=1,
        hooks_repeated=1,
    ) == prove(attempts, deliveries, kills_at_s=[101.0])


@pytest.mark.parametrize(
    ("attempts", "deliveries", "words"),
    [
        pytest.param([sent(1), sent(2)], [arrived(1)], "1 acknowledged events were lost", id="lost"),
        pytest.param([sent(1), sent(2)], [arrived(2), arrived(1)], "was delivered after", id="order"),
        pytest.param(
            [sent(1, status=0), sent(1, attempt=2)],
            [arrived(1, attempt=2), arrived(1)],
            "was delivered after",
            id="order of attempts",
        ),
        pytest.param([sent(1)], [arrived(1), arrived(1, at_s=100.5)], "nothing was killed", id="double"),
        pytest.param(
            [sent(1)],
            [arrived(1), arrived(1, at_s=103.0, hook_attempt=2)],
            "have one id",
            id="double with another content",
        ),
        pytest.param(
            [sent(1)],
            [arrived(1), attrs.evolve(arrived(1), id="id-1-1/2")],
            "settled twice",
            id="settled twice",
        ),
        pytest.param([sent(1)], [arrived(1), arrived(2)], "nobody has sent", id="invented"),
        pytest.param(
            [sent(1, status=503), sent(1, attempt=2)],
            [arrived(1), arrived(1, attempt=2)],
            "was told 503",
            id="refused and delivered",
        ),
        pytest.param(
            [sent(1, status=0, is_named=True), sent(1, attempt=2, is_named=True)],
            [arrived(1), arrived(1, attempt=2)],
            "became two",
            id="named and doubled",
        ),
    ],
)
def test_what_is_wrong_is_found(attempts, deliveries, words):
    """Each fault on its own is enough."""
    with pytest.raises(AssertionError, match=words):
        prove(attempts, deliveries, kills_at_s=[102.0])


def test_a_torn_line_is_passed_over(tmp_path):
    """The outbox is read piece by piece; half a line that was ended later is counted and no delivery."""
    path = tmp_path / "outbox.jsonl"
    body = {"group": "g", "number": 1, "attempt": 1, "event": "id-1-1", "hook_attempt": 1}
    line = json.dumps({"id": "id-1-1/1", "time": "2026-01-02T03:04:05.678+00:00", "body": body})
    tail = OutboxTail(path)
    tail.look()
    path.write_text(line[:20])
    tail.look()
    assert ([], 0) == (tail.deliveries, tail.torn)
    path.write_text(f"{line[:20]}\n{line}\n")
    tail.look()
    assert (["id-1-1/1"], 1) == ([each.id for each in tail.deliveries], tail.torn)
