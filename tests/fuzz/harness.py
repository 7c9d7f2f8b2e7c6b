"""Runs one input against one reader and says what went wrong, if anything did."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Final

import attrs

from keystoretools.errors import ErrorCode, KeystoreError
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, seeds

# Typical is a millisecond; the reference allows 10 s for the worst file of all, at 300 times these limits.
MOST_SECONDS: Final = 5.0


@attrs.frozen(kw_only=True)
class Fault:
    """An input that broke the promise: `what` happened, and how to see it again (`target`, `seed`)."""

    target: str
    seed: int
    what: str
    data: bytes = attrs.field(repr=False)


def broken_promise(target: Callable[[bytes], object], data: bytes) -> str | None:
    """Why this input breaks the promise; None when it is read, or refused with a good `KeystoreError`."""
    start = time.monotonic()
    try:
        target(data)
    except KeystoreError as error:
        if not error.sentence or error.code not in ErrorCode or "\x1b" in error.sentence or len(error.sentence) > 4000:
            return f"a poor error: {error.code}: {error.sentence!r}"
    except Exception:
        return traceback.format_exc()
    seconds = time.monotonic() - start
    return f"it took {seconds:.1f} s" if seconds > MOST_SECONDS else None


def run(name: str, first: int, count: int, *, until: float | None = None) -> tuple[int, list[Fault]]:
    """Try `count` inputs from seed `first` on, at most until the monotonic time `until`; how many, and the faults."""
    found: list[Fault] = []
    begin = seeds(name)
    for done, seed in enumerate(range(first, first + count)):
        if until is not None and time.monotonic() > until:
            return done, found
        data = mutated(begin, seed)
        what = broken_promise(TARGETS[name], data)
        if what is not None:
            found.append(Fault(target=name, seed=seed, what=what, data=data))
    return count, found
