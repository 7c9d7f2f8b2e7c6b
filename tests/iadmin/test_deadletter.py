"""What an operator does about dead letters."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import ExitStatus, MachineError
from iadmin.commands import letters as letters_module
from tests.iadmin.fakes import EVENT_ID, World, detail, letter

REQUEST_ID = f"{EVENT_ID}/1"
DIED = datetime.fromisoformat(letter()["died"])


def many(world: World, number: int) -> list[str]:
    """So many dead events, one a second; the ids, the last to die first."""
    made = [
        letter(id=f"019dd2b4-7c1e-7a39-b3b1-{index:012x}", died=(DIED + timedelta(seconds=index)).isoformat())
        for index in range(number)
    ]
    for one in made:
        world.letters.add(one)
    return [one["id"] for one in reversed(made)]


@pytest.fixture
def dead(world: World) -> World:
    """One dead event, XML, and a dead request of it."""
    world.letters.add(letter(), b'<event xmlns="urn:x"><severity>high</severity></event>')
    world.letters.add(letter(1, reason="the disk is full"), b'{"city": "Victoria"}')
    world.link.shown = detail(state="dead", reason="on_event raised KeyError: 'pump'")
    world.link.shown["requests"][0]["state"] = "dead"
    return world


def test_a_list_tells_when_whose_and_why(dead: World) -> None:
    """Events and requests alike; the request says where it was going."""
    answer = dead.run("deadletter", "list")
    assert (0, "") == (answer.status, answer.err)
    rows = [line.split() for line in answer.out.splitlines()]
    assert ["11:00:00", "sample-plan", EVENT_ID, "10", "231", "B", "on_event", "raised", "KeyError:", "'pump'"] in rows
    assert ["11:00:00", "sample-plan", "outbox", REQUEST_ID, "10", "231", "B", "the", "disk", "is", "full"] in rows
    found = dead.run("--json", "deadletter", "list").document
    assert {"dead_letters": [letter(), letter(1, reason="the disk is full")]} == found


def test_no_dead_letters_is_good_news(world: World) -> None:
    """Said in words, and with filters in other words."""
    assert "There are no dead letters.\n" == world.run("deadletter", "list").out
    assert "There are no such dead letters.\n" == world.run("deadletter", "list", "--match", "x").out


def test_filters_reach_the_agent(world: World) -> None:
    """Names become client ids, ages become times with their zone."""
    world.run("deadletter", "list", "--service", "sample-plan", "--destination", "outbox", "--since", "2h")
    world.run("deadletter", "list", "--before", "2025-07-30T10:00")
    assert [
        {
            "service": "applications|sample-plan",
            "destination": "outbox",
            "since": "2025-07-30T10:00:00+00:00",
            "limit": "1000",
        },
        {"before": "2025-07-30T10:00:00+00:00", "limit": "1000"},
    ] == world.link.asked


@pytest.mark.parametrize(
    ("match", "ids"),
    [
        ("PUMP", [EVENT_ID]),
        ("victoria", [REQUEST_ID]),
        ('//severity[.="high"]', [EVENT_ID]),
        ("xpath:count(//severity) > 1", []),
        ("(//severity)[1]", [EVENT_ID]),
        ("text://severity", []),
        ("text:full", [REQUEST_ID]),
    ],
)
def test_a_match_looks_into_reasons_and_bodies(dead: World, match: str, ids: list[str]) -> None:
    """Text in any case, XPath without namespaces; JSON has no XPath."""
    found = dead.run("--json", "deadletter", "list", "--match", match).document
    assert ids == [one["id"] for one in found["dead_letters"]]


def test_a_wrong_xpath_is_explained(dead: World) -> None:
    """Nothing is searched, and the way to search for the text is named."""
    answer = dead.run("deadletter", "purge", "--yes", "--match", "//[")
    assert (ExitStatus.USAGE, []) == (answer.status, dead.letters.purged)
    assert "text://[" in answer.err


def test_a_long_list_says_that_there_is_more(world: World) -> None:
    """The last to die are shown."""
    ids = many(world, 3)
    answer = world.run("deadletter", "list", "--limit", "2")
    assert (True, True, False) == tuple(one in answer.out for one in ids)
    assert "more than 2" in answer.err


def test_all_pages_are_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and however many die in one millisecond on the edge of two pages."""
    monkeypatch.setattr(letters_module, "PAGE", 4)
    ids = many(world, 11)
    for one in world.letters.listed[3:6]:
        one["died"] = world.letters.listed[3]["died"]
    found = world.run("--json", "deadletter", "list").document["dead_letters"]
    assert (11, set(ids)) == (len(found), {one["id"] for one in found})


def test_more_dying_at_once_than_a_page_holds_are_all_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages go on behind the last letter and not behind its time."""
    monkeypatch.setattr(letters_module, "PAGE", 2)
    many(world, 6)
    for one in world.letters.listed[:5]:
        one["died"] = world.letters.listed[0]["died"]
    assert 6 == len(world.run("--json", "deadletter", "list").document["dead_letters"])


def test_replay_asks_with_the_number(dead: World) -> None:
    """No is no; yes is told to the last letter."""
    dead.answers = [False, True]
    answer = dead.run("deadletter", "replay", "--all")
    assert (ExitStatus.FAILED, "Nothing was done.\n", []) == (answer.status, answer.out, dead.letters.replayed)
    assert ["Replay 2 dead letters (1 event and 1 request) of applications|sample-plan?"] == dead.asked
    answer = dead.run("deadletter", "replay", "--all")
    assert (0, "Replayed 2 of 2 dead letters.\n") == (answer.status, answer.out)
    assert {EVENT_ID, REQUEST_ID} == set(dead.letters.replayed)


def test_a_purge_says_that_there_is_no_way_back(dead: World) -> None:
    """One letter is named, not counted."""
    dead.answers = [True]
    assert 0 == dead.run("deadletter", "purge", REQUEST_ID).status
    assert [f"Purge request {REQUEST_ID}? This cannot be undone."] == dead.asked
    assert [REQUEST_ID] == dead.letters.purged


def test_where_nobody_can_be_asked_yes_must_be_said(dead: World) -> None:
    """A script that forgot it has done nothing."""
    answer = dead.run("deadletter", "purge", "--all")
    assert (ExitStatus.USAGE, []) == (answer.status, dead.letters.purged)
    assert "--yes" in answer.err
    assert 0 == dead.run("deadletter", "purge", "--all", "--yes").status


@pytest.mark.parametrize("arguments", [[], [EVENT_ID, "--all"], [EVENT_ID, "--match", "x"]])
@pytest.mark.parametrize("command", ["replay", "purge", "export"])
def test_it_must_be_clear_which_ones(dead: World, command: str, arguments: list[str]) -> None:
    """Neither nothing nor two things at once means all."""
    answer = dead.run("deadletter", command, *arguments, *(["--yes"] if command != "export" else []))
    assert (ExitStatus.USAGE, "", 0) == (answer.status, answer.out, dead.letters.orders)


def test_an_id_that_is_no_dead_letter_stops_before_anything_is_done(dead: World) -> None:
    """Also when others of the same command are."""
    answer = dead.run("deadletter", "purge", EVENT_ID, f"{EVENT_ID}/7", "--yes")
    assert (ExitStatus.FAILED, 0) == (answer.status, dead.letters.orders)
    assert "has no request '7'" in answer.err
    dead.link.shown = None
    assert "no event, or more than one" in dead.run("deadletter", "replay", "ffff", "--yes").err


def test_the_beginning_of_an_id_is_enough(dead: World) -> None:
    """Of an event's, and of a request's event."""
    dead.run("deadletter", "replay", EVENT_ID[:8].upper(), f"{EVENT_ID[:8]}/1", "--yes")
    assert [REQUEST_ID, EVENT_ID] == dead.letters.replayed


@pytest.mark.parametrize(
    ("event", "request_", "said"),
    [
        ("done", "done", f"event {EVENT_ID} is done, not dead, nor is any request of it"),
        ("done", "dead", ""),
        ("waiting", "waiting", f"event {EVENT_ID} is waiting, not dead"),
    ],
)
def test_an_event_stands_for_its_one_dead_request(dead: World, event: str, request_: str, said: str) -> None:
    """The id that a list of events shows is good enough; what is not dead says what it is."""
    assert dead.link.shown is not None
    dead.link.shown["state"] = event
    dead.link.shown["requests"][0]["state"] = request_
    answer = dead.run("deadletter", "replay", EVENT_ID, "--yes")
    assert said in answer.err
    assert ([] if said else [REQUEST_ID]) == dead.letters.replayed


def test_a_request_that_is_not_dead_says_what_it_is(dead: World) -> None:
    """By its own id."""
    assert dead.link.shown is not None
    dead.link.shown["requests"][0]["state"] = "waiting"
    answer = dead.run("deadletter", "purge", REQUEST_ID, "--yes")
    assert (ExitStatus.FAILED, 0) == (answer.status, dead.letters.orders)
    assert f"request {REQUEST_ID} is waiting, not dead" in answer.err


def test_long_work_goes_in_batches_and_is_counted_exactly(world: World) -> None:
    """A bar moves; what somebody else has purged meanwhile is left alone and said so."""
    ids = many(world, 250)
    world.letters.meanwhile = ids[:3]
    answer = world.run("deadletter", "purge", "--all", "--yes")
    assert [("purge dead letters", 250, [100, 200, 250])] == world.bars
    assert ids[3:] == world.letters.purged
    assert "Purged 247 of 250 dead letters; 3 left alone: not dead any more" in answer.out


def test_a_failure_in_the_middle_tells_what_was_done(world: World) -> None:
    """With the exit status of the failure; the rest is a matter of saying it again."""
    many(world, 250)
    world.letters.refusal, world.letters.patience = MachineError("store-full", "the disk is full"), 2
    answer = world.run("--json", "deadletter", "replay", "--all", "--yes")
    assert ExitStatus.UNAVAILABLE == answer.status
    assert {"asked": 250, "replayed": 200, "left_alone": 0, "not_reached": 50} == answer.document
    assert "the disk is full" in answer.err
    assert "say the same again" in answer.err


def test_ctrl_c_tells_what_was_done(world: World) -> None:
    """Exit status 130, and the count of what is done and stays so."""
    many(world, 250)
    world.letters.refusal, world.letters.patience = KeyboardInterrupt(), 1
    answer = world.run("deadletter", "purge", "--all", "--yes")
    assert (130, 100) == (answer.status, len(world.letters.purged))
    assert "purged 100 of 250 dead letters; up to 100 more were under way" in answer.err


def test_nothing_to_do_is_no_failure(world: World) -> None:
    """Nobody is asked about nothing."""
    answer = world.run("deadletter", "purge", "--all")
    assert (0, [], "There are no such dead letters; nothing was done.\n") == (answer.status, world.asked, answer.out)


def test_without_an_agent_the_files_are_changed_under_their_lock(dead: World) -> None:
    """And the operator is told that it was so."""
    dead.running = False
    dead.answers = [True]
    answer = dead.run("deadletter", "purge", "--all")
    assert (0, [dead.home]) == (answer.status, dead.locks)
    assert "is not running" in answer.err
    assert {EVENT_ID, REQUEST_ID} == set(dead.letters.purged)


def test_show_tells_the_road_and_what_can_be_done(dead: World) -> None:
    """Without an id it is the last to die."""
    answer = dead.run("deadletter", "show")
    assert "Road" in answer.out
    assert f"iadmin deadletter replay {EVENT_ID}" in answer.out.splitlines()[-2]
    assert REQUEST_ID == dead.run("--json", "deadletter", "show", REQUEST_ID).document["id"]


def test_show_without_any_has_nothing_to_show(world: World) -> None:
    """Exit status 1."""
    answer = world.run("deadletter", "show")
    assert (ExitStatus.FAILED, "iadmin: there are no dead letters\n") == (answer.status, answer.err)


def test_an_editor_changes_a_body(dead: World) -> None:
    """The letter stays dead until it is replayed; the file in which it was edited is gone."""
    places: list[bytes] = []
    dead.edits = [lambda body: places.append(body) or body.replace(b"high", b"low")]  # type: ignore[func-returns-value]
    answer = dead.run("deadletter", "edit", EVENT_ID)
    assert [b'<event xmlns="urn:x"><severity>high</severity></event>'] == places
    assert b'<event xmlns="urn:x"><severity>low</severity></event>' == dead.letters.bodies[EVENT_ID]
    assert (
        f'event {EVENT_ID} has a new body of 53 B; "iadmin deadletter replay {EVENT_ID}" tries it again.\n'
        == answer.out
    )


def test_a_body_that_was_not_changed_is_not_stored(dead: World) -> None:
    """In the editor and from a file."""
    dead.edits = [lambda body: body]
    assert "Nothing was changed.\n" == dead.run("deadletter", "edit", EVENT_ID).out
    dead.stdin = dead.letters.bodies[EVENT_ID]
    assert "Nothing was changed.\n" == dead.run("deadletter", "edit", EVENT_ID, "--file", "-").out
    assert 0 == dead.letters.orders


@pytest.mark.parametrize(
    ("letter_id", "body", "said"),
    [
        (EVENT_ID, b"<event><a></event>", "Line 1, column"),
        (EVENT_ID, b"{}", "it is json, and the event is xml"),
        (EVENT_ID, b"", "body is empty"),
        (REQUEST_ID, b'{"city": ', "the JSON cannot be read"),
    ],
)
def test_a_broken_body_is_not_stored(dead: World, letter_id: str, body: bytes, said: str) -> None:
    """Exit status 65, with line and column; the old body stays."""
    old = dict(dead.letters.bodies)
    dead.stdin = body
    answer = dead.run("deadletter", "edit", letter_id, "--file", "-")
    assert (ExitStatus.DATA, old) == (answer.status, dead.letters.bodies)
    assert said in answer.err


def test_what_was_typed_is_not_lost(dead: World) -> None:
    """A mistake is offered to be mended; whoever says no finds it in a file, for its owner only."""
    dead.edits = [lambda body: b"<a>", lambda body: body + b"</b>", lambda body: body[:3] + b"</a>"]
    dead.answers = [True, True]
    assert 0 == dead.run("deadletter", "edit", EVENT_ID).status
    assert b"<a></a>" == dead.letters.bodies[EVENT_ID]
    dead.edits, dead.answers = [lambda body: b"<a>"], [False]
    answer = dead.run("deadletter", "edit", EVENT_ID)
    kept = Path(answer.err.strip().rpartition(" ")[2])
    assert (ExitStatus.DATA, b"<a>", 0o600) == (answer.status, kept.read_bytes(), kept.stat().st_mode & 0o777)
    assert 0o700 == kept.parent.stat().st_mode & 0o777
    kept.unlink()
    kept.parent.rmdir()


def test_a_letter_that_somebody_else_replayed_is_not_edited(dead: World) -> None:
    """The race is told, and nothing typed is lost."""

    def race(body: bytes) -> bytes:
        del dead.letters.bodies[EVENT_ID]
        return b"<b/>"

    dead.edits = [race]
    answer = dead.run("deadletter", "edit", EVENT_ID)
    assert ExitStatus.FAILED == answer.status
    assert "somebody has replayed or purged it" in answer.err
    kept = Path(answer.err.strip().rpartition(" ")[2])
    assert b"<b/>" == kept.read_bytes()
    kept.unlink()
    kept.parent.rmdir()


def test_edit_and_replay_in_one(dead: World) -> None:
    """The usual thing at three in the morning."""
    (dead.cwd / "mended.json").write_bytes(b'{"city": "Ottawa"}')
    answer = dead.run("--json", "deadletter", "edit", REQUEST_ID, "--file", "mended.json", "--replay")
    assert {"id": REQUEST_ID, "changed": True, "size_bytes": 18, "replayed": True} == answer.document
    assert [REQUEST_ID] == dead.letters.replayed


def test_an_export_is_json_lines(dead: World) -> None:
    """One for each letter, with facts, road and body; what is not text is base64."""
    dead.letters.bodies[REQUEST_ID] = b"\xff\x00"
    answer = dead.run("deadletter", "export", "--all")
    found = {one["id"]: one for one in map(json.loads, answer.out.splitlines())}
    assert '<event xmlns="urn:x"><severity>high</severity></event>' == found[EVENT_ID]["body"]
    assert ("/wA=", "application/json", "outbox") == tuple(
        found[REQUEST_ID][name] for name in ("body_base64", "content_type", "destination")
    )
    assert "iadmin: 2 dead letters written\n" == answer.err
    assert 2 == len(dead.run("--json", "deadletter", "export", "--all").document["dead_letters"])


def test_an_export_into_a_folder_can_be_sent_again(dead: World) -> None:
    """A file for each body, byte by byte, for its owner only; the index tells of each; nothing is overwritten."""
    answer = dead.run("deadletter", "export", "--all", "--to", "letters")
    folder = dead.cwd / "letters"
    assert (0, 0o700) == (answer.status, folder.stat().st_mode & 0o777)
    index = [json.loads(line) for line in (folder / "index.jsonl").read_text("ascii").splitlines()]
    for facts in index:
        path = folder / facts["file"]
        assert (dead.letters.bodies[facts["id"]], 0o600) == (path.read_bytes(), path.stat().st_mode & 0o777)
    assert [f"applications_sample-plan-{EVENT_ID}.xml", f"outbox-{EVENT_ID}.1.json"] == [one["file"] for one in index]
    answer = dead.run("deadletter", "export", "--all", "--to", "letters")
    assert ExitStatus.CANNOT_CREATE == answer.status
    assert 0 == dead.run("event", "send", "sample-plan", f"letters/{index[0]['file']}").status


def test_names_from_outside_do_not_lead_out_of_the_folder(world: World) -> None:
    """A service's or destination's name is not a path."""
    world.letters.add(letter(service="../../etc|passwd"))
    world.run("deadletter", "export", "--all", "--to", "letters")
    assert [world.cwd / "letters"] == [path.parent for path in world.cwd.rglob("*passwd*")]


def test_files_that_somebody_else_works_on_are_left_alone(tmp_path: Path) -> None:
    """An agent that was started meanwhile, or another iadmin, has the lock; the sentence says to come back."""
    from agent.control.lock import HomeLock
    from iadmin.alone import open_changes

    other = HomeLock(tmp_path / "var" / "run" / "agent.pid")
    other.acquire()
    with pytest.raises(MachineError, match="say the same again") as caught, open_changes(tmp_path):
        raise AssertionError("the lock was not looked at")
    assert ExitStatus.TEMPORARY == caught.value.exit_status
    other.release()


def test_requests_keep_their_numbers_on_the_road(dead: World) -> None:
    """Also when one before them was purged."""
    assert dead.link.shown is not None
    dead.link.shown["requests"][0]["id"] = f"{EVENT_ID}/2"
    assert "request 2" in dead.run("event", "show", EVENT_ID).out
    assert "request 1" not in dead.run("event", "show", EVENT_ID).out
