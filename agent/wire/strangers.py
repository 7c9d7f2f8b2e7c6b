"""From what was seen on a connection to the one sentence that its operator reads: who, what, and what to do about it.

The sentences are for a person who does not know TLS: they name the party that must change something, and the command
or the setting. Familiar words of the original agent are kept where an operator may search for them (`Unrecognized SSL
message, plaintext connection?`). Everything in them is printable and one line, because a `Misuse` is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from agent.hosts import in_url
from agent.wire.misuse import Cause, Misuse
from agent.wire.sniff import WORDS, Tongue

CHECK_PROTOCOL: Final = "x-iadmin-tls-check"
"""The application protocol (ALPN) that `iadmin tls check` names: its trials are ours, and nothing to mend."""

_GOOD_CIPHERS: Final = frozenset(
    {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
    }
)  # fmt: skip
"""Taken by every policy in the version that they belong to: where one is offered, the lack is elsewhere."""

MOST_NAMED: Final = 5
MOST_CHARACTERS: Final = 60
"""Of a text from outside that stands inside a sentence."""

EXPORT: Final = "give it the file that this prints, to be trusted there: iadmin tls export"
RENEW: Final = "Java 8, OpenSSL 1.0.1, .NET 4.6 and everything newer speak TLS 1.2"


def is_own_check(misuse: Misuse) -> bool:
    """Whether it was a trial of `iadmin tls check` on this machine. From elsewhere anybody might say so."""
    if misuse.hello is None or CHECK_PROTOCOL not in misuse.hello.alpn:
        return False
    return misuse.peer == "::1" or misuse.peer.startswith("127.")


def explain(misuse: Misuse) -> str:
    """The sentence; without a full stop at its end, so that a count can follow."""
    return _SENTENCES[misuse.cause](misuse)


def shown(text: str) -> str:
    """A text from outside, bounded and in quotation marks."""
    cut = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
    return f'"{cut}"'


def listed(names: Sequence[str]) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def covers_name(names: Sequence[str], host: str) -> bool:
    """Whether one of a certificate's names is `host`; a `*` stands for one whole label at the left."""
    wanted = _plain(host)
    _, _, rest = wanted.partition(".")
    return any(_plain(name) == wanted or (name.startswith("*.") and rest == _plain(name[2:])) for name in names)


def _plain(host: str) -> str:
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


# ---- one for each cause --------------------------------------------------------------------------------------------


def _plaintext(seen: Misuse) -> str:
    sent = shown(seen.first_line) if seen.first_line else "an HTTP request"
    return (
        f"Unrecognized SSL message, plaintext connection? {seen.peer} sent {sent} without TLS; "
        f"it must use {right_url(seen)}"
    )


def right_url(seen: Misuse) -> str:
    """The URL that a request in the clear should have had: under the name it used if our certificate covers that."""
    ours = [name for name in seen.our_names if not name.startswith("*.")]
    used = seen.host if seen.host and (covers_name(seen.our_names, seen.host) or not ours) else ""
    # The names of a self-signed certificate end with those of the loopback, which nobody else can use.
    name = used or (ours[0] if ours else "THIS-MACHINE")
    name = in_url(name)
    port = "" if seen.port == 443 else f":{seen.port}"
    words = seen.first_line.split(" ")
    path = words[1] if len(words) > 1 and words[1].startswith("/") else "/"
    return f"https://{name}{port}{path}"


def _tls_on_plain_port(seen: Misuse) -> str:
    name = seen.hello.server_name if seen.hello else ""
    asked = f" (for {shown(name)})" if name else ""
    return (
        f"{seen.peer} began a TLS handshake{asked} on port {seen.port}, which speaks plain HTTP; it must use "
        f"http://{name or 'THIS-MACHINE'}:{seen.port}/..., or switch HTTPS on here: iadmin tls on"
    )


def _ssl2(seen: Misuse) -> str:
    offered = listed(seen.hello.versions) if seen.hello and seen.hello.versions else "SSL 2.0"
    return (
        f"{seen.peer} greeted port {seen.port} in the form of SSL 2.0 (it offers {offered}), which no server takes any "
        f"more; switch SSLv2Hello off in that program, or renew it: {RENEW}"
    )


def _other_protocol(seen: Misuse) -> str:
    try:
        what = WORDS[Tongue(seen.tongue)]
    except (ValueError, KeyError):
        what = "something else"
    is_text = seen.first_line.strip("?") and seen.tongue not in (Tongue.TLS_ALERT, Tongue.TLS_MIDDLE)
    began = f", it began with {shown(seen.first_line)}" if is_text else ""
    return (
        f"{seen.peer} called port {seen.port}, which speaks {_spoken(seen)}, and what it sent looks like {what}"
        f"{began}; {_OTHER_CURES.get(seen.tongue, _SCANNER)}"
    )


_SCANNER: Final = "if it is a sender of events, its settings are wrong; otherwise somebody scans this machine's ports"
_MIXED_UP: Final = (
    "something between it and here (a load balancer, a firewall after a failover) sends on what belongs to another "
    "connection; if it happens more than once, look there"
)
_OTHER_CURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Tongue.PROXY: "switch the PROXY protocol off for this port in the load balancer",
        Tongue.TLS_ALERT: _MIXED_UP,
        Tongue.TLS_MIDDLE: _MIXED_UP,
    }
)


def _silent(seen: Misuse) -> str:
    return (
        f"{seen.peer} connected to port {seen.port} and sent nothing within {seen.duration_s:.0f} s, as port scanners "
        f"and some health checks do; if it is a sender of events, something between it and here holds its data back"
    )


def _left(seen: Misuse) -> str:
    return (
        f"{seen.peer} connected to port {seen.port} and left without a byte, as health checks and port scanners do; "
        "there is nothing to mend"
    )


def _cut_short(seen: Misuse) -> str:
    what = f" ({shown(seen.first_line)})" if seen.first_line.strip("?") else ""
    return (
        f"{seen.peer} sent too few bytes to port {seen.port}{what} for a guess at what it wants; look at that program, "
        "or at what stands between it and here"
    )


def _handshake_timeout(seen: Misuse) -> str:
    return (
        f"{seen.peer} began a TLS handshake on port {seen.port} and did not end it within {seen.duration_s:.0f} s; a "
        "firewall or proxy between it and here holds packets back, or the program there hangs"
    )


def _handshake_reset(seen: Misuse) -> str:
    return (
        f"{seen.peer} broke the TLS handshake off on port {seen.port} without saying why{_asked(seen)}; most such "
        f"programs do not trust our certificate: {EXPORT}"
    )


def _not_trusted(seen: Misuse) -> str:
    said = f' (it said "{seen.alert}")' if seen.alert else ""
    asked = seen.hello.server_name if seen.hello else ""
    if seen.alert == "unsupported certificate":
        return (
            f"{seen.peer} cannot use our certificate{said}: it is made for another purpose than a TLS server; order "
            f"one for TLS servers (serverAuth), or make one: iadmin keystore create --replace --name {asked or 'NAME'}"
        )
    if seen.our_gap:
        return f"{seen.peer} does not trust our certificate{said}; {EXPORT}. Besides, {seen.our_gap}"
    if seen.alert == "unknown ca" or asked:
        return f"{seen.peer} does not trust our certificate{said}; {EXPORT}"
    # Java says "certificate unknown" for a wrong name as well, and asks for nobody when it calls an address or a name
    # without a dot.
    ours = listed(seen.our_names) or "no name at all"
    return (
        f"{seen.peer} does not trust our certificate, or calls us by an address or name that is not in it{said}; "
        f"{EXPORT}; and it must call us by one of these: {ours}"
    )


def _expired(seen: Misuse) -> str:
    return (
        f"{seen.peer} refused our certificate for its dates; see how long it is good: iadmin tls expiry. If it is "
        "good, the clock of that machine is wrong"
    )


def _wrong_name(seen: Misuse) -> str:
    name = seen.hello.server_name if seen.hello else ""
    asked = f"for {shown(name)}" if name else "by an address"
    ours = listed(seen.our_names) if seen.our_names else "no name at all"
    make = f"iadmin keystore create --replace --name {name}" if name else "iadmin keystore create --replace --name NAME"
    return (
        f"{seen.peer} asked {asked}, but our certificate covers {ours}; it must call us by one of these names, or the "
        f"certificate must get that one, too (order it with that name, or self-signed: {make})"
    )


def _refused_by_peer(seen: Misuse) -> str:
    said = f'"{seen.alert}"' if seen.alert else "something"
    if seen.alert == "internal error":
        return (
            f"{seen.peer} ended the TLS handshake on port {seen.port} and said {said}: the fault is there; a Java "
            "program says so when it finds no certificate in its trust store, because the file or its password "
            "(javax.net.ssl.trustStore, trustStorePassword) is not right"
        )
    return (
        f"{seen.peer} ended the TLS handshake on port {seen.port} and said {said}; the log of that program knows more, "
        f"and what this port offers is shown by: iadmin tls check"
    )


def _no_shared_version(seen: Misuse) -> str:
    versions = seen.hello.versions if seen.hello else ()
    best = versions[0] if versions else "other versions"
    offers = f"{seen.peer} offers {best} at most, which"
    if best == "TLS 1.2":
        return (
            f"{offers} the policy of port {seen.port} does not allow; renew that program or its settings, or allow it "
            'here: policy="intermediate" on the service-gateway'
        )
    return (
        f"{offers} can be broken and is spoken on no port here; renew that program or its settings ({RENEW}), or put a "
        "proxy beside it that speaks TLS 1.2 (stunnel)"
    )


def _no_shared_cipher(seen: Misuse) -> str:
    ciphers = seen.hello.ciphers if seen.hello else ()
    if good := [cipher for cipher in ciphers if cipher in _GOOD_CIPHERS]:
        return f"{seen.peer} offers ciphers that port {seen.port} takes ({listed(good)}), but {_missing_beside(seen)}"
    offered = f"only {listed(ciphers)}" if ciphers else "no cipher that we know"
    return (
        f"{seen.peer} offers {offered}, of which port {seen.port} takes none; renew that program or its settings "
        f'({RENEW} with good ciphers), or allow old ones here: policy="legacy" on the service-gateway'
    )


def _missing_beside(seen: Misuse) -> str:
    """What else has to be shared, and the remedy. OpenSSL calls all of it a lack of ciphers in TLS 1.2."""
    said = " ".join(seen.reasons).lower()
    group = "switch the curve X25519 or P-256 on in that program"
    key = "take a certificate with an RSA key, which all know: iadmin keystore create --replace --key-type rsa-2048"
    if "group" in said or "key share" in said:
        return f"no curve (group) that it takes; {group}"
    if "signature" in said:
        return f"no kind of signature that goes with the key of our certificate; renew that program, or {key}"
    return (
        f"either none that goes with the key of our certificate, or no curve (group) that it takes; {group}, or {key}"
    )


def _client_missing(seen: Misuse) -> str:
    return (
        f"{seen.peer} showed no client certificate, and port {seen.port} demands one; give that program a certificate "
        'of an authority in our truststore, or ask for none: client-auth="optional" or "off" on the service-gateway'
    )


def _client_unknown(seen: Misuse) -> str:
    issuer = f", issued by {shown(printable_name(seen.client_certificate.issuer))}" if seen.client_certificate else ""
    return (
        f"{seen.peer} showed {_client(seen)}{issuer}, which we do not trust{_why(seen)}; if it shall be taken, put its "
        "authority into the truststore of the service-gateway, or its fingerprint onto the list"
    )


def _client_expired(seen: Misuse) -> str:
    until = seen.client_certificate.not_after[:10] if seen.client_certificate else ""
    dated = f", good until {until}" if until else ""
    return (
        f"{seen.peer} showed {_client(seen)}{dated}, which is out of its time{_why(seen)}; it needs a new one (or the "
        "clock of this machine is wrong)"
    )


def _client_refused(seen: Misuse) -> str:
    return (
        f"{seen.peer} showed {_client(seen)}, which cannot be taken{_why(seen)}; it needs one that is meant for TLS "
        "clients"
    )


def _left_after_handshake(seen: Misuse) -> str:
    return (
        f"{seen.peer} made a TLS connection to port {seen.port} and left without a request{_asked(seen)}, as health "
        f"checks do; if it is a sender of events, it does not trust our certificate and does not say so: {EXPORT}"
        f"{_perhaps_by_address(seen)}"
    )


def _broken(seen: Misuse) -> str:
    said = f' (OpenSSL: "{seen.reasons[-1]}")' if seen.reasons else ""
    return (
        f"{seen.peer} sent something on port {seen.port} that is no sound TLS{said}; look at that program, or at what "
        "stands between it and here"
    )


_SENTENCES: Final[Mapping[Cause, Callable[[Misuse], str]]] = MappingProxyType(
    {
        Cause.PLAINTEXT: _plaintext,
        Cause.TLS_ON_PLAIN_PORT: _tls_on_plain_port,
        Cause.SSL2: _ssl2,
        Cause.OTHER_PROTOCOL: _other_protocol,
        Cause.SILENT: _silent,
        Cause.LEFT: _left,
        Cause.CUT_SHORT: _cut_short,
        Cause.HANDSHAKE_TIMEOUT: _handshake_timeout,
        Cause.HANDSHAKE_RESET: _handshake_reset,
        Cause.NOT_TRUSTED: _not_trusted,
        Cause.EXPIRED: _expired,
        Cause.WRONG_NAME: _wrong_name,
        Cause.REFUSED_BY_PEER: _refused_by_peer,
        Cause.NO_SHARED_VERSION: _no_shared_version,
        Cause.NO_SHARED_CIPHER: _no_shared_cipher,
        Cause.CLIENT_CERTIFICATE_MISSING: _client_missing,
        Cause.CLIENT_CERTIFICATE_UNKNOWN: _client_unknown,
        Cause.CLIENT_CERTIFICATE_EXPIRED: _client_expired,
        Cause.CLIENT_CERTIFICATE_REFUSED: _client_refused,
        Cause.LEFT_AFTER_HANDSHAKE: _left_after_handshake,
        Cause.BROKEN_TLS: _broken,
    }
)


def _spoken(seen: Misuse) -> str:
    return "HTTPS" if seen.expects_tls else "plain HTTP"


def _asked(seen: Misuse) -> str:
    name = seen.hello.server_name if seen.hello else ""
    return f" (it asked for {shown(name)})" if name else ""


def _perhaps_by_address(seen: Misuse) -> str:
    """Who calls an address asks for no name; a certificate that has no address is wrong for them."""
    if _asked(seen) or any(_is_address(name) for name in seen.our_names):
        return ""
    ours = listed(seen.our_names) or "no name at all"
    return f"; or it calls us by an address, and must call us by one of these: {ours}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _why(seen: Misuse) -> str:
    if not seen.verify_error:
        return ""
    # What is wrong with one of the issuers is no fault of the certificate that the sender's operator knows.
    of_chain = f"of its chain {shown(printable_name(seen.culprit))}: " if seen.culprit else ""
    return f" ({of_chain}{seen.verify_error})"


def _client(seen: Misuse) -> str:
    if seen.client_certificate is None:
        return "a client certificate"
    return f"the client certificate {shown(printable_name(seen.client_certificate.subject))}"


def printable_name(name: str) -> str:
    """A name out of a certificate, which may hold anything: what is not printable is replaced."""
    return "".join(one if one.isprintable() else "?" for one in name)
