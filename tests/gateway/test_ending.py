"""How far a connection is on the way to its end."""

from __future__ import annotations

from agent.gateway.ending import LINGER_BYTES, LINGER_S, STOP_LINGER_S, Ending


def test_each_step_but_deafness_is_a_beginning_of_the_end() -> None:
    """A connection that is at none of them may take the short way; one that is deaf does not read any more."""
    fresh = Ending()
    begun = []
    for step in (Ending.peer_ended, Ending.stop, Ending.finish):
        ending = Ending()
        step(ending)
        begun.append(ending.has_begun)
    assert (False, [True, True, True]) == (fresh.has_begun, begun)


def test_a_sender_that_goes_on_for_ever_is_not_borne_with() -> None:
    """What comes to deaf ears is dropped up to a bound."""
    ending = Ending()
    assert [False, False, True] == [ending.drop(LINGER_BYTES - 1), ending.drop(1), ending.drop(1)]


def test_an_error_is_followed_by_a_moment_for_the_sender_to_read_it() -> None:
    """Unless the sender has ended its side; and a shorter one when the gateway stops."""
    ending = Ending()
    assert not ending.lingers
    ending.is_deaf = True
    assert (True, LINGER_S) == (ending.lingers, ending.linger_s)
    ending.stop()
    assert (True, STOP_LINGER_S) == (ending.lingers, ending.linger_s)
    ending.peer_ended()
    assert not ending.lingers
