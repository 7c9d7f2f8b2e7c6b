"""The OCSP response that goes along with a certificate, so that senders need not ask its authority (RFC 6066, 8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from keystoretools import Certificate, KeystoreError

ReadFile = Callable[[PurePath], bytes]
"""The octets of a file; raises `KeystoreError` with the sentence (code `no-such-file` where there is none)."""

STAPLE_SUFFIX: Final = ".ocsp"
CLOCK_SLACK: Final = timedelta(minutes=5)
"""How far a clock that issues certificates or responses may be ahead of ours."""


def read_staple(path: PurePath, alias: str, leaf: Certificate, read: ReadFile, now: datetime) -> bytes:
    """Read the OCSP response beside the certificate, `server.pem.ocsp` or `.keystore.ALIAS.ocsp`, while it says `good`.

    Fetching it is left to others (`openssl ocsp -respout`, a timer): the agent asks nobody outside by itself. One that
    does not fit, or has run out, is left out rather than sent: senders that insist on it would refuse the connection.
    """
    suffix = f".{alias}{STAPLE_SUFFIX}" if alias else STAPLE_SUFFIX
    if "/" in suffix or "\0" in suffix:
        return b""
    try:
        response = read(path.with_name(path.name + suffix))
    except KeystoreError:
        return b""
    return response if _is_good(response, leaf, now) else b""


def end_of(response: bytes) -> datetime | None:
    """Until when a response that was read is good; None where it does not say."""
    return ocsp.load_der_ocsp_response(response).next_update_utc


def _is_good(response: bytes, leaf: Certificate, now: datetime) -> bool:
    try:
        found = ocsp.load_der_ocsp_response(response)
        if found.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        return (
            found.serial_number == leaf.serial
            and found.certificate_status is ocsp.OCSPCertStatus.GOOD
            and found.this_update_utc <= now + CLOCK_SLACK
            and (found.next_update_utc is None or found.next_update_utc > now)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
