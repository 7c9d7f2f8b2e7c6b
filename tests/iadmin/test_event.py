"""Events that came in, and what became of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.config.problem import Problem
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.edges import PostAnswer
from iadmin.link import NotRunning
from tests.iadmin.fakes import EVENT_ID, World, agent_config, detail, service_config, summary
from tests.iadmin.keystores import made
from tests.iadmin.test_tls import material


def test_filters_reach_the_agent(world: World) -> None:
    """Names are looked up, what is not asked for is not sent."""
    answer = world.run("event", "list", "--service", "sample-plan", "--state", "dead", "--limit", "7")
    assert 0 == answer.status
    assert [
        {
            "service": "applications|sample-plan",
            "state": "dead",
            "limit": "7",
        }
    ] == world.link.asked


def test_since_leaves_out_what_is_older(world: World) -> None:
    """Ages count from now, and the zones of both times are minded."""
    world.link.listed = [summary(id="new"), summary(id="old", received="2025-07-30T11:59:59.999+02:00")]
    listed = world.run("event", "list", "--since", "2h", "--json").document["events"]
    assert ["new"] == [event["id"] for event in listed]
    assert 2 == len(world.run("event", "list", "--since", "1d", "--json").document["events"])
    assert ExitStatus.USAGE == world.run("event", "list", "--since", "soon").status


def test_without_the_agent_the_files_are_read(world: World) -> None:
    """The same filters, and standard error says where the answer is from."""
    world.running = False
    answer = world.run("event", "list", "--service", "applications|gone", "--limit", "7")
    assert [{"service": "applications|gone", "limit": 7}] == world.journal.asked
    assert EVENT_ID in answer.out
    assert f"iadmin: the agent on {world.home} is not running; this is read from its files\n" == answer.err


@pytest.mark.parametrize("words", [("event", "list"), ("event", "show"), ("deadletter", "list"), ("service", "list")])
def test_an_agent_without_its_socket_is_starting_or_stopping(world: World, words: tuple[str, ...]) -> None:
    """It holds the home: the files are read, and nobody is told that there is no agent."""
    world.link.failure = NotRunning("not-running", "no agent runs on this home")
    answer = world.run(*words)
    assert (0, True) == (answer.status, "is starting or stopping; this is" in answer.err)


def test_a_home_that_never_ran_has_no_events(world: World) -> None:
    """No spool is no fault."""
    world.running = False
    world.journal.failure = OperatorError("spool-missing", "there is no spool here")
    assert (0, "There are no events yet.\n") == ((answer := world.run("event", "list")).status, answer.out)
    assert ExitStatus.FAILED == world.run("event", "show").status
    assert ExitStatus.FAILED == world.run("event", "show", "01").status
    world.journal.failure = OperatorError("spool-damaged", "keep a copy of the folder")
    assert (ExitStatus.CONFIG, True) == ((answer := world.run("event", "list")).status, "keep a copy" in answer.err)


def test_a_list_has_one_line_per_event(world: World) -> None:
    """Bare names where they tell services apart, client ids where they do not."""
    world.link.listed = [summary(), summary(state="dead", reason="no such pump\x07")]
    lines = world.run("event", "list").out.splitlines()
    assert ["10:22:31", "done", "sample-plan", EVENT_ID, "1", "231", "B", "127.0.0.1"] == lines[1].split()
    assert lines[2].endswith("no such pump\\x07")
    world.link.listed = [summary(service="a|x"), summary(service="b|x")]
    assert ["a|x", "b|x"] == [line.split()[2] for line in world.run("event", "list").out.splitlines()[1:]]


def test_a_lost_delivery_does_not_look_like_success(world: World) -> None:
    """The event is done; what it produced was not taken, and the list says so, with the reason."""
    world.link.listed = [
        summary(requests_done=2, requests_dead=1, lost="request 3 to xmatters: connection refused"),
        summary(requests_open=1),
        summary(requests_done=1),
    ]
    lines = world.run("event", "list").out.splitlines()
    assert "SENT" in lines[0].split()
    assert ("1 dead, 2 done" in lines[1], lines[1].endswith("to xmatters: connection refused")) == (True, True)
    assert ("1 open" in lines[2], "1 done" in lines[3]) == (True, True)


def test_no_match_is_told_from_no_events(world: World) -> None:
    """A filter that fits nothing is not an empty spool."""
    world.link.listed = []
    assert "There are no events yet.\n" == world.run("event", "list").out
    assert "There are no such events.\n" == world.run("event", "list", "--state", "dead").out


def test_a_filter_by_name_needs_the_configuration(world: World) -> None:
    """Where that is broken, the client id still works."""
    world.faults = [Problem(file="iaconfig.xml", text="broken")]
    answer = world.run("event", "list", "--service", "sample-plan")
    assert ExitStatus.CONFIG == answer.status
    assert 'say "domain|name"' in answer.err
    assert 0 == world.run("event", "list", "--service", "applications|sample-plan").status


def test_show_tells_the_whole_road(world: World) -> None:
    """Steps of event and requests in one line of time, then what came in, what was sent, and the answer."""
    answer = world.run("event", "show", EVENT_ID[:9].upper())
    assert (0, [EVENT_ID[:9]]) == (answer.status, world.link.asked)
    lines = answer.out.splitlines()
    road = [line.split() for line in lines[lines.index("Road") + 2 :]][:5]
    assert [
        ["10:22:31.123", "+0", "ms", "event", "received", "from", "127.0.0.1"],
        ["10:22:31.126", "+3", "ms", "event", "stored"],
        ["10:22:31.140", "+17", "ms", "event", "handed", "attempt", "1"],
        ["10:22:31.190", "+67", "ms", "event", "done", "1", "request"],
        ["10:22:31.201", "+78", "ms", "request", "1", "sent", "to", "outbox"],
    ] == road
    for line in (
        f"event     {EVENT_ID}",
        "  <city>Victoria</city>",
        "Request 1 to outbox",
        "header  X-Test: 1",
        '{"city": "Victoria"}',
        "answer  written, var/outbox/outbox.jsonl",
    ):
        assert line in lines
    assert detail() == world.run("event", "show", EVENT_ID, "--json").document


def test_show_without_an_id_takes_the_newest(world: World) -> None:
    """The one just sent is the one asked about most."""
    assert 0 == world.run("event", "show").status
    assert [{"limit": "1"}, EVENT_ID] == world.link.asked


def test_an_unknown_id_says_where_the_ids_are(world: World) -> None:
    """Also one that begins more than one id."""
    world.link.shown = None
    answer = world.run("event", "show", "01")
    assert (ExitStatus.FAILED, "") == (answer.status, answer.out)
    assert '"iadmin event list" shows the ids' in answer.err


def test_a_request_tells_its_status_and_its_trouble(world: World) -> None:
    """What a destination answered is shown as it came, made safe."""
    request = detail()["requests"][0]
    answered = {
        "status": 503,
        "where": "https://example.com/",
        "body": "try\x1b[2J later",
        "content_type": "text/plain",
    }
    world.link.shown = detail(
        requests=[
            request | {"state": "waiting", "answer": answered, "reason": "503"},
            request | {"id": f"{EVENT_ID}/2", "answer": None, "state": "received"},
        ],
        body_cut=True,
    )
    out = world.run("event", "show").out
    for text in ("status 503, https://example.com/", "try\\x1b[2J later", "Request 2 to", "No answer yet.", "(cut)"):
        assert text in out


def test_a_traceback_stands_below_the_road(world: World) -> None:
    """The time line shows its first line, the rest keeps its lines."""
    step = {"at": "2025-07-30T10:22:31.190+00:00", "step": "postponed", "text": "ValueError: x\nTraceback:\n  File y"}
    world.link.shown = detail(steps=[step], requests=[])
    lines = world.run("event", "show").out.splitlines()
    assert ["10:22:31.190", "+0", "ms", "event", "postponed", "ValueError:", "x"] in [line.split() for line in lines]
    assert ["Traceback:", "  File y"] == lines[lines.index("Details of event, attempt 0") + 1 :][:2]


def _attempt(number: int, text: str) -> list[dict[str, str]]:
    at = f"2025-07-30T10:{number:02}:00.000+00:00"
    return [
        {"at": at, "step": "begun", "text": f"handed to x, attempt {number}"},
        {"at": at, "step": "postponed", "text": text},
    ]


def test_an_event_that_was_retried_is_no_wall(world: World) -> None:
    """One traceback, each attempt with its time, and when the next one comes."""
    failure = "on_event raised ValueError: no such pump\nTraceback:\n  File y"
    steps = [step for number in range(1, 5) for step in _attempt(number, failure)]
    world.link.shown = detail(steps=steps, requests=[], state="waiting", due="2025-07-30T12:05:00.000+00:00")
    out = world.run("event", "show").out
    assert (1, 1, 4) == (out.count("File y"), out.count("no such pump"), out.count("handed to x"))
    assert "Details of event, attempt 4" in out
    assert "Those of 3 earlier ones are the same" in out
    assert "next try  2025-07-30 12:05:00.000+00:00, in 5 min" in out


def test_nine_hundred_attempts_fit_on_a_page(world: World) -> None:
    """The first and the last are shown, and how many are not."""
    steps = [step for number in range(1, 60) for step in _attempt(number, f"refused {number}")]
    world.link.shown = detail(steps=steps, requests=[])
    lines = world.run("event", "show").out.splitlines()
    assert len(lines) < 40
    assert any("106 steps" in line for line in lines)
    assert any("refused 59" in line for line in lines)


def test_send_posts_to_the_real_url(world: World) -> None:
    """The id alone on standard output, the rest on standard error."""
    (world.cwd / "event.xml").write_bytes(b"<event/>")
    answer = world.run("event", "send", "sample-plan", "event.xml")
    assert (0, f"{EVENT_ID}\n") == (answer.status, answer.out)
    assert [("http://127.0.0.1:8081/http/applications_sample-plan", "application/xml", b"<event/>")] == world.posts
    assert {
        "url": world.posts[0][0],
        "service": "applications|sample-plan",
        "status": 202,
        "request_id": EVENT_ID,
    } == world.run("event", "send", "sample-plan", "event.xml", "--json").document


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b' \n{"a": 1}', "application/json"),
        (b"[1]", "application/json"),
        (b"\xef\xbb\xbf<a/>", "application/xml"),
        ("<a/>".encode("utf-16"), "application/xml"),
        (b"", "application/xml"),
    ],
)
def test_send_reads_standard_input(world: World, body: bytes, content_type: str) -> None:
    """The Content-Type comes from the first characters; the body goes out as it is."""
    world.stdin = body
    world.run("event", "send", "applications_sample-plan", "-")
    assert [(content_type, body)] == [post[1:] for post in world.posts]


def test_send_goes_where_the_agent_listens(world: World) -> None:
    """A port changed in the file does not move a running agent; without one the file decides."""
    world.link.status_answer["gateways"] = [{"host": "::", "port": 9000, "ssl": False}]
    world.run("event", "send", "sample-plan", "-")
    world.running = False
    world.run("event", "send", "sample-plan", "-")
    assert ["http://[::1]:9000", "http://127.0.0.1:8081"] == [post[0].partition("/http/")[0] for post in world.posts]


def test_send_goes_to_the_gateway_that_is_named(world: World) -> None:
    """By its port; one that is not there is told with those that are."""
    world.link.status_answer["gateways"] = [
        {"host": "127.0.0.1", "port": 8080, "ssl": False},
        {"host": "", "port": 9000, "ssl": False},
    ]
    world.run("event", "send", "sample-plan", "-", "--gateway", "9000")
    assert "http://127.0.0.1:9000" == world.posts[0][0].partition("/http/")[0]
    answer = world.run("event", "send", "sample-plan", "-", "--gateway", "9001")
    assert 64 == answer.status
    assert "no service-gateway is on port 9001; there are: 8080 (http), 9000 (http)" in answer.err


def test_send_goes_over_https_with_credentials(world: World) -> None:
    """What the agent presents is what is trusted; user and password go along."""
    own = made("plant7.example.com")
    world.material = material(own)
    world.link.status_answer["gateways"] = [{"host": "", "port": 8081, "ssl": True}]
    (world.cwd / "pw").write_text("s3cret\n")
    world.run("event", "send", "sample-plan", "-", "--user", "EMS", "--password-file", "pw")
    assert "https://127.0.0.1:8081/http/applications_sample-plan" == world.posts[0][0]
    assert [({"Authorization": "Basic RU1TOnMzY3JldA=="}, (own.certificate.der,))] == world.post_facts
    assert 64 == world.run("event", "send", "sample-plan", "-", "--password-file", "pw").status


def test_send_needs_a_certificate_that_can_be_read(world: World) -> None:
    """Else it would not know whom it talks to."""
    world.material = OperatorError("x", "the keystore does not open")
    world.link.status_answer["gateways"] = [{"host": "", "port": 8081, "ssl": True}]
    answer = world.run("event", "send", "sample-plan", "-")
    assert 78 == answer.status
    assert "the keystore does not open" in answer.err


@pytest.mark.parametrize(
    ("http_status", "exit_status"),
    [(400, 65), (415, 65), (401, 77), (404, 78), (429, 75), (503, 75), (500, 69), (302, 69)],
)
def test_a_refused_event_is_a_failure(world: World, http_status: int, exit_status: int) -> None:
    """The gateway's own sentence, and a status that a script can tell apart."""
    world.answer = PostAnswer(
        status=http_status, content_type="application/problem+json", body=b'{"detail": "line 3: not closed"}'
    )
    answer = world.run("event", "send", "sample-plan", "-")
    assert (exit_status, "") == (answer.status, answer.out.strip())
    assert f"with status {http_status}: line 3: not closed" in answer.err


def test_a_service_that_answers_itself_is_heard(world: World) -> None:
    """Its body is shown."""
    world.answer = PostAnswer(status=201, content_type="text/plain", body=b"made 17\n")
    answer = world.run("event", "send", "sample-plan", "-")
    assert (0, "made 17\n") == (answer.status, answer.out)


def test_send_names_the_service_or_the_file_that_is_missing(world: World) -> None:
    """Each in one sentence, before anything is sent."""
    answer = world.run("event", "send", "sampleplan", "-")
    assert (ExitStatus.USAGE, True) == (answer.status, 'did you mean "sample-plan"?' in answer.err)
    answer = world.run("event", "send", "sample-plan", "missing.xml")
    assert (ExitStatus.NO_INPUT, True) == (answer.status, "cannot read 'missing.xml'" in answer.err)
    assert [] == world.posts


def test_an_ambiguous_name_is_refused(world: World) -> None:
    """The sentence offers the choice."""
    world.config = agent_config(service_config("a", "x"), service_config("b", "x"))
    answer = world.run("event", "send", "x", "-")
    assert 'say "a|x" or "b|x"' in answer.err


def many(count: int) -> list[dict[str, Any]]:
    """Events, the newest first, one a minute; each tenth is about a pump."""
    start = datetime(2025, 7, 30, 11, 0, tzinfo=UTC)
    return [
        summary(
            id=f"019dd2b4-7c1e-7a39-b3b1-{count - number:012x}",
            received=(start - timedelta(minutes=number)).isoformat(timespec="milliseconds"),
            body=f"<event><pump>{number}</pump></event>" if number % 10 == 0 else "<event><fan/></event>",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("match", ["//pump", "xpath:count(//pump) = 1", "<pump>"])
@pytest.mark.parametrize("running", [True, False])
def test_match_looks_into_bodies(world: World, match: str, running: bool) -> None:
    """As text or as XPath, with and without an agent; what was read for it is not listed."""
    world.running = running
    world.link.listed = world.journal.listed = many(25)
    found = json.loads(world.run("--json", "event", "list", "--match", match).out)["events"]
    assert ["2025-07-30T11:00", "2025-07-30T10:50", "2025-07-30T10:40"] == [one["received"][:16] for one in found]
    assert "steps" not in found[0]
    assert "body_base64" not in found[0]


def test_since_and_before_bound_the_pages_that_are_read(world: World) -> None:
    """The newer ones are left out by whoever lists, and nothing behind the oldest is read."""
    world.link.listed = many(3000)
    found = json.loads(world.run("--json", "event", "list", "--since", "2h", "--before", "30m", "--limit", "1000").out)
    assert 61 == len(found["events"])
    assert [{"until": "2025-07-30T11:30:00+00:00", "limit": "1000"}] == world.link.asked


def test_export_writes_what_fits_without_a_request_for_each(world: World) -> None:
    """As JSON lines, or as files with an index, with a bar that comes to its end."""
    world.link.listed = many(300)
    answer = world.run("event", "export", "--match", "//pump")
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert 30 == len(lines)
    assert "<event><pump>0</pump></event>" == lines[0]["body"]
    assert "30 events written" in answer.err
    assert [("writing events", 30, 30)] == [(what, total, told[-1]) for what, total, told in world.bars]
    # The fake gives three at a time; a real answer has hundreds.
    assert 2 * (300 // 3 + 1) == len(world.link.asked)
    world.link.asked.clear()
    answer = world.run("event", "export", "--all", "--to", "out")
    assert "300 events written to" in answer.out
    assert 301 == len(list((world.cwd / "out").iterdir()))
    assert len(world.link.asked) <= 1 + 300 // 3 + 1


def test_export_wants_to_know_which_ones(world: World) -> None:
    """64, and nothing is written."""
    answer = world.run("event", "export")
    assert (64, "") == (answer.status, answer.out)
    assert "or --all" in answer.err


def test_an_event_goes_over_the_admin_link(world: World) -> None:
    """To another machine: without the gateway, its URL, and credentials for it."""
    (world.cwd / "e.xml").write_text("<event/>")
    afar = ("--connect", "plant7:8082")
    answer = world.run(*afar, "event", "send", "sample-plan", "e.xml")
    assert (0, "new\n", []) == (answer.status, answer.out, world.posts)
    assert ("put in application/xml <event/>", "applications|sample-plan") == world.link.asked[-1]
    for more in (("--user", "x"), ("--gateway", "8081")):
        assert ExitStatus.USAGE == world.run(*afar, "event", "send", "sample-plan", "e.xml", *more).status


def test_a_done_event_comes_once_more(world: World) -> None:
    """After a question; the new id stands alone on standard output."""
    world.answers = [True, False]
    answer = world.run("event", "replay", EVENT_ID[:20])
    assert (0, "new\n", ("repeat", EVENT_ID)) == (answer.status, answer.out, world.link.asked[-1])
    answer = world.run("event", "replay", EVENT_ID)
    assert (ExitStatus.FAILED, "Nothing was done.\n") == (answer.status, answer.out)
    assert ExitStatus.USAGE == world.run("event", "replay", EVENT_ID).status
    assert [("repeat", EVENT_ID)] == [one for one in world.link.asked if one[0] == "repeat"]
    assert {"replayed": [{"of": EVENT_ID, "id": "new"}]} == world.run(
        "--json", "event", "replay", EVENT_ID, "--yes"
    ).document


def test_an_event_that_is_not_there_does_not_come(world: World) -> None:
    """The sentence says where the ids are."""
    world.link.shown = None
    answer = world.run("event", "replay", "nosuch", "--yes")
    assert (ExitStatus.FAILED, True) == (answer.status, "begins with 'nosuch'" in answer.err)
    assert ["nosuch"] == world.link.asked
