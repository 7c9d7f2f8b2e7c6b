"""Order, doubles and repeated events, through the real program and across kills."""

from __future__ import annotations

import json

from tests.support.live import LiveHome, command, lines, run, until

ECHO = """
from agent.sdk import context

def on_event(event):
    context.send(json={"text": event.text, "priority": event.priority, "group": event.group})
"""
ALARM = "<event><pump>P-101</pump><severity>high</severity></event>"
FILTER = """<filter name="pumps"><predicates><predicate>pump</predicate><predicate>severity</predicate></predicates>
<suppression_period>3600</suppression_period><window_size>10</window_size></filter></deduplicator>"""


def add_filter(home: LiveHome) -> None:
    path = home.folder / "conf" / "deduplicator-filter.xml"
    path.write_text(path.read_text(encoding="utf-8").replace("</deduplicator>", FILTER), encoding="utf-8")


def test_headers_reach_the_service(home: LiveHome) -> None:
    """Priority and process group of the request are those of the event."""
    home.add_service("echo", ECHO)
    home.start()
    status, _, answer = home.post(
        ALARM, "applications_echo", "-H", "Apia-Priority: high", "-H", "Apia-Process-Group: hall 7"
    )
    assert 202 == status
    home.settled(json.loads(answer)["requestId"])
    assert ("high", "hall 7") == (home.outbox[0]["body"]["priority"], home.outbox[0]["body"]["group"])
    assert 400 == home.post(ALARM, "applications_echo", "-H", "Apia-Priority: urgent")[0]


def test_an_event_sent_twice_is_one_event_also_after_a_kill(home: LiveHome) -> None:
    """By Idempotency-Key, and by an XPath of the service; the second answer is the first's."""
    home.add_service("echo", ECHO, extra='<idempotency xpath="/event/pump"/>')
    home.start()
    answers = [home.post(ALARM, "applications_echo", "-H", "Idempotency-Key: k1")[2] for _ in range(2)]
    answers += [home.post(ALARM, "applications_echo")[2]]
    home.kill()
    home.start()
    answers += [home.post(ALARM, "applications_echo")[2]]
    answers += [home.post(ALARM, "applications_echo", "-H", "Idempotency-Key: k1")[2]]
    ids = [json.loads(answer)["requestId"] for answer in answers]
    assert ids[0] == ids[1] == ids[4]
    assert ids[2] == ids[3] != ids[0]
    for event_id in set(ids):
        home.settled(event_id)
    assert 2 == len(home.outbox)


def test_a_repeated_event_is_suppressed_also_after_a_kill(home: LiveHome) -> None:
    """The descriptor names the filter; what it remembers is on disk with the end of the event."""
    add_filter(home)
    home.add_service("echo", ECHO, extra='<deduplication filter="pumps"/>')
    home.start()
    first = home.settled(home.accept(ALARM, "applications_echo"))
    second = home.settled(home.accept(ALARM, "applications_echo"))
    home.kill()
    home.start()
    third = home.settled(home.accept(ALARM, "applications_echo"))
    other = home.settled(home.accept(ALARM.replace("high", "low"), "applications_echo"))
    assert ["done", "suppressed", "suppressed", "done"] == [each["state"] for each in (first, second, third, other)]
    assert "more frequently than allowed by the deduplication filter pumps" in third["reason"]
    assert 2 == len(home.outbox)
    assert "It has been suppressed." in home.log


def test_a_filter_that_does_not_exist_keeps_the_agent_from_starting(home: LiveHome) -> None:
    """Exit status 78, with file and line; in the original it is silently off."""
    home.add_service("echo", ECHO, extra='<deduplication filter="pumps"/>')
    process = home.start(wait=False)
    assert 78 == process.wait(30)
    told = lines(home.console.read_text(encoding="utf-8"))
    assert any('there is no filter "pumps" in deduplicator-filter.xml' in line for line in told)


def test_a_crash_loop_is_visible(home: LiveHome) -> None:
    """`iadmin service list` has the state and the last words; the others go on."""
    home.add_service("broken", "import os, sys\nsys.stderr.write('no licence\\n')\nsys.stderr.flush()\nos._exit(3)\n")
    home.start()

    # Between two tries the state is "starting" for a moment: look until both are shown.
    def look() -> bool:
        shown = home.iadmin("service", "list").stdout.decode()
        return "crash-loop" in shown and "no licence" in shown

    until("the crash loop with its last words", look)
    assert "done" == home.settled(home.accept("<event><properties><a>1</a></properties></event>"))["state"]


def test_a_repeated_message_is_suppressed_with_its_own_text(home: LiveHome) -> None:
    """The original speaks of tokens and of the event domain there."""
    add_filter(home)
    mapped = '<mapped-input method="add"><parameter>pump</parameter><parameter>severity</parameter></mapped-input>'
    home.add_service("echo", ECHO, extra=f'{mapped}<deduplication filter="pumps"/>')
    home.start()
    for _ in range(2):
        done = run(command("apclient"), "--home", home.folder, "--map-data", "applications|echo", "P-1", "high")
        assert 0 == done.returncode, done.stderr
    text = "injected into the applications event domain more frequently than allowed by the deduplication filter pumps"
    until("the second to be suppressed", lambda: text in home.log)
