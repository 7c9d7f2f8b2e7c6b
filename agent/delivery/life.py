"""The life of an event, as one table; the requests that a service produces live by the same one.

    received --claim--> claimed --succeed--> done
                          |  |---suppress--> suppressed
                          |  |---give up---> dead --replay--> received
                          |  `---postpone--> waiting --claim--> claimed
                          `------interrupt-> received

* `received` is what a 2xx answer stands for: on disk, not yet begun.
* `claimed` means that a worker, or a connection to a destination, has it in hand. Whoever held it may have died: after
  a restart everything claimed is interrupted, so work is done at least once, and `attempt` tells a second look from
  the first.
* `waiting` holds a time to be tried again; only its own process group waits with it.
* `done`, `suppressed` and `dead` are ends. Only an operator's replay leads out of `dead`; nothing leads out of the
  other two.

Every change of state goes through `next_state`; a pair that is not in the table is a fault of ours and raises.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class State(enum.IntEnum):
    """Where an event or a request stands. The numbers are stored; never reuse one."""

    RECEIVED = 0
    CLAIMED = 1
    WAITING = 2
    DONE = 3
    DEAD = 4
    SUPPRESSED = 5

    @property
    def label(self) -> str:
        """The word for people and for JSON."""
        return self.name.lower()


class Outcome(enum.Enum):
    """What happened to an event or a request."""

    CLAIM = "claim"
    SUCCEED = "succeed"
    SUPPRESS = "suppress"
    POSTPONE = "postpone"
    GIVE_UP = "give up"
    INTERRUPT = "interrupt"
    REPLAY = "replay"


LIFE: Final[Mapping[tuple[State, Outcome], State]] = MappingProxyType(
    {
        (State.RECEIVED, Outcome.CLAIM): State.CLAIMED,
        (State.WAITING, Outcome.CLAIM): State.CLAIMED,
        (State.CLAIMED, Outcome.SUCCEED): State.DONE,
        (State.CLAIMED, Outcome.SUPPRESS): State.SUPPRESSED,
        (State.CLAIMED, Outcome.POSTPONE): State.WAITING,
        (State.CLAIMED, Outcome.GIVE_UP): State.DEAD,
        (State.CLAIMED, Outcome.INTERRUPT): State.RECEIVED,
        (State.DEAD, Outcome.REPLAY): State.RECEIVED,
    }
)

OPEN_STATES: Final = frozenset({State.RECEIVED, State.CLAIMED, State.WAITING})
"""Still to be worked on: what is read back after a restart and counted as backlog."""


def next_state(state: State, outcome: Outcome) -> State:
    """Return the state that follows; raise `ValueError` when the table does not know the pair."""
    try:
        return LIFE[state, outcome]
    except KeyError:
        raise ValueError(f"an event that is {state.label} cannot {outcome.value}") from None
