"""Which password opens what, and in which order they are tried; the octets come from a `ReadFile` that is passed in.

* A keystore: the file that is named; else what the agent was given (`agent.storepassword`); else the one that the
  original delivers.
* A truststore: all of these and Java's own: there is no secret in it.
* The key of a PEM file: `passphrase-file`, or `passphrase`.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import attrs

from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.gateway.supply import OpenSecret, ReadFile, open_plain
from agent.storepassword import StorePassword
from keystoretools import Password

DEFAULT_PASSWORD: Final = "alarmpoint"
JAVA_PASSWORD: Final = "changeit"


@attrs.frozen(kw_only=True)
class Candidate:
    """A password to be tried; `words` name it in a sentence, as its subject."""

    password: Password
    words: str
    is_default: bool = False


@attrs.frozen(kw_only=True)
class Passwords:
    """`given` is for whatever no file is named for."""

    read: ReadFile
    opened: OpenSecret = open_plain
    given: StorePassword | None = None

    def in_file(self, path: PurePath) -> Password:
        """What a password file holds; raises `OperatorError` for one that cannot be used."""
        try:
            return Password(self.opened(path, self.read(path)).reveal())
        except ValueError as error:
            raise OperatorError("tls-password-file", f"the password file {path} {error}") from None

    def for_keystore(self, file: PurePath | None) -> Candidate:
        """The one that counts; there is no second try with a private key behind it."""
        if file is not None:
            return Candidate(password=self.in_file(file), words=f"the password in {file}")
        if self.given is not None:
            return Candidate(
                password=Password(self.given.secret.reveal()), words=f"the password of {self.given.origin}"
            )
        return Candidate(password=Password(DEFAULT_PASSWORD), words="the default password", is_default=True)

    def for_truststore(self, file: PurePath | None) -> list[Password]:
        """All that may open it."""
        named = [] if file is None else [self.in_file(file)]
        given = [] if self.given is None else [Password(self.given.secret.reveal())]
        return [*named, *given, Password(DEFAULT_PASSWORD), Password(JAVA_PASSWORD)]

    def for_key(self, config: TlsConfig) -> list[Password]:
        """What opens the private key of `config`; nothing where it names nothing."""
        if config.passphrase is not None:
            return [Password(config.passphrase.reveal())]
        return [] if config.passphrase_file is None else [self.in_file(config.passphrase_file)]
