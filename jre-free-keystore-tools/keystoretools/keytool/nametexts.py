"""The names inside certificate extensions as keytool prints them: `DNSName: host`, `URIName: http://...`.

Source: RFC 5280 4.2.1.6; texts measured with JDK 17.
"""

from __future__ import annotations

import ipaddress

from keystoretools import der
from keystoretools.errors import OperationError
from keystoretools.generalname import require_uri
from keystoretools.keytool.layout import name_text, plain
from keystoretools.names import Name


class Unparseable(Exception):
    """Something in an extension that Java would not read; the text says why, in Java's words where it has some."""

    def __init__(self, text: str, java_class: str = "java.io.IOException") -> None:
        super().__init__(text)
        self.java_class = java_class


def general_name(element: der.Element, *, is_constraint: bool = False) -> str:
    """One GeneralName; a directory name is bare; a constraint's URI is only a host.

    Raises Unparseable for those that Java refuses.
    """
    content = element.content
    match element.tag & 0x1F:
        case 0:
            return f"Other-Name: Unrecognized ObjectIdentifier: {element.children()[0].oid()}"
        case 1:
            return "RFC822Name: " + _ascii(content)
        case 2:
            return "DNSName: " + _ascii(content)
        case 3:
            return "X400Address: <DER-encoded value>"
        case 4:
            return name_text(Name(der=der.parse(content).raw))
        case 6:
            return "URIName: " + (_ascii(content) if is_constraint else _uri(_ascii(content)))
        case 7:
            return "IPAddress: " + _address(content)
        case 8:
            return "OIDName: " + der.parse(der.encode(der.OID, content)).oid()
    raise element.wrong("a name")


def _ascii(octets: bytes) -> str:
    return plain(octets.decode("ascii", "replace"))


def _uri(text: str) -> str:
    try:
        require_uri(text)
    except OperationError as error:
        raise Unparseable(error.sentence) from error
    return text


def _address(octets: bytes) -> str:
    """IPv4 dotted, IPv6 as eight groups; twice as many octets are an address and a mask."""
    if len(octets) == 4:
        return str(ipaddress.IPv4Address(octets))
    if len(octets) == 16:
        inside = ipaddress.IPv6Address(octets).ipv4_mapped
        groups = (octets[at : at + 2] for at in range(0, 16, 2))
        return str(inside) if inside else ":".join(f"{int.from_bytes(group, 'big'):x}" for group in groups)
    if len(octets) == 8:
        return f"{_address(octets[:4])}/{_address(octets[4:])}"
    if len(octets) == 32:
        return f"{_address(octets[:16])}/{_prefix(octets[16:])}"
    raise Unparseable("Invalid IPAddressName")


def _prefix(mask: bytes) -> int:
    """How many bits a mask leaves; Java takes only masks whose ones stand together."""
    ones = int.from_bytes(mask, "big")
    length = ones.bit_count()
    if ones != (1 << 128) - (1 << 128 - length):
        raise Unparseable("Invalid IPv6 subdomain - set bit 0 not contiguous")
    return length
