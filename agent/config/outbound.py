"""How an HTTP destination is dealt with: records that are parts of `HttpDestination`.

Names and defaults of the settings are those of the Integration Runtime (`integrationRuntime-settings.json`); where it
is silent, the reason stands beside the default.
"""

from __future__ import annotations

import enum
from pathlib import PurePath

import attrs

from agent.secret import Secret


@attrs.frozen(kw_only=True)
class BasicCredentials:
    """User and password for HTTP Basic (RFC 7617). `path`: the file to read the password from again."""

    user: str
    password: Secret
    path: PurePath | None = None


@attrs.frozen(kw_only=True)
class TokenCredentials:
    """A token in a header: `Authorization: Bearer ...` (RFC 6750), or ThingWorx's `appKey: ...` without a scheme."""

    token: Secret
    header: str = "Authorization"
    scheme: str = "Bearer"
    path: PurePath | None = None


Credentials = BasicCredentials | TokenCredentials


@attrs.frozen(kw_only=True)
class TriesPolicy:
    """`<RetryPolicy>`: the tries that follow a failed one at once; after them the durable queue goes on (`<retry>`)."""

    maximum_retries: int = 2
    retry_delay_s: float = 1.0
    backoff_multiplier: float = 1.0
    unauthorized_retries: int = 2


class Then(enum.StrEnum):
    """What follows an answer: `<answer status="409" then="delivered"/>`."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"


@attrs.frozen(kw_only=True)
class AnswerRule:
    """An exception from the table of statuses, for `first` to `last`."""

    first: int
    last: int
    then: Then


@attrs.frozen(kw_only=True)
class ClientTls:
    """Whom a destination trusts over TLS, and what it presents itself; by default the machine's trust, and nothing.

    Paths are absolute. `truststore` takes the place of the machine's trust, or is added to it (`with_system`).
    `fingerprints` (SHA-256 of certificates, lower-case hex digits) take the place of every other check. `keystore` is
    looked at only for `alias`.
    """

    truststore: PurePath | None = None
    truststore_password_file: PurePath | None = None
    with_system: bool = False
    fingerprints: tuple[str, ...] = ()
    ignore_errors: bool = False
    """`ignoreSSLErrors` of the Integration Runtime."""
    keystore: PurePath | None = None
    keystore_password_file: PurePath | None = None
    alias: str = ""
    verbose: bool = False

    @property
    def files(self) -> tuple[PurePath, ...]:
        """All files that a context is made of."""
        found = (self.truststore, self.truststore_password_file, self.keystore, self.keystore_password_file)
        return tuple(path for path in found if path is not None)


class ProxyScheme(enum.StrEnum):
    """How the proxy itself is spoken to."""

    HTTP = "http"
    HTTPS = "https"


@attrs.frozen(kw_only=True)
class Proxy:
    """`<Proxy>`. No credentials are sent where `user` is empty. `no_proxy` lists what is reached directly."""

    host: str
    port: int
    scheme: ProxyScheme = ProxyScheme.HTTP
    user: str = ""
    password: Secret | None = None
    password_path: PurePath | None = None
    """The file to read the password from again."""
    no_proxy: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class RedirectPolicy:
    """`<RedirectPolicy>`."""

    maximum: int = 3
    enabled: bool = True
