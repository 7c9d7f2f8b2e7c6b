"""Senders whose certificates were verified: remembered so that somebody notices when one of them runs out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from agent.wire.clientcert import ClientCertificate

MOST: Final = 200
"""Different certificates, the latest to be seen. A site has tens of senders."""


class Acquaintances:
    """Since the agent's start, in memory only: who still sends is soon known again."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, ClientCertificate] = OrderedDict()

    def __iter__(self) -> Iterator[ClientCertificate]:
        return iter(list(self._seen.values()))

    def note(self, certificate: ClientCertificate) -> None:
        """Called for each connection with a verified certificate."""
        self._seen[certificate.fingerprint] = certificate
        self._seen.move_to_end(certificate.fingerprint)
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def describe(self, now: datetime) -> list[dict[str, Any]]:
        """In the shape of `agent.gateway.expiry.describe_certificate`."""
        return [
            {
                "subject": one.subject,
                "issuer": one.issuer,
                "not_after": one.not_after or None,
                "days_left": (datetime.fromisoformat(one.not_after) - now).days if one.not_after else None,
                "sha256": one.fingerprint,
            }
            for one in self
        ]
