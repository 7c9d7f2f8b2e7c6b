"""Where a service hangs, out of the interpreter's account."""

from pathlib import PurePath

import pytest

from agent.host.stacks import own_frames, own_stacks, whereabouts

FOLDER = PurePath("/srv/services/pumps")
DUMP = """Thread 0x00007f1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait
  File "/v/agent/host/lanes.py", line 80 in _run

Thread 0x00007f2 (most recent call first):
  File "/usr/lib/python3.11/subprocess.py", line 2012 in _try_wait
  File "/srv/services/pumps/lib/ask.py", line 3 in ask
  File "/srv/services/pumps/pumps.py", line 10 in on_event
  File "/v/agent/host/runner.py", line 99 in run

Current thread 0x00007f3 (most recent call first):
  File "/v/agent/host/pipes.py", line 35 in messages
""".splitlines()


def test_the_innermost_line_of_the_service_is_found() -> None:
    """Not the library's line that waits, and not the worker's that called."""
    assert ("ask (/srv/services/pumps/lib/ask.py:3)",) == own_frames(DUMP, FOLDER)
    assert ", in ask (/srv/services/pumps/lib/ask.py:3)" == whereabouts(DUMP, FOLDER)


def test_each_thread_counts_once() -> None:
    """Several threads at the service's code are all named, alike ones once, and never more than three."""
    other = [line.replace("ask.py", "tell.py") for line in DUMP]
    assert 2 == len(own_frames(DUMP + other + DUMP, FOLDER))
    many = [line.replace("ask.py", f"n{number}.py") for number in range(9) for line in DUMP]
    assert 3 == len(own_frames(many, FOLDER))


def test_of_the_stacks_the_services_own_are_kept() -> None:
    """With the library's frames above them; threads that wait and the worker's frames below are nobody's concern."""
    assert tuple(DUMP[4:8]) == own_stacks(DUMP, FOLDER)
    assert () == own_stacks(DUMP[:4], FOLDER)
    assert tuple(DUMP[4:8] * 2) == own_stacks(DUMP + DUMP[:8], FOLDER)


@pytest.mark.parametrize("kept", range(sum(len(line) + 1 for line in DUMP[:9])))
def test_an_account_that_is_cut_off_says_what_it_can(kept: int) -> None:
    """Wherever it ends, what is found is a frame of the service or nothing."""
    found = own_frames("\n".join(DUMP)[:kept].splitlines(), FOLDER)
    assert all("/srv/services/pumps/" in frame for frame in found) and len(found) <= 1


def test_an_account_without_the_service_says_nothing() -> None:
    """As of an `async` hook that waits: its frames are on no thread's stack."""
    assert "" == whereabouts([line for line in DUMP if "pumps" not in line], FOLDER)
    assert "" == whereabouts([], FOLDER)
