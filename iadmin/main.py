"""The program `iadmin`: sees to standard descriptors and to Ctrl-C, then loads the command line and runs it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Final

from agent.interrupts import die_of_interrupts, hear_interrupts
from apclient.streams import fill_streams

INTERRUPTED: Final = 130
"""128 + the number of SIGINT, as `iadmin.commandline` says it of a command."""

COLLECT_AFTER: Final = 50_000
"""New objects before garbage is looked for. With Python's 700 it is looked for dozens of times while a command loads,
in what stays anyway: a tenth of a short command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    fill_streams()
    die_of_interrupts()
    gc.set_threshold(COLLECT_AFTER)
    # Not above: somebody may press Ctrl-C while this is loaded.
    from iadmin.commandline import run_command

    try:
        hear_interrupts()
        return run_command(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        die_of_interrupts()


if __name__ == "__main__":
    sys.exit(main())
