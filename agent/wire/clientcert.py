"""`ClientCertificate`: what a sender's certificate says, as text and without OpenSSL.

On a connection (`agent.gateway.connection.Connection.client_certificate`) it stands only when it was verified in the
handshake: against the truststore, the list of fingerprints, or both. In a `Misuse` it is what was refused.
"""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ClientCertificate:
    """Facts of one certificate. `names` are its alternative names as (kind, value), kinds `dns`, `ip`, `email`, `uri`.

    `subject` and `issuer` read `CN=plant7, O=Example`. `fingerprint` is the certificate's SHA-256 as lower-case hex
    digits. `not_after` is ISO 8601 in UTC; empty where the date cannot be read. All of it comes from outside: shown
    escaped, compared whole.
    """

    subject: str
    issuer: str
    names: tuple[tuple[str, str], ...]
    fingerprint: str
    not_after: str = ""
