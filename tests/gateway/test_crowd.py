"""agent.gateway.crowd: who makes room when the house is full, and who goes first through the turnstile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.config.model import GatewayLimits
from agent.gateway.census import Worth
from agent.gateway.crowd import IN_VAIN, Crowd, Turnstile
from tests.support.gateway import SEED, Stage, post


class Guest:
    """A visitor of a given worth."""

    def __init__(self, worth: Worth) -> None:
        self.worth = worth
        self.end = ""

    def wind_down(self) -> None:
        self.end = "wound down"

    def abort(self) -> None:
        self.end = "aborted"


def crowd_of(*worths: Worth, place: str = "a") -> tuple[Crowd[Guest], list[Guest]]:
    crowd: Crowd[Guest] = Crowd()
    guests = [Guest(worth) for worth in worths]
    for guest in guests:
        crowd.add(guest, place)
    return crowd, guests


@pytest.mark.parametrize(
    ("worths", "ends"),
    [
        ((Worth.WAITING, Worth.SENDING, Worth.RESTING, Worth.NOTHING_YET), ["", "", "", "aborted"]),
        ((Worth.WAITING, Worth.SENDING, Worth.RESTING, Worth.RESTING), ["", "", "wound down", ""]),
        ((Worth.WAITING, Worth.SENDING, Worth.WAITING, Worth.SENDING), ["", "aborted", "", ""]),
        ((Worth.WAITING, Worth.WAITING, Worth.WAITING, Worth.WAITING), ["", "", "", ""]),
    ],
)
def test_the_least_goes_first(worths: tuple[Worth, ...], ends: list[str]) -> None:
    """The longest there among those; a sender that waits for its answer never."""
    crowd, guests = crowd_of(*worths)
    is_room = any(ends)
    assert (is_room, is_room) == crowd.make_room("b", most=4, most_of_place=4)
    assert ends == [guest.end for guest in guests]
    assert 4 - is_room == len(crowd)


def test_nobody_goes_while_there_is_room() -> None:
    """The limits are not passed by this one."""
    crowd, guests = crowd_of(Worth.NOTHING_YET)
    assert (True, False) == crowd.make_room("a", most=2, most_of_place=2)
    assert [""] == [guest.end for guest in guests]


def test_a_place_makes_room_out_of_its_own() -> None:
    """Who has come from elsewhere is not touched, even when it has brought less."""
    crowd, (old, young) = crowd_of(Worth.RESTING, Worth.RESTING)
    other = Guest(Worth.NOTHING_YET)
    crowd.add(other, "b")
    assert (True, True) == crowd.make_room("a", most=100, most_of_place=2)
    assert ["wound down", "", ""] == [old.end, young.end, other.end]
    assert (1, 1) == (crowd.count("a"), crowd.count("b"))


def test_while_all_wait_newcomers_find_no_room() -> None:
    """All are looked at again only after some more, or when the gateway says that time has passed."""
    crowd, guests = crowd_of(Worth.WAITING, Worth.WAITING)

    def enters() -> bool:
        return crowd.make_room("b", most=2, most_of_place=9)[0]

    assert not enters()
    guests[1].worth = Worth.RESTING
    assert [False] * (IN_VAIN - 1) + [True] == [enters() for _ in range(IN_VAIN)]
    assert ["", "wound down"] == [guest.end for guest in guests]
    guests[0].worth = Worth.RESTING
    crowd.look_again()
    assert (True, True) == crowd.make_room("a", most=9, most_of_place=1)


@pytest.mark.parametrize("worth", [Worth.NOTHING_YET, Worth.RESTING, Worth.SENDING])
def test_a_hoard_takes_the_room_from_itself(worth: Worth) -> None:
    """Whatever it does, and however many newcomers it sends: other places keep a few resting connections."""
    crowd, good = crowd_of(Worth.RESTING, Worth.RESTING, place="good")
    hoard = [Guest(worth) for _ in range(100)]
    for guest in hoard:
        crowd.add(guest, "hoard")
    for _ in range(1000):
        assert (True, True) == crowd.make_room("hoard", most=102, most_of_place=1000)
        crowd.add(Guest(Worth.NOTHING_YET), "hoard")
    assert ["", ""] == [guest.end for guest in good]


def test_a_pool_of_connections_stays_behind_a_spread_hoard() -> None:
    """Of places with one silent connection each, a pool of four resting ones loses nothing."""
    crowd, pool = crowd_of(*[Worth.RESTING] * 4, place="pool")
    spread = [Guest(Worth.NOTHING_YET) for _ in range(10)]
    for number, guest in enumerate(spread):
        crowd.add(guest, f"bot {number}")
    pool_first = crowd.make_room("new", most=14, most_of_place=9)
    for _ in range(9):
        crowd.make_room("new", most=len(crowd), most_of_place=9)
    assert (True, True) == pool_first
    assert (1, 9) == (sum(bool(guest.end) for guest in pool), sum(bool(guest.end) for guest in spread))


def test_a_newcomer_comes_through_its_handshake() -> None:
    """It has brought nothing yet, but its place idles less than that of those who have rested all along."""
    crowd, _ = crowd_of(*[Worth.RESTING] * 20, place="hoard")
    assert (True, True) == crowd.make_room("good", most=20, most_of_place=99)
    newcomer = Guest(Worth.NOTHING_YET)
    crowd.add(newcomer, "good")
    for _ in range(10):
        crowd.make_room("hoard", most=20, most_of_place=99)
        crowd.add(Guest(Worth.RESTING), "hoard")
    assert "" == newcomer.end


def test_who_has_begun_to_work_is_looked_at_again() -> None:
    """What was idle at the last look may be owed an answer now."""
    crowd, (first, second) = crowd_of(Worth.RESTING, Worth.RESTING)
    third = Guest(Worth.RESTING)
    crowd.add(third, "c")
    crowd.make_room("b", most=3, most_of_place=9)
    second.worth = Worth.WAITING
    crowd.make_room("b", most=2, most_of_place=9)
    assert ["wound down", "", "wound down"] == [first.end, second.end, third.end]


def test_who_takes_over_a_connection_keeps_its_place() -> None:
    """And who has left is not missed twice."""
    crowd, (first,) = crowd_of(Worth.NOTHING_YET)
    second = Guest(Worth.WAITING)
    crowd.replace(first, second)
    crowd.discard(first)
    assert ([second], 1) == (list(crowd), crowd.count("a"))
    crowd.discard(second)
    assert (0, 0) == (len(crowd), crowd.count("a"))


def test_a_good_sender_gets_in_beside_a_hoard() -> None:
    """A host that takes all its places and drips is the one that loses them."""
    stage = Stage(limits=GatewayLimits(max_connections=20, max_connections_per_peer=10))
    slow = [stage.client(peer="198.51.100.1") for _ in range(50)]
    for client in slow:
        client.send(b"POST /http/applications_sample-plan HT")
    good = stage.client()
    good.send(post(SEED))
    same = stage.client(peer="198.51.100.1")
    same.send(post(SEED))
    assert ([202], [202]) == (good.statuses, same.statuses)
    assert 10 >= sum(not client.transport.closed for client in slow)


def test_what_a_connection_is_worth() -> None:
    """It follows from what has been read and what is owed."""
    stage = Stage(at_once=False)
    client = stage.client()
    request = post(SEED)
    found = []
    for piece in (request[:-5], request[-5:]):
        client.send(piece)
        found.append(client.connection.worth)
    stage.sink.commit()
    found.append(client.connection.worth)
    client.send(request[:20])
    found.append(client.connection.worth)
    assert [Worth.SENDING, Worth.WAITING, Worth.RESTING, Worth.NOTHING_YET] == found


class Turns:
    """The turns of a reactor, by hand."""

    def __init__(self) -> None:
        self.next: list[Callable[[], None]] = []
        self.passed: list[int] = []
        self.turnstile = Turnstile(soon=self.next.append, per_turn=2)

    def enter(self, *numbers: int) -> None:
        for number in numbers:
            if self.turnstile.passes(lambda number=number: self.passed.append(number)):  # type: ignore[misc]
                self.passed.append(number)

    def turn(self) -> None:
        now, self.next[:] = list(self.next), []
        for call in now:
            call()


def test_so_many_in_a_turn() -> None:
    """The others follow in their order, before those who come later."""
    turns = Turns()
    turns.enter(1, 2, 3, 4, 5)
    assert [1, 2] == turns.passed
    turns.turn()
    turns.enter(6)
    assert [1, 2, 3, 4] == turns.passed
    turns.turn()
    assert [1, 2, 3, 4, 5, 6] == turns.passed
    turns.turn()
    assert [] == turns.next
    turns.enter(7)
    assert 7 == turns.passed[-1]
