"""Who may send: the records that the configuration makes and the gateway judges by.

Methods stand side by side, and one that is fulfilled is enough. Secrets are kept as the lines of `agent.credential`.
"""

from __future__ import annotations

import attrs

from agent.secret import Secret

DEFAULT_REALM = "integration-agent"


@attrs.frozen(kw_only=True)
class Account:
    """A named sender. `secret` is a `$scrypt$`, `$sha256$` or `$key$` text; any other is the password itself."""

    name: str
    secret: Secret


@attrs.frozen(kw_only=True)
class Senders:
    """Accounts whose credentials count, from anywhere or only `sources`: networks as `10.0.0.0/8`.

    `window_s` is how far the time of a signed request may be off.
    """

    accounts: tuple[Account, ...]
    sources: tuple[str, ...] = ()
    window_s: int = 300


@attrs.frozen(kw_only=True)
class CertificatePattern:
    """A client certificate that counts: all of what is not empty must fit.

    In `subject` an asterisk stands for any text without a comma, in `name` (`dns:*.example.com`, `ip:192.0.2.7`,
    `email:..`, `uri:..`) for any text without a dot or slash. `fingerprint` is the SHA-256, lower-case hex digits.
    """

    subject: str = ""
    name: str = ""
    fingerprint: str = ""


@attrs.frozen(kw_only=True)
class Access:
    """`<authentication>`. `is_open`: everybody may send."""

    is_open: bool = False
    senders: tuple[Senders, ...] = ()
    networks: tuple[str, ...] = ()
    certificates: tuple[CertificatePattern, ...] = ()
    realm: str = DEFAULT_REALM


OPEN = Access(is_open=True)
