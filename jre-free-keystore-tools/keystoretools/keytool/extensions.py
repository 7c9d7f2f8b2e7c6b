"""Certificate extensions as keytool prints them.

Each known extension has a function from its DER to text; what a function cannot read is printed as a dump, as keytool
prints unknown ones.  Source: RFC 5280 4.2; layouts measured with JDK 17.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from keystoretools import der, oids
from keystoretools.certificate import Extension
from keystoretools.errors import KeystoreError
from keystoretools.keytool.layout import dump, name_text, plain
from keystoretools.names import Name

_INHIBIT_ANY_POLICY: Final = "2.5.29.54"
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
    "2.16.840.1.113730.1.1": "NetscapeCertType",
    "1.3.6.1.5.5.7.48.1.5": "OCSPNoCheck",
    "2.5.29.36": "PolicyConstraints",
    "2.5.29.33": "PolicyMappings",
    oids.SUBJECT_ALTERNATIVE_NAME: "SubjectAlternativeName",
    "1.3.6.1.5.5.7.1.11": "SubjectInfoAccess",
    oids.SUBJECT_KEY_IDENTIFIER: "SubjectKeyIdentifier",
}


class _Unparseable(Exception):
    """A known extension that Java would not read; the text says why."""


def extensions_text(extensions: Iterable[Extension]) -> str:
    """All extensions, numbered, each with a blank line behind; those that cannot be read come last."""
    readable, unreadable = [], []
    for extension in sorted(extensions, key=lambda one: _NAMES.get(one.oid, one.oid)):
        head = f"ObjectId: {extension.oid} Criticality={str(extension.critical).lower()}\n"
        try:
            readable.append(head + _extension(extension))
        except _Unparseable as error:
            name = _NAMES[extension.oid]
            unreadable.append(
                f"{head}Unparseable {name} extension due to\njava.io.IOException: {error}\n\n{dump(extension.value)}"
            )
    return "".join(f"#{number}: {text}\n" for number, text in enumerate((*readable, *unreadable), 1))


def _extension(extension: Extension) -> str:
    layout = _LAYOUTS.get(extension.oid)
    if layout is None:
        return dump(extension.value) + "\n" if extension.value else "(Empty value)\n"
    if extension.oid == _INHIBIT_ANY_POLICY and not extension.critical:
        raise _Unparseable("Criticality cannot be false for InhibitAnyPolicy")
    try:
        return layout(der.parse(extension.value, allow_trailing=True))
    except (KeystoreError, IndexError) as error:
        raise _Unparseable("the value is damaged") from error


def general_name(element: der.Element) -> str:
    """One GeneralName: `DNSName: host`, a directory name bare."""
    content = element.content
    match element.tag & 0x1F:
        case 0:
            return f"Other-Name: Unrecognized ObjectIdentifier: {element.children()[0].oid()}"
        case 1:
            return "RFC822Name: " + plain(content.decode("latin-1"))
        case 2:
            return "DNSName: " + plain(content.decode("latin-1"))
        case 4:
            return name_text(Name(der=der.parse(content).raw))
        case 6:
            return "URIName: " + plain(content.decode("latin-1"))
        case 7:
            return "IPAddress: " + _address(content)
        case 8:
            return "OIDName: " + der.parse(der.encode(der.OID, content)).oid()
    raise element.wrong("a name")


def _address(octets: bytes) -> str:
    """IPv4 dotted, IPv6 as eight groups; twice as many octets are an address and a mask."""
    if len(octets) == 4:
        return str(ipaddress.IPv4Address(octets))
    if len(octets) == 16:
        return ":".join(f"{int.from_bytes(octets[at : at + 2], 'big'):x}" for at in range(0, 16, 2))
    if len(octets) == 8:
        return f"{_address(octets[:4])}/{_address(octets[4:])}"
    if len(octets) == 32:
        return f"{_address(octets[:16])}/{int.from_bytes(octets[16:], 'big').bit_count()}"
    return octets.hex()


def _lines(title: str, items: Iterable[str]) -> str:
    return f"{title} [\n" + "".join(f"  {item}\n" for item in items) + "]\n"


def _names_list(title: str) -> Callable[[der.Element], str]:
    return lambda element: _lines(title, map(general_name, element.sequence()))


def _access(title: str) -> Callable[[der.Element], str]:
    def text(element: der.Element) -> str:
        items = []
        for access in element.sequence():
            method, place = access.sequence(2)[:2]
            named = _ACCESS_METHODS.get(method.oid(), method.oid())
            items.append(f"   accessMethod: {named}\n   accessLocation: {general_name(place)}\n")
        return f"{title} [\n  [\n" + ", \n".join(items) + "]\n]\n"

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
    is_authority = bool(parts) and parts[0].tag == der.BOOLEAN and parts[0].boolean()
    length = next((part.integer() for part in parts if part.tag == der.INTEGER), None)
    path = "PathLen: undefined"
    if is_authority:
        path = "PathLen: no limit" if length is None else f"PathLen:{length}"
    return f"BasicConstraints:[\n  CA:{str(is_authority).lower()}\n  {path}\n]\n"


def _bits(octets: bytes, names: Iterable[str]) -> list[str]:
    """The names of the bits that are set, first bit first."""
    set_bits = [bool(octet & 0x80 >> bit) for octet in octets for bit in range(8)]
    return [name for name, is_set in zip(names, set_bits, strict=False) if is_set and name]


def _key_usage(element: der.Element) -> str:
    return _lines("KeyUsage", _bits(element.bits(), _KEY_USAGES))


def _netscape_type(element: der.Element) -> str:
    items = "".join(f"   {name}\n" for name in _bits(element.bits(), _NETSCAPE_TYPES))
    return f"NetscapeCertType [\n{items}]\n"


def _extended_usage(element: der.Element) -> str:
    return _lines("ExtendedKeyUsages", (USAGES.get(one.oid(), one.oid()) for one in element.sequence()))


def _distribution_points(element: der.Element) -> str:
    points = ", ".join(f"DistributionPoint:\n{_distribution_point(point)}" for point in element.sequence())
    return f"CRLDistributionPoints [\n  [{points}]]\n"


def _distribution_point(point: der.Element) -> str:
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
        title = {0: "Permitted:", 1: "Excluded:"}[part.tag & 0x1F]
        trees = "".join(_subtree(tree) for tree in part.children())
        text += f"\n    {title}   GeneralSubtrees:\n[\n{trees}]\n"
    return text + "   ]\n"


def _subtree(tree: der.Element) -> str:
    parts = tree.sequence(1, "subtree")
    least, most = 0, "undefined"
    for part in parts[1:]:
        number = int.from_bytes(part.content, "big")
        least, most = (number, most) if part.tag & 0x1F == 0 else (least, str(number))
    name = general_name(parts[0])
    return f"   GeneralSubtree: [\n    GeneralName: {name}\n    Minimum: {least}\n    Maximum: {most}    ]\n"


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
    "2.5.29.31": _distribution_points,
    "2.5.29.32": _policies,
    "2.5.29.30": _name_constraints,
    "2.5.29.36": _policy_constraints,
    "2.5.29.33": _policy_mappings,
    oids.SUBJECT_ALTERNATIVE_NAME: _names_list("SubjectAlternativeName"),
    "2.5.29.18": _names_list("IssuerAlternativeName"),
    "2.16.840.1.113730.1.1": _netscape_type,
    "1.3.6.1.5.5.7.48.1.5": lambda _: "",
    _INHIBIT_ANY_POLICY: lambda element: f"InhibitAnyPolicy: {element.integer()}\n",
}
