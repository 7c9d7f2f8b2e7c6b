"""Lines are carried in order, together, and never at the reactor's cost."""

from __future__ import annotations

import threading

from agent.observe import scribe as scribe_module
from agent.observe.scribe import Scribe
from agent.recent import Lines


class Place:
    """Remembers each write; raises when told to."""

    def __init__(self):
        self.writes = []
        self.fault = None

    def write(self, text):
        if self.fault is not None:
            raise self.fault
        self.writes.append(text)


def scribe_for(place):
    return Scribe(name="test", write=place.write, lost_line=lambda n: f"{n} lost\n")


def test_lines_are_written_together_and_in_order():
    """One write for all that wait."""
    place = Place()
    scribe = scribe_for(place)
    for number in range(3):
        scribe.put(Lines(f"{number}\n"))
    scribe.write_out()
    scribe.write_out()
    assert ["0\n1\n2\n"] == place.writes


def test_a_full_disk_loses_lines_and_later_says_how_many():
    """The next write that succeeds begins with the number of those that are missing."""
    place = Place()
    scribe = scribe_for(place)
    place.fault = OSError(28, "No space left on device")
    scribe.put(Lines("a\n"))
    scribe.put(Lines("b\n"))
    scribe.write_out()
    scribe.put(Lines("c\n"))
    scribe.write_out()
    place.fault = None
    scribe.put(Lines("d\n"))
    scribe.write_out()
    assert ["3 lost\nd\n"] == place.writes


def test_a_closed_console_raises_nothing():
    """A closed Python stream raises ValueError."""
    place = Place()
    place.fault = ValueError("I/O operation on closed file")
    scribe = scribe_for(place)
    scribe.put(Lines("a\n"))
    scribe.write_out()
    assert [] == place.writes


def test_what_does_not_fit_is_dropped_and_counted(monkeypatch):
    """Memory is bounded when nobody reads."""
    monkeypatch.setattr(scribe_module, "MAX_WAITING_LINES", 2)
    place = Place()
    scribe = scribe_for(place)
    for number in range(5):
        scribe.put(Lines(f"{number}\n"))
    scribe.write_out()
    assert ["3 lost\n0\n1\n"] == place.writes


def test_each_line_of_a_batch_counts(monkeypatch):
    """For the bound, and where a batch is dropped or its write fails."""
    monkeypatch.setattr(scribe_module, "MAX_WAITING_LINES", 3)
    place = Place()
    scribe = scribe_for(place)
    batch = Lines("a\nb\n", 2)
    for _ in range(3):
        scribe.put(batch)
    place.fault = OSError(28, "No space left on device")
    scribe.write_out()
    place.fault = None
    scribe.put(batch)
    scribe.write_out()
    assert ["6 lost\na\nb\n"] == place.writes


def test_the_end_writes_the_last_lines():
    """Whatever was put before the end is written when it returns."""
    place = Place()
    scribe = scribe_for(place)
    scribe.start()
    scribe.put(Lines("a\n"), urgent=True)
    scribe.put(Lines("b\n"))
    scribe.end()
    assert "a\nb\n" == "".join(place.writes)


def test_a_place_that_blocks_does_not_block_the_end(monkeypatch):
    """The end gives up after its patience."""
    monkeypatch.setattr(scribe_module, "END_PATIENCE_S", 0.01)
    gate = threading.Event()
    scribe = Scribe(name="test", write=lambda _: gate.wait(), lost_line=str)
    scribe.start()
    scribe.put(Lines("a\n"), urgent=True)
    scribe.end()
    gate.set()


def test_a_line_of_a_finalizer_stops_nothing(monkeypatch):
    """One may speak in the midst of whatever the thread does: garbage is collected anywhere."""
    monkeypatch.setattr(scribe_module, "PAUSE_S", 0.01)
    place = Place()
    scribe = scribe_for(place)
    spoken = set()

    def speak(frame, event, _):
        if (frame.f_code, frame.f_lineno, event) not in spoken:
            spoken.add((frame.f_code, frame.f_lineno, event))
            scribe.put(Lines("said by a finalizer\n"), urgent=True)

    threading.setprofile(speak)
    try:
        scribe.start()
    finally:
        threading.setprofile(None)

    def end():
        scribe.put(Lines("the last\n"))
        scribe.end()

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(1.0)
    assert (False, True) == (ending.is_alive(), "the last\n" in "".join(place.writes))
