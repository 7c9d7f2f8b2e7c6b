"""Distinguished names and alternative names, read tolerantly from raw DER.

A `Name` keeps its DER (two names are equal when their octets are) and shows itself as keytool does.
Source: RFC 5280 4.1.2.4 and 4.2.1.6; layout: reference on keytool's listings.
"""

from __future__ import annotations

from functools import cached_property

import attrs

from keystoretools import der, oids
from keystoretools.errors import KeystoreError


@attrs.frozen(kw_only=True)
class NameAttribute:
    """One `keyword=value` of a name: `oid` dotted, `value` decoded text.

    `other`: the DER of a value that has none of the usual string types, shown as # and hex.
    """

    oid: str
    value: str
    other: bytes | None = None

    def text(self) -> str:
        """`CN=value`, quoted where keytool quotes."""
        keyword = oids.NAME_KEYWORDS.get(self.oid, "OID." + self.oid)
        return f"{keyword}={_quoted_value(self.value) if self.other is None else '#' + self.other.hex()}"


@attrs.frozen(kw_only=True)
class Name:
    """A distinguished name: `rdns` in the order of the DER (country first), compared by its octets."""

    der: bytes = attrs.field(repr=False)

    @cached_property
    def rdns(self) -> tuple[tuple[NameAttribute, ...], ...]:
        """Relative names, each with one or more attributes.  Raises CorruptError when the DER is no name."""
        found = []
        for rdn in der.parse(self.der).sequence():
            parts = [part.sequence(2, "name attribute") for part in rdn.expect(der.SET, "SET").children()]
            found.append(tuple(_attribute(part[0].oid(), part[1]) for part in parts))
        return tuple(found)

    def text(self, separator: str = ", ") -> str:
        """As keytool prints it, last part first: `CN=ia.example.com, O=Example, C=CA`.

        PKCS#12 names chain certificates with the separator ",", without blanks anywhere.
        """
        plus = " + " if separator.endswith(" ") else "+"
        return separator.join(plus.join(part.text() for part in rdn) for rdn in reversed(self.rdns))

    @cached_property
    def comparable(self) -> tuple[object, ...]:
        """Equal for names that RFC 5280 7.1 calls equal, whatever their string types, case and blanks."""
        return tuple(
            tuple(sorted((part.oid, " ".join(part.value.casefold().split())) for part in rdn)) for rdn in self.rdns
        )

    @property
    def common_name(self) -> str | None:
        """The most specific CN, or None."""
        found = [part.value for rdn in self.rdns for part in rdn if part.oid == oids.COMMON_NAME]
        return found[-1] if found else None


@attrs.frozen(kw_only=True)
class AlternativeName:
    """One GeneralName: `kind` is dns, ip, email, uri, dirname, oid, other; `value` is text."""

    kind: str
    value: str


def read_general_name(element: der.Element) -> AlternativeName:
    """A GeneralName of any kind; what cannot be read becomes `other` with its octets in hex."""
    number, content = element.tag & 0x1F, element.content
    try:
        match number:
            case 1 | 2 | 6:
                return AlternativeName(kind={1: "email", 2: "dns", 6: "uri"}[number], value=content.decode("latin-1"))
            case 4:
                inner = der.parse(content, limits=element.limits)
                return AlternativeName(kind="dirname", value=Name(der=inner.raw).text())
            case 7 if len(content) in (4, 16):
                from ipaddress import ip_address  # 2 ms that few programs need

                return AlternativeName(kind="ip", value=str(ip_address(content)))
            case 8:
                return AlternativeName(kind="oid", value=der.parse(der.encode(der.OID, content)).oid())
    except KeystoreError:
        pass
    return AlternativeName(kind="other", value=content.hex())


def _attribute(oid: str, value: der.Element) -> NameAttribute:
    is_text = value.tag & ~der.CONSTRUCTED in der.TEXT_TYPES
    return NameAttribute(oid=oid, value=value.text(), other=None if is_text else value.raw)


def _quoted_value(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':  # taken for quoted already, as Java does
        return '"' + value[1:-1].replace("\\", "\\\\").replace('"', '\\"') + '"'
    special = any(c in ',+=<>#;"\\\n' for c in value) or value != value.strip(" ") or "  " in value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if special else value
