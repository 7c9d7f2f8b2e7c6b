"""The program `iadmin`: sees to standard descriptors and to Ctrl-C, then loads the command line and runs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from agent.interrupts import die_of_interrupts, hear_interrupts
from apclient.streams import fill_streams

INTERRUPTED: Final = 130
"""128 + the number of SIGINT, as `iadmin.commandline` says it of a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    fill_streams()
    die_of_interrupts()
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
