"""The lab's certificates, good and bad, in a folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.keystoretools.authority import Made, make
from tests.support.tls import pem_of

NAMES = ("agent.example", "localhost", "127.0.0.1")
SERVER = x509.ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = x509.ExtendedKeyUsageOID.CLIENT_AUTH


class Papers:
    """An authority, what it issued to agents and senders, and another authority that nobody knows.

    TLS clients compare dates with the machine's clock, so all dates count from now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime.now(UTC)
        folder.mkdir()
        self.root = self.issue("Lab Root", authority=True)
        self.stranger_root = self.issue("Unknown Root", authority=True)
        self.ca = self.write_made("ca", self.root, key=False)
        self.unknown_ca = self.write_made("unknown-ca", self.stranger_root, key=False)
        self.server = self.write("server", self.root, names=NAMES, usage=(SERVER,))

    def issue(
        self, common: str, issuer: Made | None = None, *, starts: int = -1, days: int = 100, **facts: Any
    ) -> Made:
        """A certificate that is good from `starts` days from now on, for `days`."""
        return make(common, issuer, start=self.now + timedelta(days=starts), days=days, **facts)

    def write(self, common: str, issuer: Made, *, is_whole: bool = True, **facts: Any) -> Path:
        """A certificate with its key and issuer in one PEM file, named after it; without the issuer: not `is_whole`."""
        return self.write_made(common, self.issue(common, issuer, **facts), *([issuer] if is_whole else []))

    def write_pair(self, certificate: Path, key: Path, made: Made) -> None:
        """The same in two files, as they are first."""
        certificate.write_bytes(made.library.public_bytes(Encoding.PEM))
        key.write_bytes(key_of(made))
        key.chmod(0o600)

    def fresh_server(self) -> Made:
        """Another certificate of the same names, as after a renewal."""
        return self.issue("server", self.root, names=NAMES, usage=(SERVER,))

    def write_made(self, common: str, *made: Made, key: bool = True) -> Path:
        """Certificates that have been issued, with the key of the first or without."""
        path = self.folder / f"{common}.pem"
        path.write_bytes(pem_of(*made, key=key))
        path.chmod(0o600)
        return path


def key_of(made: Made) -> bytes:
    """The private key alone, PEM."""
    return pem_of(made)[: -len(pem_of(made, key=False))]
