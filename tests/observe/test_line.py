"""One fact is one line, whoever chose its words."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from agent.errors import DestinationError
from agent.observe.line import MAX_TEXT_CHARS, Liner, is_plain
from agent.secret import Secret

AT_S = 1795195525.123


def east(_second):
    return 3600


def line_of(template, *, level=LogLevel.info, tracebacks=False, **facts):
    event = {"log_level": level, "log_namespace": "gateway", "log_time": AT_S, "log_format": template, **facts}
    return Liner(tracebacks=tracebacks, offset_s=east).line(event)


def failure(error):
    try:
        raise error
    except Exception:
        return Failure()


def test_a_line_has_time_level_room_event_and_text():
    """The columns of the documentation, in local time with its zone."""
    assert "2026-11-20T18:25:25.123+01:00 INFO  gateway  abc took 5 bytes\n" == line_of(
        "took {n} bytes", n=5, event_id="abc"
    )


def test_a_line_without_an_event_has_a_dash():
    """So that the columns stay where they are."""
    assert "2026-11-20T18:25:25.123+01:00 WARN  gateway  - full\n" == line_of("full", level=LogLevel.warn)


def test_zones_west_and_by_half_hours_are_written_right():
    """-03:30 is three and a half hours behind, not three behind and a half ahead."""
    assert "2026-11-20T13:55:25.000-03:30" == Liner(offset_s=lambda _: -12600).stamp(1795195525.0)


def test_the_second_is_looked_up_again_when_it_changes():
    """The remembered head of the last second is not used for the next, nor when the clock goes back."""
    liner = Liner(offset_s=lambda _: 0)
    stamps = [liner.stamp(s)[17:23] for s in (1795195525.999, 1795195526.0, 1795195525.5)]
    assert ["25.999", "26.000", "25.500"] == stamps


def test_a_secret_is_masked():
    """Also inside a container and with a conversion."""
    text = line_of("{a} {b} {a!r}", a=Secret("hunter2"), b=(Secret("hunter2"),))
    assert "hunter2" not in text
    assert 3 == text.count(Secret.MASK)


def test_line_ends_and_escapes_are_shown_and_not_obeyed():
    """A forged line, a terminal escape, a direction override and a lone surrogate stay in their own line."""
    text = line_of("from {peer}", peer="a\r\n2026 ERROR\x1b[2J\u202e\u2028\udc80")
    assert r"from a\r\n2026 ERROR\x1b[2J\u202e\u2028\udc80" in text
    assert 1 == len(text.splitlines())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_no_text_makes_two_lines(text, event_id):
    """Whatever the sender chose, and wherever it is shown."""
    line = line_of("{text}", text=text, event_id=event_id)
    assert 1 == len(line.splitlines())
    assert line.isascii() or set(line) - set(string.printable)
    assert "\x1b" not in line


def test_a_long_text_is_cut_and_says_so():
    """One sender cannot fill the log with one line."""
    text = line_of("{x}", x="y" * (MAX_TEXT_CHARS + 10))
    assert text.endswith("y ... (10 more characters)\n")


def test_a_wrong_format_still_makes_a_line():
    """A missing fact is shown as a fault of the line, and does not raise."""
    assert "gateway" in line_of("took {missing} bytes")


def test_an_error_of_ours_is_its_sentence():
    """No traceback for what the outside did."""
    text = line_of(
        "cannot send:", level=LogLevel.error, log_failure=failure(DestinationError("refused", "no one home"))
    )
    assert text.endswith("- cannot send: no one home\n")


def test_a_bug_shows_its_traceback_indented():
    """Every line of it is moved in, so that it cannot be taken for a log line."""
    head, *rest = line_of("oops", level=LogLevel.critical, log_failure=failure(KeyError("x\ny"))).splitlines()
    assert head.endswith(r"ERROR gateway  - oops: KeyError: 'x\ny'")
    assert rest
    assert all(row.startswith("    ") for row in rest)


def test_at_debug_level_even_our_errors_have_tracebacks():
    """For whoever looks for the cause behind the cause."""
    error = failure(DestinationError("refused", "no one home"))
    assert "Traceback" in line_of("", level=LogLevel.error, tracebacks=True, log_failure=error)


def test_the_columns_are_as_wide_as_the_longest_name():
    """Once a service with a long name has spoken, all lines stand below one another; a library does not widen them."""
    liner = Liner(offset_s=east)

    def column(room):
        event = {"log_level": LogLevel.info, "log_namespace": room, "log_time": AT_S, "log_format": "text"}
        return liner.line(event).index(" - text")

    service = "applications|sample-plan"
    assert column("host") < column(service) == column("host") == column("gateway")
    column("twisted.internet.protocol.Factory")
    assert column(service) == column("host")


def test_a_batch_of_several_rooms_becomes_a_line_for_each() -> None:
    """As if each had been logged by itself."""
    event = {
        "log_level": LogLevel.info,
        "log_namespace": "agent",
        "log_time": 0.5,
        "log_format": "{log_entries}",
        "log_entries": [("host", "id-1", "handed over"), ("upstream", "", "a\nb")],
    }
    liner = Liner(offset_s=lambda _: 0)
    alone = [
        liner.line({"log_level": LogLevel.info, "log_time": 0.5, "log_namespace": room, "log_format": text, **more})
        for room, text, more in (("host", "handed over", {"event_id": "id-1"}), ("upstream", "a\nb", {}))
    ]
    assert alone == list(liner.entries(event))


def test_a_batch_becomes_a_line_for_each() -> None:
    """Each line has the time and the room of the batch, its own event id and text, and nothing unprintable."""
    event = {
        "log_level": LogLevel.info,
        "log_namespace": "gateway",
        "log_time": 0.5,
        "log_format": "{log_lines}",
        "log_lines": [("id-1", "accepted"), ("", "a\nb")],
    }
    first, second = Liner(offset_s=lambda _: 0).lines(event)
    assert "1970-01-01T00:00:00.500+00:00 INFO  gateway  id-1 accepted\n" == first
    assert "1970-01-01T00:00:00.500+00:00 INFO  gateway  - a\\nb\n" == second


def test_one_odd_text_costs_the_others_of_its_batch_nothing() -> None:
    """What is printable stays, in any script; what is too long is cut."""
    texts = ["plain", "Grüße", "\x1b[2J", "\ud800", "x" * (MAX_TEXT_CHARS + 1), "\x7f"]
    event = {
        "log_level": LogLevel.warn,
        "log_namespace": "gateway",
        "log_time": 0.5,
        "log_format": "{log_lines}",
        "log_lines": [("id", text) for text in texts],
    }
    found = [line.rstrip("\n").split(" id ")[1] for line in Liner().lines(event)]
    assert ["plain", "Grüße", r"\x1b[2J", r"\ud800", "x" * MAX_TEXT_CHARS, r"\x7f"] == found


@given(st.text(max_size=9))
def test_plain_is_printable_ascii(text: str) -> None:
    """The quick look agrees with the thorough one."""
    assert (text.isascii() and text.isprintable()) is is_plain(text)
