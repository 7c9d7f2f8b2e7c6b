"""The memory that all bodies together may take."""

from agent.config.model import GatewayLimits
from agent.gateway.budget import SMALL_BYTES, Budget, tidy_up
from tests.support.gateway import Client, Stage, post

MIB = 1024 * 1024
LIMITS = GatewayLimits(max_bodies_in_flight_bytes=4 * MIB)


def uploading(stage: Stage, sent: int, declared: int = 3 * MIB) -> Client:
    """A connection that has sent `sent` bytes of a body of `declared`."""
    client = stage.client()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % declared)
    client.send(head, *([b"x" * MIB] * (sent // MIB)), b"x" * (sent % MIB))
    return client


def test_a_large_body_is_refused_from_its_head_when_there_is_no_room() -> None:
    """503 with Retry-After before a byte of it has come; it takes nothing."""
    stage = Stage(limits=LIMITS)
    uploading(stage, 2 * MIB)
    late = uploading(stage, 0)
    (answer,) = late.answers
    assert (503, "5") == (answer.status, answer.headers["retry-after"])
    assert 2 * MIB == stage.gateway._reception.budget.held_bytes
    assert 1 == stage.counters.counts["gateway.refused", "too-many-bodies"]


def test_who_passes_the_sum_on_the_way_is_refused() -> None:
    """Two that began together: the one that comes to the bound has to go, the other one ends."""
    stage = Stage(limits=LIMITS)
    first, second = uploading(stage, MIB), uploading(stage, 0)
    second.send(*([b"x" * MIB] * 2), b"x" * (MIB - 1))
    first.send(b"x" * MIB)
    assert ([503], []) == (first.statuses, second.statuses)
    second.send(b"x")
    stage.run_threads()
    assert [415] == second.statuses
    assert 0 == stage.gateway._reception.budget.held_bytes


def test_small_bodies_are_taken_all_the_same() -> None:
    """An event of a few KiB finds its way beside uploads that fill the sum."""
    stage = Stage(limits=LIMITS)
    uploading(stage, 3 * MIB - 1), uploading(stage, MIB, MIB + 1)
    client = stage.client()
    client.send(post())
    assert [202] == client.statuses
    client = stage.client()
    client.send(post(b"<a>" + b" " * (SMALL_BYTES - 7) + b"</a>"))
    stage.run_threads()
    assert [202] == client.statuses


def test_what_was_held_is_given_back() -> None:
    """By those that are stored, refused, cut off or gone; nothing is left when nobody is there."""
    stage = Stage(limits=LIMITS, at_once=False)
    budget = stage.gateway._reception.budget
    stored, gone, slow, wrong = stage.client(), uploading(stage, MIB), uploading(stage, 100), stage.client()
    stored.send(post() + post())
    wrong.send(post(b"<a>"), post(b"x" * 1000, target="/http/nobody"))
    stage.sink.commit()
    gone.transport.abortConnection()
    stored.transport.abortConnection()
    assert 100 == budget.held_bytes
    stage.pass_time(30)
    assert [408] == slow.statuses
    assert 0 == budget.held_bytes


def test_an_event_counts_until_it_is_stored() -> None:
    """Its bytes are in memory until then, also when its sender has left."""
    stage = Stage(limits=LIMITS, at_once=False)
    client = stage.client()
    client.send(post())
    budget = stage.gateway._reception.budget
    assert budget.held_bytes > 0
    client.transport.abortConnection()
    assert budget.held_bytes > 0
    stage.sink.commit()
    assert 0 == budget.held_bytes


def test_who_crawls_has_to_go_when_room_is_short() -> None:
    """With room enough a slow upload may go on; where three quarters are used, it makes room for the others."""
    stage = Stage(limits=LIMITS)
    slow = uploading(stage, MIB)
    for _ in range(20):
        stage.pass_time(1)
        slow.send(b"x" * 5000)
    assert [] == slow.statuses
    quick = uploading(stage, 2 * MIB + MIB // 2, 2 * MIB + 800 * 1024)
    for _ in range(12):
        stage.pass_time(1)
        slow.send(b"x" * 5000)
        quick.send(b"x" * 20_000)
    assert ([408], []) == (slow.statuses, quick.statuses)


def test_much_that_was_freed_goes_back_to_the_system_once() -> None:
    """After a crowd of large bodies, when they are gone; a normal day never comes to that."""
    budget = Budget(most_bytes=10**9)
    budget.take(10**8, of_bytes=10**8)
    budget.take(10**7, of_bytes=10**7)
    before = budget.is_to_be_tidied()
    budget.give_back(10**8)
    assert [False, True, False] == [before, budget.is_to_be_tidied(), budget.is_to_be_tidied()]
    for _ in range(60):
        budget.give_back(10**6)
    assert not budget.is_to_be_tidied()
    tidy_up()
