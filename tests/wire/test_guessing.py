"""agent.wire.guessing: who tries credentials out waits longer and longer, and nobody else does."""

from __future__ import annotations

from agent.wire.guessing import FORGET_S, FREE_GUESSES, MAX_KEYS, MAX_WAIT_S, Guesses, place_of

EMS = ("192.0.2.7", "ems")


def guess(guesses: Guesses, times: int, now_s: float = 0.0, key: tuple[str, str] = EMS) -> list[float]:
    return [guesses.note(key, b"%d" % number, now_s) for number in range(times)]


def test_the_wait_doubles_up_to_five_minutes():
    """The first guesses are free, for people who mistype."""
    waits = guess(Guesses(), FREE_GUESSES + 12)
    assert [0.0] * FREE_GUESSES + [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] == waits


def test_thousands_of_guesses():
    """The arithmetic does not overflow."""
    assert MAX_WAIT_S == guess(Guesses(), 3000)[-1]


def test_others_behind_the_same_proxy_do_not_wait():
    """The account belongs to the key."""
    guesses = Guesses()
    guess(guesses, 50)
    assert 0 == guesses.wait_s(("192.0.2.7", "other"), 0.0)
    assert 0 < guesses.wait_s(EMS, 0.0)


def test_the_same_wrong_password_is_one_guess():
    """A badly configured sender repeats itself for days and is no attack."""
    guesses = Guesses()
    assert [0.0] * 100 == [guesses.note(EMS, b"same", float(at)) for at in range(100)]
    assert guesses.is_known(EMS, b"same")
    assert not guesses.is_known(EMS, b"new")


def test_the_right_password_ends_the_matter():
    """And so does an hour without a failure."""
    guesses = Guesses()
    guess(guesses, 50)
    guesses.forgive(EMS)
    assert 0 == guesses.wait_s(EMS, 0.0)
    guess(guesses, 50)
    assert 0 == guesses.note(EMS, b"late", FORGET_S + 1)


def test_the_memory_is_bounded():
    """The oldest go: whoever wants to push a record out needs as many checked guesses for it."""
    guesses = Guesses()
    guess(guesses, 50)
    for number in range(MAX_KEYS):
        guesses.note(("192.0.2.8", str(number)), b"", 0.0)
    assert 0 == guesses.wait_s(EMS, 0.0)


def test_places():
    """All addresses of an IPv6 network of 64 bits are one machine's."""
    assert "192.0.2.7" == place_of("192.0.2.7")
    assert "2001:db8::/64" == place_of("2001:db8::1") == place_of("2001:db8:0:0:ffff::2")
    assert place_of("2001:db8:0:1::1") != place_of("2001:db8::1")
    assert "fe80::/64" == place_of("fe80::1%eth0")
    assert "no:address" == place_of("no:address")
