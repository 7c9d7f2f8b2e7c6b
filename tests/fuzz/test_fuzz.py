"""The short form of the fuzzing, and the proof that the harness would notice."""

from __future__ import annotations

import pytest

from keystoretools import CorruptError
from tests.fuzz.harness import broken_promise, run
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, seeds

COUNTS = {"open_keystore": 150, "read_anything": 150, "iakeytool": 150}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_only_the_documented_error_comes_out(name: str) -> None:
    """Of any reader, for any damage; `python -m tests.fuzz` tries more."""
    tried, faults = run(name, 0, COUNTS.get(name, 400))
    assert [] == faults, faults[0].what
    assert tried >= 150


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_good_files_keep_the_promise_too(name: str) -> None:
    """There are some for each reader."""
    assert seeds(name)
    assert [] == [what for data in seeds(name) if (what := broken_promise(TARGETS[name], data)) is not None]


@pytest.mark.parametrize("wrong", [ValueError, RecursionError, MemoryError, UnicodeError, KeyError, OverflowError])
def test_any_other_error_is_noticed(wrong: type[Exception]) -> None:
    """Also those that look like one's own fault."""

    def target(data: bytes) -> None:
        raise wrong("x")

    assert wrong.__name__ in (broken_promise(target, b"") or "")


def test_an_error_that_says_nothing_is_noticed() -> None:
    """A sentence, without what moves a cursor."""

    def target(data: bytes) -> None:
        raise CorruptError(data.decode())

    assert broken_promise(target, b"") is not None
    assert broken_promise(target, b"\x1b[2J") is not None
    assert broken_promise(target, b"It is damaged.") is None


def test_a_seed_makes_the_same_input_again() -> None:
    """So that a fault can be looked at; different seeds give different inputs."""
    begin = seeds("open_keystore")
    assert [mutated(begin, seed) for seed in range(20)] == [mutated(begin, seed) for seed in range(20)]
    assert 15 < len({mutated(begin, seed) for seed in range(20)})
