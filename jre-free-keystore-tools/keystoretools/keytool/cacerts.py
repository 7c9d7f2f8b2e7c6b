"""The authorities that this machine trusts already: for `-cacerts` and `-trustcacerts`.

Looked for in this order; the first that is there counts:

1. `lib/security/cacerts` (Java 8: `jre/lib/security/cacerts`) of $JAVA_HOME;
2. the same of the `java` that $PATH finds, links followed;
3. the truststores that Linux distributions keep for every Java;
4. only for `-trustcacerts`: the system's PEM bundle, $SSL_CERT_FILE or where distributions have it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from keystoretools import files
from keystoretools.certificate import Certificate
from keystoretools.contents import read_anything
from keystoretools.errors import KeystoreError
from keystoretools.limits import Budget
from keystoretools.store import open_keystore

# Debian; Fedora and its relatives, new and old; Arch.
JAVA_PLACES: Final = (
    Path("/etc/ssl/certs/java/cacerts"),
    Path("/etc/pki/ca-trust/extracted/java/cacerts"),
    Path("/etc/pki/java/cacerts"),
    Path("/etc/ssl/certs/java-cacerts"),
)
# Debian; Fedora; SUSE; Alpine and macOS.
BUNDLE_PLACES: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
_IN_JAVA_HOME: Final = ("lib/security/cacerts", "jre/lib/security/cacerts")


def find(environ: Mapping[str, str]) -> Path | None:
    """The truststore of a Java here, None where there is none."""
    return next((path for path in _java_places(environ) if path.is_file()), None)


def trusted(environ: Mapping[str, str], budget: Budget) -> tuple[tuple[str, Certificate], ...]:
    """Alias and certificate of all that is trusted here: from Java's truststore, else from the system's bundle.

    Nothing where there is neither, or where it cannot be read: then nobody is trusted whom the keystore does not.
    """
    for read, places in ((_truststore, _java_places(environ)), (_bundle, _bundle_places(environ))):
        for path in places:
            if not path.is_file():
                continue
            try:
                return tuple(read(files.load(path, limits=budget.limits), budget))
            except KeystoreError:
                continue
    return ()


def _truststore(data: bytes, budget: Budget) -> Iterator[tuple[str, Certificate]]:
    for entry in open_keystore(data, None, budget=budget).trusted_certificates:
        yield entry.alias, entry.certificate


def _bundle(data: bytes, budget: Budget) -> Iterator[tuple[str, Certificate]]:
    for certificate in read_anything(data, budget=budget).certificates:
        yield (certificate.subject.common_name or certificate.subject.text()).lower(), certificate


def _java_places(environ: Mapping[str, str]) -> Iterator[Path]:
    homes = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    java = shutil.which("java", path=environ.get("PATH", ""))
    if java is not None:
        homes.append(Path(java).resolve().parent.parent)
    for home in homes:
        yield from (home / place for place in _IN_JAVA_HOME)
    yield from JAVA_PLACES


def _bundle_places(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("SSL_CERT_FILE")
    if named:
        yield Path(named)
    yield from BUNDLE_PLACES
