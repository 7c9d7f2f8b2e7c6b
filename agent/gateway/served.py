"""What a TLS port presents, made of `Material` and never changed once it is in use.

A new certificate, policy or truststore is a new `Served` in the place of the old one, and so are new ticket keys: TLS
libraries make them with each context. Connections keep what they began with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from agent.config.tls import ClientAuth, TlsConfig
from agent.gateway.fullside import FullContexts
from agent.gateway.identity import Identity
from agent.gateway.material import Material
from agent.gateway.policies import POLICIES
from agent.gateway.quickside import CannotQuickly, QuickContexts, is_for_quick
from agent.gateway.staple import end_of, has_run_out
from agent.gateway.tlsside import Side
from keystoretools.hostnames import covers


class Served:
    """The contexts of one TLS port. Raises `OperatorError` for what OpenSSL refuses to serve.

    `now` is the wall clock that certificates are held against when a sender refuses one.
    """

    def __init__(self, material: Material, config: TlsConfig, *, now: Callable[[], datetime] | None = None) -> None:
        self._now = now
        self.material: Final = material
        self.names: Final = tuple(dict.fromkeys(name for one in material.identities for name in one.names))
        self._config = config
        self._full = FullContexts(material, config, now=now)
        self._quick = _quick_of(material, config)

    def accept(self, first: bytes) -> Side:
        """Our side of a new connection, which begins with these bytes; they are still to be heard."""
        if self._quick is not None and is_for_quick(first):
            return self._quick.accept()
        return self._full.accept()

    def covers(self, host: str) -> bool:
        """Whether one of the certificates is for `host`; who asks for nobody is not disappointed."""
        return not host or any(covers(identity.leaf, host) for identity in self.material.identities)

    def presented_to(self, host: str) -> Identity:
        """What those get who ask for `host`."""
        identities = self.material.identities
        return next((one for one in identities if host and covers(one.leaf, host)), identities[0])

    def is_outdated(self, host: str) -> bool:
        """Whether a certificate that is presented to those who ask for `host` is out of its time at this moment."""
        if self._now is None:
            return False
        now = self._now()
        return any(
            (one.not_after is not None and one.not_after < now) or (one.not_before is not None and one.not_before > now)
            for one in self.presented_to(host).chain
        )

    def staple_doubts(self) -> tuple[str, ...]:
        """A sentence for each OCSP response that lies beside a certificate and is not sent, or not any more."""
        found = [one.staple_doubt for one in self.material.identities if one.staple_doubt]
        for one in self.material.identities:
            if one.staple and self._now is not None and has_run_out(one.staple, self._now()):
                found.append(
                    f"the OCSP response of {one.alias!r} has run out on {end_of(one.staple):%Y-%m-%d %H:%M} UTC and is "
                    "stapled no longer; put a new one in its place"
                )
        return tuple(found)

    def renewed(self) -> Served:
        """The same with new contexts, and so with new ticket keys."""
        return Served(self.material, self._config, now=self._now)

    def describe(self, now: datetime) -> dict[str, object]:
        """For the status: what is presented to whom."""
        return {
            "policy": self._config.policy.value,
            "client_auth": self._config.client_auth.value,
            "trusted_authorities": len(self.material.anchors),
            "self_made": self.material.is_selfmade,
            "certificates": [describe_identity(identity, now) for identity in self.material.identities],
        }


def _quick_of(material: Material, config: TlsConfig) -> QuickContexts | None:
    """For ports that ask for nothing that only pyOpenSSL can do."""
    identity, *others = material.identities
    if config.client_auth is not ClientAuth.OFF or others or identity.staple:
        return None
    try:
        return QuickContexts(identity, POLICIES[config.policy])
    except CannotQuickly:
        return None


def describe_identity(identity: Identity, now: datetime) -> dict[str, object]:
    """One certificate, for the status. `days_left` counts whole days, negative once it has expired."""
    leaf = identity.leaf
    ends = [one.not_after for one in identity.chain if one.not_after is not None]
    end = min(ends, default=None)
    return {
        "alias": identity.alias,
        "subject": leaf.subject.text(),
        "issuer": leaf.issuer.text(),
        "names": list(identity.names),
        "not_after": end.isoformat() if end is not None else None,
        "days_left": (end - now).days if end is not None else None,
        "sha256": leaf.sha256.hex(),
        "stapled": bool(identity.staple) and not has_run_out(identity.staple, now),
    }
