"""Which host names a certificate covers, by the rules of today's clients.

Only alternative names count, the CN does not (browsers since 2017, Python and Go too); a `*` stands for exactly one
whole label at the left.  Source: RFC 6125 6.4, RFC 9525.
"""

from __future__ import annotations

import ipaddress

from keystoretools.certificate import Certificate


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """The host names and addresses among the alternative names, as written; the CN is not among them."""
    return tuple(name.value for name in certificate.alternative_names if name.kind in ("dns", "ip"))


def covers(certificate: Certificate, host: str) -> bool:
    """Whether a client that calls `host` (a name or an address) accepts the certificate's names."""
    wanted = host.strip().strip("[]").rstrip(".")
    address = _address(wanted)
    if address is not None:
        return any(name.kind == "ip" and _address(name.value) == address for name in certificate.alternative_names)
    ascii_host = _ascii(wanted)
    return any(
        name.kind == "dns" and _matches(_ascii(name.value.rstrip(".")), ascii_host)
        for name in certificate.alternative_names
    )


def why_not(certificate: Certificate, host: str) -> str:
    """What the certificate covers instead, for a sentence: `it covers "a", "b"`."""
    names = names_of(certificate)
    if names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        return "it covers " + ", ".join(names[:10]) + more
    common = certificate.subject.common_name
    if common is not None and common.lower() == host.lower():
        return "the name stands only in its CN, which today's clients ignore"
    return "it has no alternative names at all"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _ascii(name: str) -> str:
    """Lower case, international labels as `xn--`; what cannot be converted stays as it is."""
    try:
        return name.lower() if name.isascii() else name.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return name.lower()


def _matches(pattern: str, host: str) -> bool:
    if not pattern.startswith("*."):
        return bool(pattern) and pattern == host
    label, _, rest = host.partition(".")
    return bool(label) and "." in rest and rest == pattern[2:]
