"""Who tries credentials out has to wait, longer each time, and nobody else.

What is counted are different wrong credentials of one account from one place: a sender that repeats the same wrong
password all day is badly configured and guesses nothing. Behind one proxy all share a place, therefore the account
belongs to the key; and an IPv6 network of 64 bits is one place, because one machine has all of its addresses.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

import attrs

FREE_GUESSES: Final = 5
"""A person who mistypes, an old password in one of several senders."""
FIRST_WAIT_S: Final = 1.0
MAX_WAIT_S: Final = 300.0
"""The wait doubles up to five minutes: 12 guesses an hour, and an account that was under fire is back soon after."""
FORGET_S: Final = 3600.0
MAX_KEYS: Final = 10_000
REMEMBERED: Final = 8
"""Wrong credentials of an account that are known by their digest when they come again."""

Key = tuple[str, str]


@attrs.define
class _Record:
    count: int = 0
    until_s: float = 0.0
    last_s: float = 0.0
    digests: list[bytes] = attrs.Factory(list)


class Guesses:
    """Remembers the failures; times are those of a steady clock, in seconds."""

    def __init__(self) -> None:
        self._records: OrderedDict[Key, _Record] = OrderedDict()

    def wait_s(self, key: Key, now_s: float) -> float:
        """How long nothing new is tried for this place and account; 0 where it may be."""
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until_s - now_s)

    def is_known(self, key: Key, digest: bytes) -> bool:
        """Whether these very credentials were found wrong lately."""
        record = self._records.get(key)
        return record is not None and digest in record.digests

    def note(self, key: Key, digest: bytes, now_s: float) -> float:
        """Count a failure; return the wait that follows from it."""
        record = self._records.get(key)
        if record is None or now_s - record.last_s > FORGET_S:
            record = self._records[key] = _Record()
        self._records.move_to_end(key)
        if len(self._records) > MAX_KEYS:
            self._records.popitem(last=False)
        record.last_s = now_s
        if digest in record.digests:
            return self.wait_s(key, now_s)
        record.digests = [*record.digests[1 - REMEMBERED :], digest]
        record.count += 1
        if record.count > FREE_GUESSES:
            # The exponent is cut before it is used: 2.0 ** 2000 is an error.
            wait_s = min(MAX_WAIT_S, FIRST_WAIT_S * 2.0 ** min(record.count - FREE_GUESSES - 1, 20))
            record.until_s = now_s + wait_s
        return self.wait_s(key, now_s)

    def forgive(self, key: Key) -> None:
        """The right credentials were shown."""
        self._records.pop(key, None)


def place_of(peer: str) -> str:
    """Return the address an attacker cannot change at will: IPv4 whole, of IPv6 the first 64 bits."""
    if ":" not in peer:
        return peer
    try:
        network = ipaddress.IPv6Network((peer.partition("%")[0], 64), strict=False)
    except ValueError:
        return peer
    return str(network)
