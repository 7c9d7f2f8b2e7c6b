"""The OCSP response that goes along with a certificate, so that senders need not ask its authority (RFC 6066, 8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from agent.gateway.supply import ReadFile
from keystoretools import Certificate, ErrorCode, KeystoreError

STAPLE_SUFFIX: Final = ".ocsp"
CLOCK_SLACK: Final = timedelta(minutes=5)
"""How far a clock that issues certificates or responses may be ahead of ours."""


def read_staple(path: PurePath, alias: str, leaf: Certificate, read: ReadFile, now: datetime) -> tuple[bytes, str]:
    """Read the OCSP response beside the certificate, `server.pem.ocsp` or `.keystore.ALIAS.ocsp`, while it says `good`.

    Fetching it is left to others (`openssl ocsp -respout`, a timer): the agent asks nobody outside by itself. One that
    does not fit, or has run out, is left out rather than sent, and the second value is the sentence about it: senders
    that insist on one would refuse the connection.
    """
    suffix = f".{alias}{STAPLE_SUFFIX}" if alias else STAPLE_SUFFIX
    if "/" in suffix or "\0" in suffix:
        return b"", ""
    beside = path.with_name(path.name + suffix)
    try:
        response = read(beside)
    except KeystoreError as error:
        return b"", "" if error.code is ErrorCode.NO_SUCH_FILE else error.sentence.rstrip(".")
    doubt = _doubt(response, leaf, now)
    if doubt:
        return b"", f"{beside} is not stapled: it {doubt}; put a new response there, or take the file away"
    return response, ""


def end_of(response: bytes) -> datetime | None:
    """Until when a response that was read is good; None where it does not say."""
    return ocsp.load_der_ocsp_response(response).next_update_utc


def has_run_out(response: bytes, now: datetime) -> bool:
    """Whether a response that was good when it was read is so no longer."""
    end = end_of(response)
    return end is not None and now >= end


def _doubt(response: bytes, leaf: Certificate, now: datetime) -> str:
    """Why a response is not sent, as the end of a sentence; empty for a good one."""
    try:
        found = ocsp.load_der_ocsp_response(response)
        if found.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return f"says nothing ({found.response_status.name.lower().replace('_', ' ')})"
        if found.serial_number != leaf.serial:
            return "belongs to another certificate"
        if found.certificate_status is not ocsp.OCSPCertStatus.GOOD:
            return f"says that the certificate is {found.certificate_status.name.lower()}"
        if found.this_update_utc > now + CLOCK_SLACK:
            return f"is good only from {found.this_update_utc:%Y-%m-%d %H:%M} UTC on"
        if found.next_update_utc is not None and found.next_update_utc <= now:
            return f"has run out on {found.next_update_utc:%Y-%m-%d %H:%M} UTC"
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is no OCSP response (DER)"
    return ""
