"""HTTP on a TLS port: each request is refused with the URL it should have had, and never processed.

A redirect would be wrong: the event has already been sent in the clear, and a sender that follows silently goes on
doing so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from agent.boundaries import Counters
from agent.config.model import GatewayLimits
from agent.errors import SenderError
from agent.gateway.budget import Budget
from agent.gateway.familiar import FamiliarHeads
from agent.gateway.register import Register
from agent.gateway.slot import Slot
from agent.wire.answer import Answers
from agent.wire.misuse import printable_line
from agent.wire.refusal import needs_tls

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(:[0-9]{1,5})?")


class PlaintextReception:
    """Stands where `Reception` stands for requests that are taken. `noted(first_line, host)` is told once.

    `host` is what the request's Host header named, without port, empty where it named nothing usable; `our_name` is
    used then. `port` is the port that was called.
    """

    def __init__(
        self,
        *,
        limits: GatewayLimits,
        counters: Counters,
        answers: Answers,
        our_name: str,
        port: int,
        noted: Callable[[str, str], None],
    ) -> None:
        self.limits: Final = limits
        self.counters: Final = counters
        self.answers: Final = answers
        self.budget: Final = Budget(0)
        self.familiar: Final = FamiliarHeads()
        self.register: Final = Register(counters)
        self._our_name = our_name
        self._port = port
        self._noted = noted
        self._has_noted = False

    def admit(self, slot: Slot, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Refuse: raise `SenderError` 400."""
        host = next((_host(value) for name, value in headers if name.lower() == b"host"), "")
        self._note(f"{method} {printable_line(target)}", host)
        path = printable_line(target) if target.startswith(b"/") else "/"
        name = host or self._our_name
        shown = "" if self._port == 443 else f":{self._port}"
        raise needs_tls(f"https://{name}{shown}{path}")

    def take(self, slot: Slot, body: bytes) -> None:
        """Never reached: nothing is admitted."""
        slot.refused(needs_tls(f"https://{self._our_name}:{self._port}/"))

    def note_refusal(self, slot: Slot, error: SenderError) -> None:
        """Count it; the desk writes the line."""
        self.counters.count("gateway.refused", error.code)
        self._note("", "")

    def _note(self, first_line: str, host: str) -> None:
        if not self._has_noted:
            self._has_noted = True
            self._noted(first_line, host)


def _host(value: bytes) -> str:
    found = _HOST.fullmatch(value.decode("latin-1").strip())
    return found[1] if found else ""
