"""The three ways to write a PKCS#12 file, and the count for JCEKS keys.

| profile  | opens in                                                        |
|----------|-----------------------------------------------------------------|
| portable | Java 8 to 25, OpenSSL 3 without `-legacy`, Windows since 2019   |
| modern   | Java 8u301, 11.0.12 and newer, OpenSSL 3                        |
| legacy   | everything old: Windows before 2019, old macOS, Java 6; no RC2  |
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Profile:
    """Algorithms for what has to be encrypted anew; counts are iterations, salts octets.

    `pbes2`: AES-256-CBC with PBKDF2-HMAC-SHA256 and the key length written (old Java takes the next field
    for it); otherwise PBE-SHA1-3DES.  `mac` is the digest of the integrity check.
    """

    name: str
    pbes2: bool
    encryption_iterations: int
    mac: str
    mac_iterations: int
    salt_bytes: int = 20
    jceks_iterations: int = 200_000


PORTABLE: Final = Profile(name="portable", pbes2=True, encryption_iterations=10_000, mac="sha1", mac_iterations=10_000)
MODERN: Final = Profile(name="modern", pbes2=True, encryption_iterations=10_000, mac="sha256", mac_iterations=10_000)
LEGACY: Final = Profile(name="legacy", pbes2=False, encryption_iterations=50_000, mac="sha1", mac_iterations=100_000)
PROFILES: Final = {profile.name: profile for profile in (PORTABLE, MODERN, LEGACY)}
