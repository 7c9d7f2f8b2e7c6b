"""Printed lines find their event."""

import io
import threading

from agent.host.output import MAX_LINES
from agent.host.prints import Prints


class Scene:
    """A stand-in for stdout, whose event is `event_id`."""

    def __init__(self) -> None:
        self.event_id = ""
        self.said: list[tuple[str, str, str]] = []
        self.stream = io.StringIO()
        self.prints = Prints(self.stream, say=lambda *line: self.said.append(line), event_id=lambda: self.event_id)

    def print(self, *words: object, end: str = "\n") -> None:
        print(*words, end=end, file=self.prints)  # type: ignore[call-overload]


def test_within_a_call_lines_carry_its_event() -> None:
    """Outside of one they go where they always went."""
    scene = Scene()
    scene.print("before")
    scene.event_id = "e1"
    scene.print("one", 1)
    scene.print("half", end="")
    scene.print(" and half")
    scene.event_id = ""
    scene.print("after")
    assert [("print", "one 1", "e1"), ("print", "half and half", "e1")] == scene.said
    assert "before\nafter\n" == scene.stream.getvalue()


def test_a_line_that_is_not_ended_stays_with_its_event() -> None:
    """The next event's line does not begin with it."""
    scene = Scene()
    for event_id in ("e1", "e2"):
        scene.event_id = event_id
        scene.print("cut", end="")
    scene.event_id = ""
    scene.print("x")
    assert [("print", "cut", "e1"), ("print", "cut", "e2")] == scene.said


def test_threads_do_not_mix_their_lines() -> None:
    """A line begun in one thread is ended in that thread."""
    scene = Scene()
    scene.event_id = "e"
    scene.print("a", end="")
    thread = threading.Thread(target=scene.print, args=("b",))
    thread.start()
    thread.join()
    scene.print("c")
    assert [("print", "b", "e"), ("print", "ac", "e")] == scene.said


def test_a_flood_is_bounded() -> None:
    """Lines beyond the allowance are not even sent, and long ones are cut."""
    scene = Scene()
    scene.event_id = "e"
    scene.print("x" * 5000)
    for number in range(10_000):
        scene.print("flood", number)
    assert "x" * 2048 + " [cut short]" == scene.said[0][1]
    assert MAX_LINES == len(scene.said)


def test_all_else_is_the_streams() -> None:
    """Libraries ask stdout for its encoding or flush it."""
    scene = Scene()
    scene.prints.flush()
    assert scene.prints.isatty() is False
