"""The way out: what services send leaves through here.

`Courier` has a `Way` for each destination: a `Lane` that works off the spool's requests, an `Asker` for questions that
are not stored, and the `Gate` before both. A lane gives each request to its `Sender` (`outbox` or `http`), settles what
came of it, and tries again when `attempts` says so.

`tries` decides on the tries that follow at once, `circuit` whether the destination is asked at all, `targets` which of
its URLs, `redirect` where an answer leads, `roads` and `proxy` the way there, `login` the credentials, `contexts` and
`material` keys and authorities. `connection` speaks HTTP/1.1, and `pool` keeps the ones that rest. `verdict` reads what
an answer means, `faults` what a failed connection means, `exchange` how far it had come, `expiry` ends what takes too
long, and `trust` checks the far end's certificate. `settling` writes down what became of requests, `health` tells it.

The names are imported on first use: the book is read before anything is sent, and must not pay for all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.upstream.courier import Courier
    from agent.upstream.paused import PausedBook
    from agent.upstream.sender import Refusal, Sender

__all__ = ["Courier", "PausedBook", "Refusal", "Sender"]


def __getattr__(name: str) -> object:
    """Import what somebody asks for (PEP 562)."""
    if name == "Courier":
        from agent.upstream.courier import Courier

        return Courier
    if name == "PausedBook":
        from agent.upstream.paused import PausedBook

        return PausedBook
    if name in ("Refusal", "Sender"):
        from agent.upstream import sender

        return getattr(sender, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
