"""Who a request is from, as far as its head tells: the rules, without a clock, a memory or a network.

`Gate.judge` goes through these steps and stops at the first that decides:

1. The gate is open, or the sender's address or client certificate is one of those that count: `Passed`.
2. A bearer token: its digest is known, or it is not: `Passed` or `Refused`.
3. User and password: `Unproven`, because the check takes a third of a second and belongs into a thread. A user who does
   not exist is checked as well, against a password nobody has, and so takes as long.
4. A signature: `Unsigned` until the body is here; the key of an account that does not exist is one nobody has.
5. Nothing, or nothing readable: `Refused` without an account.

What the sender is told does not depend on the step: `Gate.refusal` names the accepted methods and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Protocol

import attrs

from agent.access import Access, CertificatePattern, Senders
from agent.credential import PasswordHash, parse_key, parse_token
from agent.errors import SenderError
from agent.wire.authorization import Password, Signature, Token, read_authorization
from agent.wire.clientcert import ClientCertificate
from agent.wire.signature import DEFAULT_WINDOW_S, SCHEME, is_signed

MAX_PEERS: Final = 4096
"""Addresses of which it is remembered whether they belong to a list of networks: asking costs 5 µs."""

_NO_KEY: Final = bytes(32)
"""Computed with, for accounts that do not exist, and never accepted: everybody knows it."""


class Comparable(Protocol):
    """Something a password is compared with."""

    def matches(self, password: bytes) -> bool: ...


@attrs.frozen
class Passed:
    """The request may go on; `who` is for the log: an account, an address, a subject, or empty where all may send."""

    who: str = ""


@attrs.frozen
class Refused:
    """It may not. `account` is what was claimed, empty where nothing was."""

    account: str = ""


@attrs.frozen
class Unproven:
    """It may, if the password is right; `is_right` says so and takes its time."""

    account: str
    password: bytes = attrs.field(repr=False)
    hashes: tuple[Comparable, ...] = attrs.field(repr=False)

    def is_right(self) -> bool:
        """Compare with each hash, so that the time does not tell which one fits."""
        return sum([known.matches(self.password) for known in self.hashes]) > 0


@attrs.frozen
class Unsigned:
    """It may, if the MAC fits one of the keys, in time and for the first time."""

    account: str
    signature: Signature
    keys: tuple[bytes, ...] = attrs.field(repr=False)
    window_s: int

    def is_right(self, *, method: str, target: bytes, body: bytes) -> bool:
        """Whether the MAC fits. An account without a key takes as long as one with one."""
        found = [
            is_signed(self.signature, key, method=method, target=target, body=body) for key in self.keys or (_NO_KEY,)
        ]
        return bool(self.keys) and sum(found) > 0


Verdict = Passed | Refused | Unproven | Unsigned


class Gate:
    """The way into one gateway or service."""

    def __init__(self, access: Access) -> None:
        """Raises `ValueError` for lines that the configuration would not have taken."""
        self.is_open: Final = access.is_open
        self._networks: Final = Networks(access.networks)
        self._certificates: Final = [_Certificate(pattern) for pattern in access.certificates]
        self._senders: Final = [_Known(senders) for senders in access.senders]
        self._realm: Final = access.realm
        self._has_passwords: Final = any(known.passwords for known in self._senders)
        self._has_tokens: Final = any(known.tokens for known in self._senders)
        self._has_keys: Final = any(known.keys for known in self._senders)

    def judge(self, *, authorization: bytes, peer: str, certificate: ClientCertificate | None) -> Verdict:
        """Judge a request by its `Authorization` field, the address it comes from and the certificate it showed."""
        if self.is_open:
            return Passed()
        if self._networks and self._networks.hold(peer):
            return Passed(peer)
        if certificate is not None and any(each.fits(certificate) for each in self._certificates):
            return Passed(certificate.subject)
        shown = read_authorization(authorization) if authorization else None
        if shown is None:
            return Refused()
        nearby = [known for known in self._senders if not known.sources or known.sources.hold(peer)]
        if isinstance(shown, Token):
            return self._judge_token(shown, nearby)
        if isinstance(shown, Password):
            if not self._has_passwords:
                return Refused()
            hashes = [one for known in nearby for one in known.passwords.get(shown.user, ())]
            return Unproven(shown.user, shown.password, tuple(hashes) or (self._decoy(),))
        if not self._has_keys:
            return Refused()
        keys = [key for known in nearby for key in known.keys.get(shown.key, ())]
        windows = [known.window_s for known in nearby if shown.key in known.keys]
        return Unsigned(shown.key, shown, tuple(keys), min(windows, default=DEFAULT_WINDOW_S))

    @property
    def looks_at_certificates(self) -> bool:
        """Whether a client certificate can let somebody in."""
        return bool(self._certificates)

    def refusal(self) -> SenderError:
        """401 where credentials would help, else 403 (RFC 9110, sections 15.5.2 and 15.5.4)."""
        ways: list[str] = []
        challenges: list[tuple[str, str]] = []
        for is_there, way, challenge in (
            (self._has_passwords, "user and password (HTTP Basic)", f'Basic realm="{self._realm}", charset="UTF-8"'),
            (self._has_tokens, "a bearer token", f'Bearer realm="{self._realm}"'),
            (self._has_keys, f"a signature ({SCHEME})", f'{SCHEME} realm="{self._realm}"'),
        ):
            if is_there:
                ways.append(way)
                challenges.append(("WWW-Authenticate", challenge))
        if self._certificates:
            ways.append("a permitted client certificate")
        if self._networks:
            ways.append("a permitted address")
        accepted = f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else "".join(ways) or "nothing at all"
        if challenges:
            return SenderError(
                "not-authenticated",
                f"Requests are taken here with {accepted}; this one does not have what it takes.",
                status=401,
                title="Authentication required",
                headers=tuple(challenges),
            )
        return SenderError(
            "not-permitted",
            f"Requests are taken here only with {accepted}; this one does not have it.",
            status=403,
            title="Not permitted",
        )

    def _judge_token(self, shown: Token, nearby: list[_Known]) -> Verdict:
        # Where the digest of a wrong token differs from a right one says nothing about the token: no need to compare
        # in constant time.
        digest = hashlib.sha256(shown.token).digest()
        for known in nearby:
            if digest in known.tokens:
                return Passed(known.tokens[digest])
        return Refused("a bearer token" if self._has_tokens else "")

    def _decoy(self) -> Comparable:
        """A password that nobody has, and that takes as long to check as those that there are."""
        first = next(one for known in self._senders for several in known.passwords.values() for one in several)
        if isinstance(first, PasswordHash):
            return attrs.evolve(first, digest=bytes(len(first.digest)))
        return _Clear(bytes(32))


class Networks:
    """A set of networks; false when it is empty."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def hold(self, peer: str) -> bool:
        """Whether an address belongs to one of them."""
        found = self._known.get(peer)
        if found is None:
            if len(self._known) >= MAX_PEERS:
                self._known.clear()
            found = self._known[peer] = self._look(peer)
        return found

    def _look(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


class _Known:
    """The accounts of one `<senders>`, by what they show. A name may have several lines: old and new side by side."""

    def __init__(self, senders: Senders) -> None:
        self.sources: Final = Networks(senders.sources)
        self.window_s: Final = senders.window_s
        self.passwords: Final[dict[str, list[Comparable]]] = {}
        self.tokens: Final[dict[bytes, str]] = {}
        self.keys: Final[dict[str, list[bytes]]] = {}
        for account in senders.accounts:
            text = account.secret.reveal()
            if text.startswith("$sha256$"):
                self.tokens[parse_token(text)] = account.name
            elif text.startswith("$key$"):
                self.keys.setdefault(account.name, []).append(parse_key(text))
            else:
                known = PasswordHash.parse(text) if text.startswith("$scrypt$") else _clear(text)
                self.passwords.setdefault(account.name, []).append(known)


@attrs.frozen
class _Clear:
    """A password that the configuration holds in clear text, by its SHA-256: digests have one length."""

    digest: bytes = attrs.field(repr=False)

    def matches(self, password: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(password).digest(), self.digest)


def _clear(password: str) -> _Clear:
    return _Clear(hashlib.sha256(password.encode()).digest())


_PARTS: Final = re.compile(r'(?:[^,"]|"[^"]*")+')
"""The attributes of a subject; a value with a comma stands in quotes."""


class _Certificate:
    def __init__(self, pattern: CertificatePattern) -> None:
        parts = [part.strip() for part in _PARTS.findall(pattern.subject)]
        # Certificates have the name in either order, and programs show it in either.
        self._subjects: Final = [_glob(", ".join(order), "[^,]*") for order in (parts, parts[::-1]) if parts]
        self._name: Final = _glob(pattern.name, "[^./]*") if pattern.name else None
        self._fingerprint: Final = pattern.fingerprint

    def fits(self, certificate: ClientCertificate) -> bool:
        if self._subjects and not any(each.fullmatch(certificate.subject) for each in self._subjects):
            return False
        if self._fingerprint and self._fingerprint != certificate.fingerprint:
            return False
        names = (f"{kind}:{value}" for kind, value in certificate.names)
        return self._name is None or any(self._name.fullmatch(name) for name in names)


def _glob(pattern: str, any_text: str) -> re.Pattern[str]:
    """Names of hosts have no case, and nobody means one by it elsewhere."""
    return re.compile(any_text.join(re.escape(piece) for piece in pattern.split("*")), re.IGNORECASE)
