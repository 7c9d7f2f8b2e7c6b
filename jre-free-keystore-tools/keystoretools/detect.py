"""Says what some octets are, by content alone; file names and suffixes count for nothing (Java ignores them
too).

The first rule that matches wins:

 1. nothing at all                       7. `-----BEGIN `: PEM (or an OpenSSH or PGP key)
 2. FE ED FE ED: JKS                     8. base64 only: the same rules on what it decodes to
 3. CE CE CE CE: JCEKS                   9. archives, PDF, Office
 4. BouncyCastle's header: BKS, UBER    10. `<`: a web page or XML
 5. 30: ASN.1, by its first elements    11. traces of a text conversion
 6. byte order mark: text, start again  12. named text formats, text, unknown

Only the beginning of a structure is looked at: a length that is wrong further on means "truncated" or
"corrupt", which the reader of the format says.  `sniff` never raises and costs milliseconds.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from keystoretools import der, oids
from keystoretools.errors import KeystoreError, quoted
from keystoretools.kinds import Detected, Kind

__all__ = ["Detected", "Kind", "line_end_damage", "sniff"]

# Enough to see PEM behind `openssl x509 -text` of many certificates, and base64 of any store.
_TEXT_WINDOW: Final = 1024 * 1024
_MOST_WRAPPINGS: Final = 3
# A file of passwords, given in the place of a keystore, must not get into a message or a log.
_SHORT_TEXT: Final = 200

_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_WIDE_BEGIN: Final = b"B\0E\0G\0I\0N\0 \0"
_ARCHIVES: Final = {
    b"PK\x03\x04": (Kind.ARCHIVE, "ZIP or JAR"),
    b"\x1f\x8b": (Kind.ARCHIVE, "gzip"),
    b"7z\xbc\xaf": (Kind.ARCHIVE, "7-Zip"),
    b"Rar!": (Kind.ARCHIVE, "RAR"),
    b"BZh": (Kind.ARCHIVE, "bzip2"),
    b"\xfd7zXZ\0": (Kind.ARCHIVE, "xz"),
    b"%PDF-": (Kind.PDF, ""),
    b"\xd0\xcf\x11\xe0": (Kind.OFFICE, ""),
}
_NAMED_TEXTS: Final = (
    (b"version https://git-lfs", Kind.GIT_LFS),
    (b"PuTTY-User-Key-File-", Kind.PUTTY_KEY),
    (b"ssh-rsa ", Kind.OPENSSH_KEY),
    (b"ssh-ed25519 ", Kind.OPENSSH_KEY),
    (b"ssh-dss ", Kind.OPENSSH_KEY),
    (b"ecdsa-sha2-", Kind.OPENSSH_KEY),
    (b"---- BEGIN SSH2 ", Kind.OPENSSH_KEY),
)
_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 #.]{1,64})-----")
# Hyphens, en and em dashes, the minus sign; one is enough, because two are often made one.
_DASH: Final = rb"(?:-|\xe2\x80[\x90-\x95]|\xe2\x88\x92){1,10}"
_PRETTY_MARKER: Final = re.compile(
    _DASH + rb" ?(BEGIN|END) ([A-Z0-9 ]{0,30}(?:CERTIFICATE|KEY|REQUEST|PKCS7)) ?" + _DASH
)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=\s]+\Z")


def sniff(data: bytes) -> Detected:
    """What `data` is.  Never raises."""
    return _detect(data, ())


def _detect(data: bytes, wrappings: tuple[str, ...]) -> Detected:
    """The rules in their order; `wrappings` were taken off before."""
    for rule in (_binary, _marked_text, _wide_text, _pem, _pem_with_other_dashes, _base64):
        found = rule(data, wrappings)
        if found is not None:
            return found
    kind, detail = _no_crypto(data, data[:_TEXT_WINDOW])
    return Detected(kind=kind, content=data, detail=detail, wrappings=wrappings)


def _binary(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """Rules 1 to 5."""
    kind, detail = None, ""
    if not data.strip(b" \t\r\n\0"):
        kind, detail = Kind.EMPTY, "only blanks or zeros" if data else ""
    elif data.startswith(b"\xfe\xed\xfe\xed"):
        kind = Kind.JKS
    elif data.startswith(b"\xce\xce\xce\xce"):
        kind = Kind.JCEKS
    elif data[0] == 0x30:
        kind = _asn1(data)
        if kind is Kind.ASN1 and (_is_text(data[:4096]) or _conversion_damage(data[:_TEXT_WINDOW])):
            kind = None
    else:
        kind = _bouncy_castle(data)
        detail = f"version {data[3]}" if kind else ""
    return kind and Detected(kind=kind, content=data, detail=detail, wrappings=wrappings)


def _marked_text(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """Rule 6: a byte order mark; the text behind it is looked at anew, as UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark) and len(wrappings) < _MOST_WRAPPINGS:
            text = data[len(mark) :].decode(encoding, "replace").encode("utf-8", "replace")
            return _detect(text, (*wrappings, encoding.upper().removesuffix("-LE").removesuffix("-BE")))
    return None


def _wide_text(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """PEM as UTF-16 that has lost its mark: the same as with it."""
    at = data.find(_WIDE_BEGIN, 0, _TEXT_WINDOW)
    if at < 0 or len(wrappings) >= _MOST_WRAPPINGS:
        return None
    text = data.decode("utf-16-be" if at % 2 else "utf-16-le", "replace").encode("utf-8", "replace")
    return _detect(text, (*wrappings, "UTF-16"))


def _no_crypto(data: bytes, window: bytes) -> tuple[Kind, str]:
    """Rules 9 to 12: what else it looks like, and a detail."""
    for magic, answer in _ARCHIVES.items():
        if data.startswith(magic):
            return answer
    start = window[:1024].lstrip().lower()
    if start.startswith(b"<?xml") and b"<html" not in start:
        return Kind.XML, ""
    if start.startswith(b"<") or b"<html" in start:
        return Kind.WEB_PAGE, ""
    damage = _conversion_damage(window)
    if damage is not None:
        return Kind.MANGLED, damage
    for text_start, kind in _NAMED_TEXTS:
        if window.startswith(text_start):
            return kind, ""
    is_text = _is_text(window[:4096])
    if is_text and len(data) <= _SHORT_TEXT:
        return Kind.TEXT, f"{len(data)} characters, not shown: they may be a password"
    shown = quoted(data[:24].decode("latin-1"), 24)
    return Kind.TEXT if is_text else Kind.UNKNOWN, f"it begins with {shown}"


def line_end_damage(data: bytes) -> str | None:
    """Words for a copy in text mode: in a binary file every 0A became 0D 0A.  None when there is no sign of
    it.

    Of random octets every 256th is 0A, and it stands behind 0D once in 65 536: three pairs and no lone one
    are proof.
    """
    pairs = data.count(b"\r\n")
    return "every line end was turned into CR LF" if pairs >= 3 and pairs == data.count(b"\n") else None


def _bouncy_castle(data: bytes) -> Kind | None:
    """Version 1 or 2, salt length, salt, iterations; then entries in clear (BKS) or Twofish blocks (UBER)."""
    if data[:3] != b"\0\0\0" or data[3:4] not in (b"\x01", b"\x02"):
        return None
    salt = int.from_bytes(data[4:8], "big")
    at = 12 + salt
    if not 8 <= salt <= 64 or at >= len(data):
        return None
    rest = len(data) - at
    if data[at] == 0 and rest == 21:  # no entries: the end mark and the HMAC
        return Kind.BKS
    if 1 <= data[at] <= 4:
        alias_end = at + 3 + int.from_bytes(data[at + 1 : at + 3], "big")
        date = data[alias_end : alias_end + 2]
        if date in (b"\0\0", b"\0\1", b"\0\2", b"\xff\xff"):  # milliseconds: within 17 000 years
            return Kind.BKS
    return Kind.UBER if rest % 16 == 0 else Kind.BKS if data[at] <= 4 else Kind.UBER


def _pem(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """Rule 7: PEM, or one of its relatives that are no PEM."""
    window = data[:_TEXT_WINDOW]
    if b"-----BEGIN " not in window:
        return None
    labels = [label.decode("ascii") for label in _LABEL.findall(window)]
    kind = Kind.PEM
    if labels and all("OPENSSH" in label or "SSH2" in label for label in labels):
        kind = Kind.OPENSSH_KEY
    elif labels and all(label.startswith("PGP ") for label in labels):
        kind = Kind.PGP
    names = list(dict.fromkeys(labels))
    detail = ", ".join(f"{labels.count(name)} x {name}" for name in names[:6])
    return Detected(kind=kind, content=data, detail=detail, wrappings=wrappings)


def _pem_with_other_dashes(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """Rule 7 for text that a word processor or mail program prettied: BEGIN and END between dashes of other kinds."""
    if len(wrappings) >= _MOST_WRAPPINGS or not _PRETTY_MARKER.search(data[:_TEXT_WINDOW]):
        return None
    return _pem(_PRETTY_MARKER.sub(rb"-----\1 \2-----", data), (*wrappings, "text with changed dashes"))


def _base64(data: bytes, wrappings: tuple[str, ...]) -> Detected | None:
    """Rule 8: something that this module knows, in base64 without labels."""
    if len(wrappings) >= _MOST_WRAPPINGS or len(data) < 16 or not _BASE64.match(data):
        return None
    try:
        decoded = binascii.a2b_base64(b"".join(data.split()))
    except binascii.Error:
        return None
    inner = _detect(decoded, (*wrappings, "base64")) if decoded else None
    return inner if inner and (inner.kind.is_keystore or inner.kind.is_der or inner.kind is Kind.PEM) else None


def _conversion_damage(window: bytes) -> str | None:
    """Traces of a text conversion in what was a binary file."""
    if window.count(b"\xef\xbf\xbd") >= 4 and not _is_text(window.replace(b"\xef\xbf\xbd", b"")[:4096]):
        return "octets that are no UTF-8 were replaced"
    if window.startswith((b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", b"0\xef\xbf\xbd")):
        return "octets that are no UTF-8 were replaced"
    if window.startswith((b"\xc3\xbe\xc3\xad\xc3\xbe\xc3\xad", b"\xc3\x8e\xc3\x8e\xc3\x8e\xc3\x8e", b"0\xc2\x82")):
        return "it was converted from Latin-1 to UTF-8"
    return None


def _is_text(window: bytes) -> bool:
    """No control characters but blanks, in octets that are mostly UTF-8."""
    return bool(window) and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", window)


# --- ASN.1, by the first elements; the file may be cut anywhere
# -------------------------------------------------


def _asn1(data: bytes) -> Kind:
    try:
        return _asn1_kind(data)
    except (KeystoreError, IndexError):
        return Kind.ASN1


def _walk(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, body, position behind) of the element at `at`; indefinite ones are treated as endless."""
    header = der.read_header(data, at, len(data))
    behind = len(data) if header.length is None else header.body + header.length
    return header.tag, header.body, behind


def _oid_at(data: bytes, at: int) -> str | None:
    tag, _, behind = _walk(data, at)
    return der.parse(data[at:behind]).oid() if tag == der.OID and behind <= len(data) else None


def _asn1_kind(data: bytes) -> Kind:
    _, outer, _ = _walk(data, 0)
    tag, body, second = _walk(data, outer)
    if tag == der.INTEGER:
        return _begins_with_integer(data, data[body:second], second)
    if tag == der.OID:
        return Kind.PKCS7 if _oid_at(data, outer) == oids.SIGNED_DATA else Kind.ASN1
    if tag != der.SEQUENCE:
        return Kind.ASN1
    first_tag, first_body, first_behind = _walk(data, body)
    if first_tag == der.OID:
        next_tag = data[second] if second < len(data) else 0
        return {
            der.OCTET_STRING: Kind.ENCRYPTED_PKCS8,
            0x24: Kind.ENCRYPTED_PKCS8,
            der.BIT_STRING: Kind.PUBLIC_KEY,
        }.get(next_tag, Kind.ASN1)
    if first_tag == der.SEQUENCE and _walk(data, first_body)[0] == der.OID:
        return Kind.BCFKS
    if first_tag == der.context(0):
        return Kind.CERTIFICATE
    if first_tag == der.INTEGER:
        return _request_or_certificate(data, data[first_body:first_behind], first_behind)
    if first_tag == der.SEQUENCE:
        return Kind.BCFKS
    return Kind.ASN1


def _begins_with_integer(data: bytes, value: bytes, second: int) -> Kind:
    tag, body, behind = _walk(data, second)
    if tag == der.SEQUENCE:
        dotted = _oid_at(data, body)
        if dotted in (oids.DATA, oids.SIGNED_DATA):
            return Kind.PKCS12
        return Kind.PKCS8 if value in (b"\0", b"\1") else Kind.ASN1
    if tag == der.OCTET_STRING and value == b"\1":
        return Kind.EC_KEY
    if tag == der.INTEGER and value in (b"\0", b"\1"):
        numbers = 2
        while numbers < 9 and behind < len(data) and data[behind] == der.INTEGER:
            behind = _walk(data, behind)[2]
            numbers += 1
        return Kind.DSA_KEY if numbers == 6 else Kind.RSA_KEY
    return Kind.ASN1


def _request_or_certificate(data: bytes, value: bytes, at: int) -> Kind:
    """Behind the first INTEGER: SEQUENCE{SET..} is a request's subject, SEQUENCE{OID} an algorithm."""
    tag, body, behind = _walk(data, at)
    if tag != der.SEQUENCE:
        return Kind.ASN1
    if data[body : body + 1] != bytes((der.OID,)):
        return Kind.REQUEST if value == b"\0" else Kind.ASN1
    third = _walk(data, behind)[2]
    return Kind.CRL if third < len(data) and data[third] in (der.UTC_TIME, der.GENERALIZED_TIME) else Kind.CERTIFICATE
