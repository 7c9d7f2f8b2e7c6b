"""What a `<service-gateway>` says about TLS: which certificate it presents, which clients it takes."""

from __future__ import annotations

import enum
from pathlib import PurePath

import attrs

from agent.secret import Secret


class TlsPolicy(enum.StrEnum):
    """Which versions and ciphers are spoken: Mozilla's server-side guidelines, version 6.0."""

    MODERN = "modern"
    """TLS 1.3 only."""
    INTERMEDIATE = "intermediate"
    """TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers: everything since Java 8 and OpenSSL 1.0.1."""
    LEGACY = "legacy"
    """The same versions with older ciphers too, for senders that cannot be renewed: without forward secrecy, or CBC."""


class ClientAuth(enum.StrEnum):
    """Whether senders are asked for a certificate."""

    OFF = "off"
    OPTIONAL = "optional"
    """Asked; those without one are taken, those with a wrong one are not."""
    REQUIRED = "required"


@attrs.frozen(kw_only=True)
class TlsConfig:
    """The TLS attributes of a gateway; paths are absolute.

    With `certificate` the keystore is not looked at. `private_key` is None where the key stands in the certificate's
    file. `fingerprint_allowlist`: SHA-256 of client certificates as lower-case hex digits; with a truststore only these
    of the ones it vouches for are taken, without one these are taken whoever issued them.
    """

    keystore: PurePath = attrs.field(factory=lambda: PurePath("conf/.keystore"))
    is_keystore_named: bool = False
    """Whether the configuration names it: then that it is missing is an error."""
    keystore_password_file: PurePath | None = None
    certificate: PurePath | None = None
    private_key: PurePath | None = None
    passphrase_file: PurePath | None = None
    passphrase: Secret | None = None
    policy: TlsPolicy = TlsPolicy.INTERMEDIATE
    client_auth: ClientAuth = ClientAuth.OFF
    truststore: PurePath | None = None
    truststore_password_file: PurePath | None = None
    fingerprint_allowlist: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[PurePath, ...]:
        """All files that what is presented and trusted comes from."""
        own = (self.keystore, self.keystore_password_file)
        if self.certificate is not None:
            own = (self.certificate, self.private_key)
        found = (*own, self.passphrase_file, self.truststore, self.truststore_password_file)
        return tuple(path for path in found if path is not None)
