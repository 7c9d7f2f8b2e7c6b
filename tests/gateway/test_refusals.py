"""Few lines about many refusals."""

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from agent.gateway.refusals import MAX_REMEMBERED, QUIET_S, Refusals


class Scene:
    """The table, its clock, and the lines it has written."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(clock=self.clock.seconds)
        self.lines: list[str] = []

    def observe(self, event: dict[str, Any]) -> None:
        self.lines.append(event["log_format"].format_map(event))

    def refuse(self, peer: str = "192.0.2.7", code: str = "bad-xml", status: int = 400) -> None:
        self.refusals.tell(peer=peer, status=status, code=code, sentence="No.", event_id="")

    def pass_time(self, seconds: float) -> list[str]:
        self.lines.clear()
        self.clock.advance(seconds)
        self.refusals.tick()
        return self.lines


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    globalLogPublisher.addObserver(scene.observe)
    yield scene
    globalLogPublisher.removeObserver(scene.observe)


def test_the_first_has_its_line_at_once(scene: Scene) -> None:
    """Of each peer and each code; the following are counted."""
    for _ in range(1000):
        scene.refuse()
    scene.refuse(code="unknown-service", status=404)
    scene.refuse(peer="192.0.2.8")
    assert [
        "refused 400 bad-xml to 192.0.2.7: No.",
        "refused 404 unknown-service to 192.0.2.7: No.",
        "refused 400 bad-xml to 192.0.2.8: No.",
    ] == scene.lines
    assert [] == scene.pass_time(QUIET_S - 0.1)
    assert ["refused 400 bad-xml to 192.0.2.7 999 more times within 10 s"] == scene.pass_time(0.2)


def test_who_has_been_quiet_begins_anew(scene: Scene) -> None:
    """After a quiet while the next refusal is news again; in between there is one line for each 10 s."""
    scene.refuse()
    scene.refuse()
    scene.pass_time(QUIET_S)
    scene.lines.clear()
    scene.refuse()
    assert [] == scene.lines
    assert ["refused 400 bad-xml to 192.0.2.7 1 more times within 10 s"] == scene.pass_time(QUIET_S)
    assert [] == scene.pass_time(QUIET_S)
    scene.refuse()
    assert ["refused 400 bad-xml to 192.0.2.7: No."] == scene.lines


def test_the_table_is_bounded(scene: Scene) -> None:
    """A flood from a whole network does not fill the memory: those beyond the bound share a line."""
    for number in range(MAX_REMEMBERED + 100):
        scene.refuse(peer=f"peer-{number}")
    assert MAX_REMEMBERED + 1 == len(scene.lines)
    assert "refused 400 bad-xml to others: No." == scene.lines[-1]
    assert ["refused 400 bad-xml to others 99 more times within 10 s"] == scene.pass_time(QUIET_S)
    scene.refuse(peer="peer-0")
    assert ["refused 400 bad-xml to peer-0: No."] == scene.lines[1:]
