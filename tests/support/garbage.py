"""What only the garbage collector would free."""

from __future__ import annotations

import gc
from collections.abc import Callable


def garbage_of(work: Callable[[], object]) -> list[str]:
    """The classes of ours of which `work` leaves objects in circles that nobody else holds."""
    gc.collect()
    gc.disable()
    flags = gc.get_debug()
    try:
        work()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return sorted({type(found).__name__ for found in gc.garbage if type(found).__module__.startswith("agent.")})
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
        gc.enable()
