"""The long form: `python -m tests.fuzz [--seconds 600] [--target NAME] [--seed N] [--keep FOLDER]`.

Prints each fault with the seed that makes it again; exit status 1 when there were any.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

from tests.fuzz.harness import Fault, run
from tests.fuzz.targets import TARGETS

ROUND = 200
MOST_MEMORY = 1 << 30


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="default: all of them, in turns")
    parser.add_argument("--seed", type=int, default=0, help="where to begin; another one gives other inputs")
    parser.add_argument("--count", type=int, help="inputs per target instead of a time")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that break the promise")
    options = parser.parse_args()
    # What asks for more memory than a command line should ever need fails with MemoryError, which is a fault.
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    targets, faults = options.target or sorted(TARGETS), 0
    until = None if options.count else time.monotonic() + options.seconds
    tried = dict.fromkeys(targets, 0)
    while True:
        for name in targets:
            count = options.count or ROUND
            done, found = run(name, options.seed + tried[name], count, until=until)
            tried[name] += done
            faults += len(found)
            for fault in found:
                report(fault, options.keep)
        if until is None or time.monotonic() > until:
            break
    sys.stdout.write("".join(f"{name}: {count} inputs\n" for name, count in tried.items()))
    sys.stdout.write(f"{faults} broken promises\n")
    return 1 if faults else 0


def report(fault: Fault, keep: Path | None) -> None:
    sys.stdout.write(f"--- {fault.target}, seed {fault.seed}, {len(fault.data)} octets\n{fault.what}\n")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{fault.target}-{fault.seed}.bin").write_bytes(fault.data)


if __name__ == "__main__":
    sys.exit(main())
