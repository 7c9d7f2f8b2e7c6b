"""Certificate extensions as keytool prints them.

Each known extension has a function from its DER to text; what a function cannot read is printed as a dump, as keytool
prints unknown ones.  Source: RFC 5280 4.2; layouts measured with JDK 17.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Final

from keystoretools import der, oids
from keystoretools.certificate import Extension
from keystoretools.errors import KeystoreError
from keystoretools.keytool.layout import dump, name_text, timestamp
from keystoretools.keytool.nametexts import Unparseable, general_name
from keystoretools.names import Name

_INHIBIT_ANY_POLICY: Final = "2.5.29.54"
_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"
_PRIVATE_KEY_USAGE: Final = "2.5.29.16"
_NETSCAPE_TYPE: Final = "2.16.840.1.113730.1.1"
_ACCESS_METHODS: Final = {
    "1.3.6.1.5.5.7.48.1": "ocsp",
    "1.3.6.1.5.5.7.48.2": "caIssuers",
    "1.3.6.1.5.5.7.48.3": "timeStamping",
    "1.3.6.1.5.5.7.48.5": "caRepository",
}
USAGES: Final = {
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.5": "ipsecEndSystem",
    "1.3.6.1.5.5.7.3.6": "ipsecTunnel",
    "1.3.6.1.5.5.7.3.7": "ipsecUser",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.4.1.311.10.3.3": "MICROSOFT_ExportApproved",
    "2.16.840.1.113730.4.1": "NETSCAPE_ExportApproved",
}
_NO_LIMIT: Final = 2**31 - 1
_KEY_USAGES: Final = (
    "DigitalSignature",
    "Non_repudiation",
    "Key_Encipherment",
    "Data_Encipherment",
    "Key_Agreement",
    "Key_CertSign",
    "Crl_Sign",
    "Encipher_Only",
    "Decipher_Only",
)
_NETSCAPE_TYPES: Final = (
    "SSL client",
    "SSL server",
    "S/MIME",
    "Object Signing",
    "",
    "SSL CA",
    "S/MIME CA",
    "Object Signing CA",
)
_REASONS: Final = (
    "unused",
    "key compromise",
    "CA compromise",
    "affiliation changed",
    "superseded",
    "cessation of operation",
    "certificate hold",
    "privilege withdrawn",
    "AA compromise",
)
# Java's Key for each known extension: they are printed in the order of these names, unknown ones first by OID.
_NAMES: Final[Mapping[str, str]] = {
    oids.AUTHORITY_INFORMATION_ACCESS: "AuthorityInfoAccess",
    oids.AUTHORITY_KEY_IDENTIFIER: "AuthorityKeyIdentifier",
    oids.BASIC_CONSTRAINTS: "BasicConstraints",
    "2.5.29.31": "CRLDistributionPoints",
    "2.5.29.32": "CertificatePolicies",
    oids.EXTENDED_KEY_USAGE: "ExtendedKeyUsage",
    "2.5.29.18": "IssuerAlternativeName",
    _INHIBIT_ANY_POLICY: "InhibitAnyPolicy",
    oids.KEY_USAGE: "KeyUsage",
    "2.5.29.30": "NameConstraints",
    "2.5.29.46": "FreshestCRL",
    _NETSCAPE_TYPE: "NetscapeCertType",
    _NO_CHECK: "OCSPNoCheck",
    "2.5.29.36": "PolicyConstraints",
    "2.5.29.33": "PolicyMappings",
    _PRIVATE_KEY_USAGE: "PrivateKeyUsage",
    oids.SUBJECT_ALTERNATIVE_NAME: "SubjectAlternativeName",
    "1.3.6.1.5.5.7.1.11": "SubjectInfoAccess",
    oids.SUBJECT_KEY_IDENTIFIER: "SubjectKeyIdentifier",
}

# What Java says about a value of another ASN.1 type, where its words are of their own.
_NO_SEQUENCE: Final = {
    oids.BASIC_CONSTRAINTS: "Invalid encoding of BasicConstraints",
    oids.SUBJECT_ALTERNATIVE_NAME: "Invalid encoding for GeneralNames.",
    "2.5.29.18": "Invalid encoding for GeneralNames.",
    "2.5.29.31": "Invalid encoding for CRLDistributionPoints extension.",
    "2.5.29.46": "Invalid encoding for FreshestCRL extension.",
    "2.5.29.36": "Sequence tag missing for PolicyConstraint.",
}
# The type of a value that is no SEQUENCE, and Java's words about another one; {} is its tag as a signed octet.
_OTHER_THAN_SEQUENCE: Final = {
    oids.SUBJECT_KEY_IDENTIFIER: (der.OCTET_STRING, "DerValue.getOctetString, not an Octet String: {}"),
    oids.KEY_USAGE: (der.BIT_STRING, "DerValue.getBitString, not a bit string {}"),
    _NETSCAPE_TYPE: (der.BIT_STRING, "DerValue.getBitString, not a bit string {}"),
    _INHIBIT_ANY_POLICY: (der.INTEGER, "Invalid encoding of InhibitAnyPolicy: data not integer"),
}


def extensions_text(extensions: Iterable[Extension], zone: tzinfo | None = None) -> str:
    """All extensions, numbered, each with a blank line behind; those that cannot be read come last, by OID."""
    readable, unreadable = [], {}
    for extension in sorted(extensions, key=lambda one: _NAMES.get(one.oid, one.oid)):
        head = f"ObjectId: {extension.oid} Criticality={str(extension.critical).lower()}\n"
        try:
            readable.append(head + _extension(extension, zone))
        except Unparseable as error:
            name = _NAMES[extension.oid]
            unreadable[extension.oid] = (
                f"{head}Unparseable {name} extension due to\n{error.java_class}: {error}\n\n{dump(extension.value)}"
            )
    texts = (*readable, *(unreadable[oid] for oid in sorted(unreadable)))
    return "".join(f"#{number}: {text}\n" for number, text in enumerate(texts, 1))


def _extension(extension: Extension, zone: tzinfo | None) -> str:
    if extension.oid not in _NAMES:
        return dump(extension.value) + "\n" if extension.value else "(Empty value)\n"
    if extension.oid == _NO_CHECK:
        return ""
    if extension.oid == _INHIBIT_ANY_POLICY and not extension.critical:
        raise Unparseable("Criticality cannot be false for InhibitAnyPolicy")
    try:
        element = der.parse(extension.value, allow_trailing=True)
    except KeystoreError as error:
        if len(extension.value) < 2:
            raise Unparseable("Too short") from error
        raise Unparseable("not enough content", java_class="java.io.EOFException") from error
    if extension.oid == _PRIVATE_KEY_USAGE:
        return _key_period(element, zone)
    if element.stop < len(extension.value):
        raise Unparseable("extra data at the end")
    if extension.oid in _OTHER_THAN_SEQUENCE:
        tag, words = _OTHER_THAN_SEQUENCE[extension.oid]
        if element.tag != tag:
            raise Unparseable(words.format(element.tag - (element.tag & 0x80) * 2))
    elif element.tag != der.SEQUENCE:
        raise Unparseable(_NO_SEQUENCE.get(extension.oid) or f"Invalid encoding for {_NAMES[extension.oid]}Extension.")
    try:
        return _LAYOUTS[extension.oid](element)
    except (KeystoreError, IndexError) as error:
        raise Unparseable("the value is damaged") from error


def _lines(title: str, items: Iterable[str]) -> str:
    return f"{title} [\n" + "".join(f"  {item}\n" for item in items) + "]\n"


def _names_list(title: str) -> Callable[[der.Element], str]:
    def text(element: der.Element) -> str:
        if not element.content:
            raise Unparseable("No data available in passed DER encoded value.")
        return _lines(title, map(general_name, element.sequence()))

    return text


def _access(title: str) -> Callable[[der.Element], str]:
    def text(element: der.Element) -> str:
        items = []
        for access in element.sequence():
            method, place = access.sequence(2)[:2]
            named = _ACCESS_METHODS.get(method.oid(), method.oid())
            items.append(f"\n   accessMethod: {named}\n   accessLocation: {general_name(place)}\n")
        return f"{title} [\n  [{', '.join(items)}]\n]\n"

    return text


def _authority_key(element: der.Element) -> str:
    text, names = "AuthorityKeyIdentifier [\n", []
    serial = ""
    for part in element.sequence():
        if part.tag == der.context(0, constructed=False):
            text += f"KeyIdentifier [\n{dump(part.content)}]\n"
        elif part.tag == der.context(1):
            names = [general_name(child) for child in part.children()]
        elif part.tag == der.context(2, constructed=False):
            serial = f"SerialNumber: {part.content.hex(':')}\n"
    return text + (f"[{', '.join(names)}]\n" if names else "") + serial + "]\n"


def _subject_key(element: der.Element) -> str:
    return f"SubjectKeyIdentifier [\nKeyIdentifier [\n{dump(element.octet_string())}]\n]\n"


def _basic_constraints(element: der.Element) -> str:
    parts = element.sequence()
    said = parts[0].boolean() if parts and parts[0].tag == der.BOOLEAN else None
    path = "PathLen: undefined"
    if said is not None:  # an explicit FALSE, which DER forbids, counts as a limit that is not there
        length = parts[1].integer() if len(parts) > 1 else _NO_LIMIT
        path = (
            "PathLen: no limit" if length == _NO_LIMIT else "PathLen: undefined" if length < 0 else f"PathLen:{length}"
        )
    return f"BasicConstraints:[\n  CA:{str(bool(said)).lower()}\n  {path}\n]\n"


def _bits(octets: bytes, names: Iterable[str]) -> list[str]:
    """The names of the bits that are set, first bit first."""
    set_bits = [bool(octet & 0x80 >> bit) for octet in octets for bit in range(8)]
    return [name for name, is_set in zip(names, set_bits, strict=False) if is_set and name]


def _key_usage(element: der.Element) -> str:
    return _lines("KeyUsage", _bits(element.bits(), _KEY_USAGES))


def _netscape_type(element: der.Element) -> str:
    names = _bits(element.bits(), _NETSCAPE_TYPES)
    items = "".join(f"   {name}" + ("" if name == _NETSCAPE_TYPES[-1] else "\n") for name in names)
    return f"NetscapeCertType [\n{items}]\n"


def _extended_usage(element: der.Element) -> str:
    names = [USAGES.get(one.oid(), one.oid()) for one in element.sequence()]
    return _lines("ExtendedKeyUsages", names or [""])


def _distribution_points(title: str) -> Callable[[der.Element], str]:
    def text(element: der.Element) -> str:
        points = ", ".join(f"DistributionPoint:\n{_distribution_point(point)}" for point in element.sequence())
        return f"{title} [\n  [{points}]]\n"

    return text


def _distribution_point(point: der.Element) -> str:
    if not any(part.tag & 0x1F in (0, 2) for part in point.sequence()):
        raise Unparseable("One of fullName, relativeName,  and crlIssuer has to be set")
    text = ""
    for part in point.sequence():
        match part.tag & 0x1F:
            case 0:
                place = part.children()[0]
                if place.tag == der.context(0):
                    text += f"     [{', '.join(map(general_name, place.children()))}]\n"
                else:  # a name relative to the issuer
                    text += f"     {name_text(Name(der=der.sequence(der.encode(der.SET, place.content))))}\n"
            case 1:
                reasons = _bits(part.content[1:], _REASONS)
                text += "   ReasonFlags:\n" + "".join(f"    {reason}\n" for reason in reasons)
            case 2:
                text += f"   CRLIssuer:[{', '.join(map(general_name, part.children()))}]\n"
    return text


def _policies(element: der.Element) -> str:
    text = "CertificatePolicies [\n"
    for policy in element.sequence():
        parts = policy.sequence(1, "policy")
        text += f"  [CertificatePolicyId: [{parts[0].oid()}]\n["
        qualifiers = [one.sequence(2, "qualifier") for one in (parts[1].sequence() if len(parts) > 1 else [])]
        text += ", ".join(
            f"PolicyQualifierInfo: [\n  qualifierID: {one[0].oid()}\n  qualifier: {dump(one[1].raw)}\n]"
            for one in qualifiers
        )
        text += "]  ]\n"
    return text + "]\n"


def _name_constraints(element: der.Element) -> str:
    text = "NameConstraints: ["
    for part in element.sequence():
        title = {der.context(0): "Permitted:", der.context(1): "Excluded:"}.get(part.tag)
        if title is None:
            raise Unparseable("Invalid encoding of NameConstraintsExtension.")
        trees = ", \n".join(_subtree(tree) for tree in part.children())
        text += f"\n    {title}   GeneralSubtrees:\n[\n{trees}]\n"
    return text + "   ]\n"


def _subtree(tree: der.Element) -> str:
    parts = tree.sequence(1, "subtree")
    least, most = 0, "undefined"
    for part in parts[1:]:
        number = int.from_bytes(part.content, "big")
        least, most = (number, most) if part.tag & 0x1F == 0 else (least, str(number))
    name = general_name(parts[0], is_constraint=True)
    return f"   GeneralSubtree: [\n    GeneralName: {name}\n    Minimum: {least}\n    Maximum: {most}    ]\n"


def _key_period(element: der.Element, zone: tzinfo | None) -> str:
    """RFC 3280 4.2.1.4: since when and until when the private key may be used."""
    if element.tag != der.SEQUENCE:
        raise Unparseable("Not the correct tag")
    dates = []
    for part in element.children():
        word = {0x80: "From: ", 0x81: "To: "}.get(part.tag)
        if word is None:
            raise Unparseable("Invalid encoding of PrivateKeyUsageExtension")
        try:
            moment = der.parse(der.encode(der.GENERALIZED_TIME, part.content)).time()
        except KeystoreError as error:
            raise Unparseable("the value is damaged") from error
        dates.append(word + timestamp(moment, zone))
    return f"PrivateKeyUsage: [\n{', '.join(dates)}]\n"


def _policy_constraints(element: der.Element) -> str:
    found = {part.tag & 0x1F: int.from_bytes(part.content, "big") for part in element.sequence()}
    require = f"Require: {found[0]};" if 0 in found else "Require: unspecified;"
    inhibit = f"Inhibit: {found[1]}" if 1 in found else "Inhibit: unspecified"
    return f"PolicyConstraints: [  {require}\t{inhibit} ]\n"


def _policy_mappings(element: der.Element) -> str:
    pairs = [[one.oid() for one in pair.sequence(2, "mapping")[:2]] for pair in element.sequence()]
    maps = ", ".join(
        f"CertificatePolicyMap: [\nIssuerDomain:CertificatePolicyId: [{issuer}]\n"
        f"SubjectDomain:CertificatePolicyId: [{subject}]\n]\n"
        for issuer, subject in pairs
    )
    return f"PolicyMappings [\n[{maps}]]\n"


_LAYOUTS: Final[Mapping[str, Callable[[der.Element], str]]] = {
    oids.AUTHORITY_INFORMATION_ACCESS: _access("AuthorityInfoAccess"),
    "1.3.6.1.5.5.7.1.11": _access("SubjectInfoAccess"),
    oids.AUTHORITY_KEY_IDENTIFIER: _authority_key,
    oids.SUBJECT_KEY_IDENTIFIER: _subject_key,
    oids.BASIC_CONSTRAINTS: _basic_constraints,
    oids.KEY_USAGE: _key_usage,
    oids.EXTENDED_KEY_USAGE: _extended_usage,
    "2.5.29.31": _distribution_points("CRLDistributionPoints"),
    "2.5.29.46": _distribution_points("FreshestCRL"),
    "2.5.29.32": _policies,
    "2.5.29.30": _name_constraints,
    "2.5.29.36": _policy_constraints,
    "2.5.29.33": _policy_mappings,
    oids.SUBJECT_ALTERNATIVE_NAME: _names_list("SubjectAlternativeName"),
    "2.5.29.18": _names_list("IssuerAlternativeName"),
    _NETSCAPE_TYPE: _netscape_type,
    _INHIBIT_ANY_POLICY: lambda element: f"InhibitAnyPolicy: {element.integer()}\n",
}
