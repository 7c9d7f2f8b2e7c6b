"""`SSL/verbose`: a TLS handshake told in readable steps, one log line each, as Java's `ssl:handshake:verbose` would."""

from __future__ import annotations

import weakref
from typing import Any, Final

from OpenSSL import SSL
from twisted.logger import Logger

from agent.errors import DestinationError

log = Logger(namespace="upstream")


class HandshakeTold:
    """Follows one connection; `saw` is called with each certificate of the chain, the root first."""

    def __init__(self, host: str) -> None:
        self._host: Final = host

    def follow(self, connection: SSL.Connection) -> None:
        """Tell the beginning. What was agreed on is told with the end of the chain: the callbacks of a context are
        shared by all its connections, and not changed after use."""
        log.info("TLS {host}: the handshake begins, TLS 1.2 or newer is offered", host=self._host)
        # Weak: the connection holds its callbacks, and a cycle through OpenSSL is not collected.
        self._connection = weakref.ref(connection)

    def saw(self, certificate: Any, depth: int, fault: DestinationError | None) -> None:
        """Tell of one certificate of the chain."""
        try:
            found = certificate.to_cryptography()
            log.info(
                "TLS {host}: certificate {depth}: {subject!r}, issued by {issuer!r}, valid {begin} to {end}: {verdict}",
                host=self._host,
                depth=depth,
                subject=found.subject.rfc4514_string()[:200],
                issuer=found.issuer.rfc4514_string()[:200],
                begin=found.not_valid_before_utc.date().isoformat(),
                end=found.not_valid_after_utc.date().isoformat(),
                verdict="accepted" if fault is None else fault.sentence,
            )
            connection = self._connection()
            if depth == 0 and fault is None and connection is not None:
                log.info(
                    "TLS {host}: {version} with {cipher}",
                    host=self._host,
                    version=connection.get_protocol_version_name(),
                    cipher=connection.get_cipher_name() or "a cipher still to be agreed on",
                )
        except Exception as error:
            # Told from within OpenSSL's callback, where nothing may be raised.
            log.info("TLS {host}: cannot tell more: {error!r}", host=self._host, error=str(error)[:200])
