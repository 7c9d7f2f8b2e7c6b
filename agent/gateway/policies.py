"""Which versions and ciphers each `TlsPolicy` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from agent.config.tls import TlsPolicy

_INTERMEDIATE_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_LEGACY_CIPHERS: Final = (
    f"{_INTERMEDIATE_CIPHERS}:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:"
    "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:"
    "ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA"
)
"""Older ones too, CBC and without forward secrecy, in TLS 1.2: no policy speaks TLS 1.0 and 1.1 (RFC 8996)."""


@attrs.frozen(kw_only=True)
class Spoken:
    """`ciphers` are those of TLS 1.2, in OpenSSL's words; those of TLS 1.3 are its three. The groups are its own.

    `server_chooses` among the ciphers; else the sender's order counts: it knows whether AES or ChaCha20 is faster for
    it (Mozilla's choice, too).
    """

    ciphers: str
    needs_tls13: bool = False
    server_chooses: bool = False


POLICIES: Final[Mapping[TlsPolicy, Spoken]] = MappingProxyType(
    {
        TlsPolicy.MODERN: Spoken(ciphers=_INTERMEDIATE_CIPHERS, needs_tls13=True),
        TlsPolicy.INTERMEDIATE: Spoken(ciphers=_INTERMEDIATE_CIPHERS),
        TlsPolicy.LEGACY: Spoken(ciphers=_LEGACY_CIPHERS, server_chooses=True),
    }
)
