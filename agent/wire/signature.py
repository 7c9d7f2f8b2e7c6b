"""Signed requests: an HMAC over the request, a time window, and words that are used once.

`Authorization: HMAC-SHA256 key="plant7", ts=1764000000, nonce="7f3c...", mac=<64 hex digits>`. The MAC is HMAC-SHA-256
under the shared key over six lines, each ended by a line feed except the last:

    HMAC-SHA256
    <ts>
    <nonce>
    <method>
    <target, as it stands in the request line: /http/applications_sample-plan?x=1>
    <SHA-256 of the body, hexadecimal, lower case; of the inflated one where it was sent compressed>

The time bounds how long nonces have to be kept. Those of successful requests only are kept: nobody without the key can
fill the memory or use up another's nonce.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

from agent.wire.authorization import Signature

SCHEME: Final = "HMAC-SHA256"
DEFAULT_WINDOW_S: Final = 300
"""As AWS (15 min), Slack and Stripe (5 min): clocks of plants are off by minutes, not by more."""

MAX_NONCES: Final = 200_000
"""Some 30 MiB. That is 330 requests a second over ten minutes; above it the window becomes narrower."""


def make_mac(*, key: bytes, made_s: int, nonce: bytes, method: str, target: bytes, body: bytes) -> bytes:
    """Return the MAC of a request, 32 bytes."""
    digest = hashlib.sha256(body).hexdigest().encode("ascii")
    lines = (SCHEME.encode("ascii"), b"%d" % made_s, nonce, method.encode("ascii"), target, digest)
    return hmac.digest(key, b"\n".join(lines), "sha256")


def is_signed(signature: Signature, key: bytes, *, method: str, target: bytes, body: bytes) -> bool:
    """Whether the MAC fits; compared in constant time."""
    made = make_mac(key=key, made_s=signature.made_s, nonce=signature.nonce, method=method, target=target, body=body)
    return hmac.compare_digest(made, signature.mac)


class Nonces:
    """Which signed requests have been here. A nonce counts for its key, so that senders need not agree on them.

    Requests signed at or before `floor_s` (seconds since 1970) are not taken: their nonces may have been forgotten.
    That is the second before this memory began, later the time of the youngest that was dropped for want of room. (What
    a sender with a fast clock signed shortly before a restart can therefore come twice, in as many seconds.)
    """

    def __init__(self, *, began_s: int, max_nonces: int = MAX_NONCES) -> None:
        self.floor_s = began_s - 1
        self._max = max_nonces
        self._seen: set[bytes] = set()
        self._order: deque[tuple[int, bytes]] = deque()

    def is_timely(self, signature: Signature, *, now_s: int, window_s: int) -> bool:
        """Whether the signature's time is within the window on either side, and this one could not be forgotten."""
        return abs(now_s - signature.made_s) <= window_s and signature.made_s > self.floor_s

    def use(self, signature: Signature, *, now_s: int, window_s: int) -> bool:
        """Note the nonce of a request whose MAC fits; False when it was used before."""
        name = hashlib.sha256(b"%b\0%b" % (signature.key.encode(), signature.nonce)).digest()[:16]
        if name in self._seen:
            return False
        self._seen.add(name)
        # Signed in the future by at most the window, and of use until the window after that has passed.
        self._order.append((now_s + 2 * window_s, name))
        while self._order and (self._order[0][0] < now_s or len(self._order) > self._max):
            until_s, old = self._order.popleft()
            self._seen.discard(old)
            if until_s >= now_s:
                # It can have been signed as late as the window after it came.
                self.floor_s = max(self.floor_s, until_s - window_s)
        return True
