"""What PKCS#12 files are made of: bags, attributes, and what a reader remembers for the next writer.

Source: RFC 7292 section 4; Oracle's attribute from `sun.security.pkcs12.PKCS12KeyStore` (facts only).
"""

from __future__ import annotations

from typing import Final

import attrs

from keystoretools.entries import Attribute, Entry
from keystoretools.model import FormatState
from keystoretools.pkcs12_mac import Mac
from keystoretools.secret import Password

KEY_BAG: Final = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG: Final = "1.2.840.113549.1.12.10.1.2"
CERTIFICATE_BAG: Final = "1.2.840.113549.1.12.10.1.3"
SECRET_BAG: Final = "1.2.840.113549.1.12.10.1.5"
X509_CERTIFICATE: Final = "1.2.840.113549.1.9.22.1"

FRIENDLY_NAME: Final = "1.2.840.113549.1.9.20"
LOCAL_KEY_ID: Final = "1.2.840.113549.1.9.21"
TRUSTED_KEY_USAGE: Final = "2.16.840.1.113894.746875.1.1"
ANY_EXTENDED_KEY_USAGE: Final = "2.5.29.37.0"


@attrs.frozen(kw_only=True)
class Bag:
    """A SafeBag: `raw` is all of it, `value` the certificate, key or EncryptedPrivateKeyInfo inside.

    `name` is the friendlyName as spelt (None: none, or one that Java cannot read), `local_id` the
    localKeyID, `trusted` whether Oracle's mark is there, `attributes` all the others.  `hidden`: it lay in
    an encrypted content; `content` counts the contents.
    """

    oid: str
    raw: bytes = attrs.field(repr=False)
    value: bytes = attrs.field(repr=False)
    name: str | None = None
    local_id: bytes | None = None
    trusted: bool = False
    attributes: tuple[Attribute, ...] = ()
    hidden: bool = False
    content: int = 0


@attrs.frozen(kw_only=True)
class Original:
    """An entry as it was read and the bags it came from; `certificate` is the leaf's, where there is one."""

    entry: Entry
    bag: Bag
    certificate: Bag | None = None


@attrs.frozen(kw_only=True)
class Pkcs12State(FormatState):
    """What a file looked like, for those who rewrite or explain it.

    `mac` None: no integrity check.  `certificate_scheme`: the DER of the AlgorithmIdentifier of the
    certificates' encryption, None when they lie in the clear.  `password`: the one that opened the file.
    `issuers`: the bags of chain certificates, by their DER.  `unknown`: bags that are kept as they are.
    `sealed`: whole ContentInfos that nobody opened.
    """

    mac: Mac | None = None
    certificate_scheme: bytes | None = None
    password: Password | None = attrs.field(default=None, repr=False)
    originals: tuple[Original, ...] = attrs.field(default=(), repr=False)
    issuers: dict[bytes, Bag] = attrs.field(factory=dict, repr=False)
    unknown: tuple[Bag, ...] = attrs.field(default=(), repr=False)
    sealed: tuple[bytes, ...] = attrs.field(default=(), repr=False)

    @property
    def is_passwordless(self) -> bool:
        """Java's form without a password: no integrity check, certificates in the clear."""
        return self.mac is None and self.certificate_scheme is None

    @property
    def certificate_cipher(self) -> str:
        """For people: how the certificates are encrypted ("PBE-SHA1-RC2-40, 50000 iterations"), or "none"."""
        if self.certificate_scheme is None:
            return "none"
        from keystoretools import der, pbe

        return pbe.describe(der.parse(self.certificate_scheme))
