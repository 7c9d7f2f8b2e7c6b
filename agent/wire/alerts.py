"""What the TLS alert of a far end means to the client that gets it, for people who know no TLS.

By the words of OpenSSL, which end so in all its versions ("sslv3 alert ...", "tlsv1 alert ...", "tls alert ..."); the
alerts are those of RFC 8446, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


@attrs.frozen
class Meaning:
    """What the far end says, and what to do."""

    sentence: str
    cure: str


_NAME_ONE: Final = "name the alias of one in the destination's SSL/Keystore"
_NOT_OURS: Final = "it does not accept our client certificate"
_ITS_ADMINISTRATOR: Final = "its administrator can say why"
_OLD: Final = Meaning("it speaks no TLS 1.2 or newer", "have it brought up to date")

MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "certificate required": Meaning("it wants a client certificate", _NAME_ONE),
        "bad certificate": Meaning(f"{_NOT_OURS}, or wants one", "look at the destination's SSL/Keystore"),
        "unknown ca": Meaning(
            "it does not know who issued our client certificate", "its administrator must trust that authority"
        ),
        "certificate expired": Meaning("our client certificate has expired", "renew the entry that SSL/Keystore names"),
        "certificate revoked": Meaning(
            "our client certificate was revoked", "put a new one into the entry that SSL/Keystore names"
        ),
        "unsupported certificate": Meaning(
            "our client certificate is not made for clients (purpose, signature)", "have another one made"
        ),
        "certificate unknown": Meaning(_NOT_OURS, _ITS_ADMINISTRATOR),
        "access denied": Meaning("it knows our client certificate and does not let it in", _ITS_ADMINISTRATOR),
        "unrecognized name": Meaning("it knows no host of this name", "check the host name of the destination"),
        "protocol version": _OLD,
        "unsupported protocol": _OLD,
        "handshake failure": Meaning(
            "it found nothing in common with us, or wants a client certificate",
            f"where it wants one, {_NAME_ONE}; otherwise compare versions of TLS and ciphers",
        ),
        "insufficient security": Meaning("it wants stronger ciphers than ours", _ITS_ADMINISTRATOR),
    }
)


def meaning_of(reason: str) -> Meaning | None:
    """None for what is no alert, or one that only a defect brings about."""
    return next((meaning for words, meaning in MEANINGS.items() if reason.endswith(words)), None)
