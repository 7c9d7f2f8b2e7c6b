"""Destinations, as the operator sees and changes them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from agent.config.model import HttpDestination
from agent.config.outbound import BasicCredentials
from agent.secret import Secret
from iadmin.model import Hop, HopRoute
from tests.iadmin.fakes import World

TICKETS = HttpDestination(
    name="tickets",
    url="https://tickets.example.com/in?x=1",
    headers=(("X-Site", "7"),),
    credentials=BasicCredentials(user="u", password=Secret("canary")),
)
GOOD = Hop(name="name", is_good=True, sentence="tickets.example.com is 192.0.2.7", ms=3)
BROKEN = Hop(name="TCP", is_good=False, sentence="nothing listens", ms=1, cure="start it")


@attrs.define
class FakeWalker:
    hops: Sequence[Hop]
    routes: list[HopRoute] = attrs.field(factory=list)

    def walk(self, route: HopRoute) -> Sequence[Hop]:
        self.routes.append(route)
        return self.hops


@pytest.fixture
def walker(world: World) -> FakeWalker:
    world.config = attrs.evolve(world.config, destinations=(*world.config.destinations, TICKETS))
    world.walker = FakeWalker([GOOD])
    return world.walker


def test_a_way_is_shown_hop_by_hop_and_ends_where_it_is_broken(world: World, walker: FakeWalker) -> None:
    """With times, the cure below, and exit status 1."""
    walker.hops = [GOOD, BROKEN]
    answer = world.run("destination", "check", "tickets")
    assert 1 == answer.status
    lines = answer.out.splitlines()
    assert ["tickets (https://tickets.example.com/in)", "ok", "BROKEN"] == [
        lines[0],
        lines[2].split()[0],
        lines[3].split()[0],
    ]
    assert "1 ms  nothing listens" in answer.out
    assert "-> start it" in answer.out


def test_the_way_has_the_credentials_and_shows_none(world: World, walker: FakeWalker) -> None:
    """Host, port, path and headers are those of the destination."""
    answer = world.run("--json", "destination", "check", "tickets")
    assert 0 == answer.status
    [route] = walker.routes
    assert ("https", "tickets.example.com", 443, "/in?x=1", True) == (
        route.scheme,
        route.host,
        route.port,
        route.path,
        route.has_credentials,
    )
    assert {"authorization": "Basic canary", "X-Site": "7"} == {name: value.reveal() for name, value in route.headers}
    assert "canary" not in answer.out + repr(route)


def test_all_are_checked_where_none_is_named(world: World, walker: FakeWalker) -> None:
    """A file has no way to walk, and is good."""
    answer = world.run("destination", "check")
    assert 0 == answer.status
    assert "outbox: a file of this machine" in answer.out
    assert 1 == len(walker.routes)


def test_each_url_of_a_destination_is_walked(world: World, walker: FakeWalker) -> None:
    """Also the secondary ones, which nobody looks at until they are needed."""
    further = attrs.evolve(TICKETS, further_urls=("https://second.example.com/in",))
    world.config = attrs.evolve(world.config, destinations=(further,))
    assert 0 == world.run("destination", "check", "tickets").status
    assert ["tickets.example.com", "second.example.com"] == [route.host for route in walker.routes]


def test_a_destination_that_is_not_there_is_told_with_its_neighbour(world: World, walker: FakeWalker) -> None:
    """A misspelt name is the commonest reason."""
    answer = world.run("destination", "check", "ticket")
    assert 1 == answer.status
    assert "no destination 'ticket'; did you mean tickets?" in answer.err


def test_pause_and_resume_reach_the_agent(world: World) -> None:
    """And are refused where none runs."""
    assert 0 == world.run("destination", "pause", "tickets").status
    assert 0 == world.run("destination", "resume", "tickets").status
    assert [("tickets", True), ("tickets", False)] == world.link.asked
    world.running = False
    assert 69 == world.run("destination", "pause", "tickets").status


@pytest.mark.parametrize(("status", "exit_status"), [(204, 0), (404, 1)])
def test_send_shows_the_answer(world: World, status: int, exit_status: int) -> None:
    """The type is that of the content; the exit status that of the answer."""
    world.stdin = b'{"a": 1}'
    world.link.said = {"status": status, "where": "https://t.example/in", "body": "so\x1b[2J", "body_cut": False}
    answer = world.run("destination", "send", "tickets", "-", "--path", "/x")
    assert exit_status == answer.status
    assert f"https://t.example/in answered {status}" in answer.out
    assert "so\\x1b[2J" in answer.out
    assert [
        ("tickets", {"body": '{"a": 1}', "path": "/x", "method": "", "content_type": "application/json"})
    ] == world.link.asked


def test_check_with_send_sends_only_over_a_good_way(world: World, walker: FakeWalker) -> None:
    """Nothing leaves where a hop is broken."""
    world.stdin = b"<a/>"
    world.link.said = {"status": 200, "where": "x"}
    assert 0 == world.run("destination", "check", "tickets", "--send", "-").status
    assert "tickets" == world.link.asked[0][0]
    walker.hops = [BROKEN]
    assert 1 == world.run("destination", "check", "tickets", "--send", "-").status
    assert 1 == len(world.link.asked)
    assert 64 == world.run("destination", "check", "--send", "-").status


def test_the_list_says_what_is_paused_and_works_without_an_agent(world: World, walker: FakeWalker) -> None:
    """State, backlog and target; the same keys from the configuration."""
    world.link.status_answer["destinations"] = [
        {"destination": "tickets", "target": "https://t/", "paused": True, "backlog": 7, "last_error": "refused"}
    ]
    out = world.run("destination", "list").out
    assert ["tickets", "paused", "7", "0", "none", "https://t/"] == out.splitlines()[1].split()
    assert "Last errors\ntickets  refused" in out
    world.running = False
    found = world.run("--json", "destination", "list").document["destinations"]
    assert [("outbox", "outbox"), ("tickets", "https")] == [(one["destination"], one["kind"]) for one in found]
