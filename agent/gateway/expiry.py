"""Watches the dates of the certificates that gateways present and trust: log, counter, and a line for the status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

from agent.boundaries import Counters
from agent.wire.expiry import EXPIRED, expiry_sentence, stage_of

if TYPE_CHECKING:
    from keystoretools import Certificate

log = Logger(namespace="gateway")

LOOK_S: Final = 3600.0
"""Stages are days; an hour is soon enough, also for a certificate that has just been put in place."""

AGAIN_S: Final = 24 * 3600.0
"""What has expired is said each day."""


def describe_certificate(certificate: Certificate, now: datetime) -> dict[str, Any]:
    """A certificate for people and scripts. `days_left` counts whole days, negative once it has expired."""
    end = certificate.not_after
    return {
        "subject": certificate.subject.text(),
        "issuer": certificate.issuer.text(),
        "not_after": end.isoformat() if end is not None else None,
        "days_left": (end - now).days if end is not None else None,
        "sha256": certificate.sha256.hex(),
    }


class ExpiryWatch:
    """A Part. `certificates` gives what is in use, in the shape of `Gateways.certificates`."""

    name: Final = "expiry of certificates"

    def __init__(
        self, *, certificates: Callable[[], Sequence[Mapping[str, Any]]], reactor: Any, counters: Counters
    ) -> None:
        self._certificates = certificates
        self._reactor = reactor
        self._counters = counters
        self._told: dict[tuple[str, int], float] = {}
        self._call: Any = None

    async def start(self) -> None:
        self.look()

    async def stop(self, patience_s: float) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def look(self) -> None:
        """Tell of every certificate that has come to another stage since the last look."""
        self._call = self._reactor.callLater(LOOK_S, self.look)
        now = self._reactor.seconds()
        due = dict(self._due())
        self._told = {key: at for key, at in self._told.items() if key in due}
        for (fingerprint, stage), sentence in due.items():
            told_at = self._told.get((fingerprint, stage))
            if told_at is not None and (stage != EXPIRED or now - told_at < AGAIN_S):
                continue
            self._told[fingerprint, stage] = now
            self._counters.count("gateway.certificate_expiring", "expired" if stage == EXPIRED else f"{stage} days")
            log.warn("{sentence}", sentence=sentence)

    def warnings(self) -> list[str]:
        """For the status: all that is due, the first to run out first."""
        return [sentence for _, sentence in self._due()]

    def _due(self) -> list[tuple[tuple[str, int], str]]:
        found: dict[tuple[str, int], tuple[int, str]] = {}
        for one in self._certificates():
            days_left = one.get("days_left")
            stage = None if days_left is None else stage_of(days_left)
            if days_left is None or stage is None:
                continue
            sentence = expiry_sentence(_what(one), days_left, str(one.get("not_after")))
            # The same certificate on several ports is one that has to be renewed.
            found.setdefault((str(one.get("sha256")), stage), (days_left, sentence))
        return [(key, sentence) for key, (_, sentence) in sorted(found.items(), key=lambda item: item[1][0])]


def _what(one: Mapping[str, Any]) -> str:
    where = f"port {one.get('port')}"
    if one.get("use") == "presented":
        return f"the certificate {one.get('alias')!r} that {where} presents ({one.get('subject')})"
    if one.get("use") == "issuer":
        return f"the issuer's certificate behind {one.get('alias')!r} on {where} ({one.get('subject')})"
    if one.get("use") == "client":
        return f"the certificate with which {one.get('subject')!r} sends to {where}"
    return f"the authority {one.get('subject')} that {where} trusts for client certificates"
