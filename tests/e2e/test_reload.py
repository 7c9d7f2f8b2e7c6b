"""Reloads of a real agent under load: nothing is lost, nothing is cut, and a fault changes nothing."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from typing import Any

from tests.support.live import LiveHome, lines, until

EVENT = b"<event><properties><city>Victoria</city></properties></event>"
COUNTING = """from agent.sdk import context

VERSION = {version}


def on_event(event):
    context.send(json={{"version": VERSION}})
"""


class Load:
    """A sender that posts on one connection until it is told to stop; each event must be accepted."""

    def __init__(self, agent: LiveHome, service: str) -> None:
        self.ids: list[str] = []
        self.trouble: Exception | None = None
        self._path = f"/http/{service}"
        self._connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._post_on)
        self._thread.start()

    def _post_on(self) -> None:
        try:
            self._connection.connect()
            while not self._is_over.is_set():
                # Never connected anew: a connection that is cut is a failure.
                self._connection.request("POST", self._path, EVENT, {"Content-Type": "application/xml"})
                answer = self._connection.getresponse()
                body = answer.read()
                assert 202 == answer.status, body
                self.ids.append(json.loads(body)["requestId"])
        except Exception as error:
            self.trouble = error
        finally:
            self._connection.close()

    def reaches(self, count: int) -> None:
        until(f"{count} events to be accepted", lambda: self.trouble or len(self.ids) >= count)
        assert self.trouble is None, repr(self.trouble)

    def end(self) -> list[str]:
        self._is_over.set()
        self._thread.join(30)
        assert self.trouble is None, repr(self.trouble)
        return self.ids


def versions(agent: LiveHome) -> list[int]:
    return [line["body"]["version"] for line in agent.outbox]


def delivered(agent: LiveHome, ids: list[str]) -> Callable[[], bool]:
    def look() -> bool:
        counts: dict[str, Any] = agent.iadmin_json("status")["spool"]["services"]
        return all(not sum(states.get(s, 0) for s in ("received", "claimed", "waiting")) for states in counts.values())

    return look


def test_new_code_under_load_loses_no_event_and_no_connection(home: LiveHome) -> None:
    """One worker is restarted, the other keeps its process; every accepted event is worked on exactly once."""
    home.add_service("counting", COUNTING.format(version=1))
    agent = home
    agent.start()
    before = {one["service"]: one["pid"] for one in agent.iadmin_json("status")["services"]}
    load = Load(agent, "applications_counting")
    load.reaches(20)
    script = agent.folder / "services" / "counting" / "counting.py"
    for version in (2, 3):
        script.write_text(COUNTING.format(version=version), encoding="utf-8")
        answer = agent.iadmin_json("reload")
        assert 1 == len(answer["changes"]), answer
        assert "applications|counting runs with its new code" in answer["changes"][0]
        load.reaches(len(load.ids) + 20)
    ids = load.end()
    after = {one["service"]: one["pid"] for one in agent.iadmin_json("status")["services"]}
    assert before["applications|sample-plan"] == after["applications|sample-plan"]
    assert before["applications|counting"] != after["applications|counting"]
    until("all to be delivered", lambda: len(agent.outbox) >= len(ids))
    until("all to be settled", delivered(agent, ids))
    found = versions(agent)
    assert len(ids) == len(found)
    assert {1, 2, 3} == set(found)


def test_a_broken_script_changes_nothing(home: LiveHome) -> None:
    """Not even what else is new: one sentence with file and line, status 1, and the old code goes on."""
    home.add_service("counting", COUNTING.format(version=1))
    home.start()
    before = home.iadmin_json("status")
    (home.folder / "services" / "counting" / "counting.py").write_text("def on_event(event:\n", encoding="utf-8")
    home.edit('<log level="info"', '<log level="debug"')
    refused = home.iadmin("reload")
    assert 1 == refused.returncode
    assert 1 == len(lines(refused.stderr)), refused.stderr
    assert b"counting.py:1: SyntaxError" in refused.stderr
    after = home.iadmin_json("status")
    assert [one["pid"] for one in before["services"]] == [one["pid"] for one in after["services"]]
    assert b"info" == home.iadmin("get-log-level").stdout.strip()
    home.accept(EVENT, "applications_counting")
    until("it to be delivered", lambda: versions(home) == [1])


def test_everything_at_once(agent: LiveHome) -> None:
    """A new service, a new destination, the log's level and the bounds: one reload, and all of it is so."""
    agent.add_service("late", COUNTING.format(version=7), destination="second")
    agent.edit("</destinations>", '<destination name="second" type="outbox"/></destinations>')
    agent.edit('<log level="info"', '<log level="debug"')
    agent.edit("<max-events>1000000</max-events>", "<max-events>2</max-events>")
    agent.edit("(?s)<admin-gateway[^>]*>", "")
    said = lines(agent.iadmin("reload").stdout)
    for words in ("destination second", "late is new and runs", "from the level debug on", "bounds", "admin gateway"):
        assert any(words in line for line in said), (words, said)
    assert b"debug" == agent.iadmin("get-log-level").stdout.strip()
    agent.accept(EVENT, "applications_late")
    second = agent.folder / "var" / "outbox" / "second.jsonl"
    until("it to be delivered there", lambda: second.exists() and "7" in second.read_text())
    assert 0 == agent.iadmin("suspend", "late").returncode
    agent.accept(EVENT, "applications_late")
    agent.accept(EVENT, "applications_late")
    assert 503 == agent.post(EVENT, "applications_late")[0]
    assert b"Nothing has changed" in agent.iadmin("reload").stdout


def test_suspended_means_stored_and_refused_means_503_also_after_a_restart(agent: LiveHome) -> None:
    """What was accepted is worked on after the resume; the descriptor is as it was."""
    assert 0 == agent.iadmin("suspend", "sample-plan").returncode
    first = agent.accept("<event><properties><a>1</a></properties></event>")
    assert 0 == agent.iadmin("restart").returncode
    state = agent.iadmin_json("service", "list")["services"][0]["state"]
    assert "suspended" == state
    assert b"Status: SUSPENDED" in agent.iadmin("get-status").stdout
    assert 0 == agent.iadmin("suspend", "sample-plan", "--refuse").returncode
    assert 503 == agent.post("<event/>")[0]
    assert 0 == agent.iadmin("resume", "sample-plan").returncode
    second = agent.accept("<event/>")
    for event_id in (first, second):
        assert agent.settled(event_id)["state"] in ("done", "dead")
    assert agent.iadmin("stop").returncode == 0


def test_purge_deletes_what_waits_and_only_that(agent: LiveHome) -> None:
    """A suspended service; what comes afterwards is worked on."""
    agent.iadmin("suspend", "sample-plan")
    for _ in range(3):
        agent.accept("<event/>")
    unsure = agent.iadmin("purge", "sample-plan")
    assert 64 == unsure.returncode
    assert b"3 events" in unsure.stderr
    assert {"service": "applications|sample-plan", "purged": 3} == agent.iadmin_json("purge", "sample-plan", "--yes")
    agent.iadmin("resume", "sample-plan")
    last = agent.accept("<event><properties><a>1</a></properties></event>")
    assert "done" == agent.settled(last)["state"]
    assert [last] == [one["id"] for one in agent.iadmin_json("event", "list")["events"]]


def test_start_waits_and_tells_why_not(home: LiveHome) -> None:
    """Up when it says so; a fault of the configuration is told as the agent itself would, with its status."""
    started = home.iadmin_json("start")
    assert {"running"} == {home.iadmin_json("status")["state"]}
    assert started["pid"] == home.iadmin_json("start")["pid"]
    restarted = home.iadmin_json("restart")
    assert started["pid"] != restarted["pid"]
    assert 0 == home.iadmin("stop", "--now").returncode
    home.edit(f'port="{home.port}"', 'port="80810"')
    failed = home.iadmin("start")
    assert 78 == failed.returncode
    assert b'"80810" is not a port' in failed.stderr
    assert b"Traceback" not in failed.stderr
