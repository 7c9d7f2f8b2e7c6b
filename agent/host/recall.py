"""The deduplication filters of a service in its worker process: what they remember, for all hook threads together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from agent.delivery.dedup import Memory
from agent.host.bootclock import since_boot_s
from agent.host.messages import Filter

SUPPRESSED = (
    "An event with properties {properties} has been injected into the {service} service more frequently than allowed "
    "by the deduplication filter {name}. It has been suppressed."
)
SUPPRESSED_MESSAGE = (
    "An event with tokens {properties} has been injected into the {domain} event domain more frequently than allowed "
    "by the deduplication filter {name}. It has been suppressed."
)
"""The original's texts, word for word, of an event and of an APXML message: people search their logs for them."""


def suppressed(properties: str, *, service: str, name: str, is_message: bool) -> str:
    """What is said of a duplicate; `name` is that of the filter."""
    text = SUPPRESSED_MESSAGE if is_message else SUPPRESSED
    return text.format(properties=properties, service=service, domain=service.partition("|")[0], name=name)


class Recall:
    """One filter. The agent keeps the same memory, and stores what is counted with the end of the event."""

    def __init__(self, filter_: Filter, counted: Iterable[tuple[str, float]]) -> None:
        self.name = filter_.name
        self.predicates = filter_.predicates
        self._memory = Memory(period_s=filter_.period_s, window_size=filter_.window_size)
        self._memory.restore(counted)
        self._changed = threading.Condition()
        self._in_hand: set[str] = set()

    def knows(self, key: str) -> bool:
        """Whether this combination is a duplicate now."""
        with self._changed:
            return self._memory.is_duplicate(key, since_boot_s())

    def remember(self, key: str) -> None:
        """Count this combination."""
        with self._changed:
            self._memory.count(key, since_boot_s())

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Wait until no other thread has this combination in hand, and keep it.

        Two equal events of different groups would otherwise both find that nobody was there before. The wait ends with
        the other's hook, whose time is limited.
        """
        with self._changed:
            self._changed.wait_for(lambda: key not in self._in_hand)
            self._in_hand.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._in_hand.discard(key)
                self._changed.notify_all()
