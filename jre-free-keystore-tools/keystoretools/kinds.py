"""The kinds of content that a certificate department may send, and the words for each."""

from __future__ import annotations

from enum import Enum

import attrs


class Kind(Enum):
    """What some content is; the value is what to call it in a sentence."""

    JKS = "JKS keystore"
    JCEKS = "JCEKS keystore"
    PKCS12 = "PKCS#12 keystore (PFX)"
    BKS = "BouncyCastle keystore (BKS)"
    UBER = "BouncyCastle keystore (UBER)"
    BCFKS = "BouncyCastle FIPS keystore (BCFKS)"
    PEM = "PEM text"
    CERTIFICATE = "certificate (DER)"
    CRL = "certificate revocation list (DER)"
    REQUEST = "certificate request (DER)"
    PKCS7 = "PKCS#7 bundle of certificates (DER)"
    PKCS8 = "private key without encryption (DER, PKCS#8)"
    ENCRYPTED_PKCS8 = "encrypted private key (DER, PKCS#8)"
    RSA_KEY = "RSA private key without encryption (DER, PKCS#1)"
    DSA_KEY = "DSA private key without encryption (DER)"
    EC_KEY = "EC private key without encryption (DER, SEC1)"
    PUBLIC_KEY = "public key (DER)"
    ASN1 = "ASN.1 structure of an unknown kind"
    EMPTY = "empty file"
    ARCHIVE = "archive"
    WEB_PAGE = "web page (HTML)"
    XML = "XML document"
    OPENSSH_KEY = "OpenSSH key"
    PUTTY_KEY = "PuTTY key"
    PGP = "PGP key or message"
    GIT_LFS = "Git LFS pointer"
    PDF = "PDF document"
    OFFICE = "Office or Outlook document"
    MANGLED = "binary file damaged by a text conversion"
    TEXT = "plain text"
    UNKNOWN = "unknown content"

    @property
    def words(self) -> str:
        return self.value

    @property
    def is_keystore(self) -> bool:
        """Whether a keystore would be expected inside, readable here or not."""
        return self in _KEYSTORES

    @property
    def is_der(self) -> bool:
        """One DER object: a certificate, key, request or bundle."""
        return self in _DER


_KEYSTORES = frozenset({Kind.JKS, Kind.JCEKS, Kind.PKCS12, Kind.BKS, Kind.UBER, Kind.BCFKS})
_DER = frozenset(
    {
        Kind.CERTIFICATE,
        Kind.CRL,
        Kind.REQUEST,
        Kind.PKCS7,
        Kind.PKCS8,
        Kind.ENCRYPTED_PKCS8,
        Kind.RSA_KEY,
        Kind.DSA_KEY,
        Kind.EC_KEY,
        Kind.PUBLIC_KEY,
    }
)


@attrs.frozen(kw_only=True)
class Detected:
    """What was found: `content` is the octets after taking off `wrappings` ("base64", "UTF-16" ...),
    outermost first.

    `detail` says more where there is more (labels of a PEM text, kind of archive or damage, version).
    """

    kind: Kind
    content: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")
    detail: str = ""
    wrappings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """For the operator: what it is, and what to do when a keystore was expected."""
        more = f" ({self.detail})" if self.detail else ""
        inside = f", inside {' in '.join(self.wrappings)}" if self.wrappings else ""
        advice = _ADVICE.get(self.kind)
        if advice is None:
            advice = (
                "It is not a keystore; import it into one."
                if self.kind.is_der or self.kind is Kind.PEM
                else "This is not a keystore."
            )
            advice = "" if self.kind.is_keystore else " " + advice
        else:
            advice = " " + advice
        if self.kind in (Kind.UNKNOWN, Kind.TEXT, Kind.PEM):
            article = ""
        else:
            article = "an" if self.kind.value[0] in "aeiouAEIOR" else "a"  # an RSA key, an Office document
        if self.kind is Kind.EMPTY:
            return f"The file is empty{more}.{advice}"
        return f"The file is {article} {self.kind.value}{more}{inside}.".replace("  ", " ") + advice


_BOUNCY = (
    "It is made and read by BouncyCastle (Android, FIPS systems); convert it on a machine with Java: keytool"
    " -importkeystore -srckeystore FILE -srcstoretype {} -providerclass"
    " org.bouncycastle.jce.provider.BouncyCastleProvider -providerpath bcprov.jar -destkeystore out.p12"
    " -deststoretype pkcs12"
)
_ADVICE = {
    Kind.EMPTY: "Nothing was saved in it: fetch or create it again.",
    Kind.ARCHIVE: "Unpack it and use the files inside.",
    Kind.WEB_PAGE: "Probably a login or error page was saved instead of the download: fetch the file again.",
    Kind.XML: "This is not a keystore; fetch the file again.",
    Kind.OPENSSH_KEY: "OpenSSH keys are for logins, not for TLS.",
    Kind.PUTTY_KEY: "PuTTY keys are for logins, not for TLS.",
    Kind.PGP: "PGP keys are for mail and files, not for TLS.",
    Kind.GIT_LFS: "Only the pointer was checked out: run 'git lfs pull' to get the file itself.",
    Kind.MANGLED: "It cannot be repaired: fetch it again in binary mode (Git: mark it '-text').",
    Kind.BKS: "It is made by BouncyCastle (Android) and can be read here, not written; to use it, convert it: iakeytool"
    " -importkeystore -srckeystore FILE -destkeystore out.p12 -deststoretype pkcs12",
    Kind.UBER: _BOUNCY.format("UBER"),
    Kind.BCFKS: _BOUNCY.format("BCFKS").replace(
        "jce.provider.BouncyCastleProvider -providerpath bcprov.jar",
        "jcajce.provider.BouncyCastleFipsProvider -providerpath bc-fips.jar",
    ),
}
