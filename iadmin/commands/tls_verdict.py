"""What is right and wrong with what a port presents: from facts to sentences, each with what to change.

Pure: the facts are a `Probed` (what was seen from outside), what the configuration says, and who would trust it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from agent.config.model import GatewayConfig
from agent.wire.expiry import stage_of
from iadmin.model import Probed
from keystoretools import Certificate
from keystoretools.chain import is_self_signed, order
from keystoretools.hostnames import covers, why_not

OLD: Final = ("TLS 1.0", "TLS 1.1")


@attrs.frozen(kw_only=True)
class Trust:
    """Whether somebody accepts the chain; `refusal` is empty when so, else OpenSSL's words."""

    who: str
    refusal: str = ""
    is_asked: bool = False
    """The operator named this trust store: that it refuses is a fault, not just a fact."""


@attrs.frozen(kw_only=True)
class Verdict:
    """One sentence. `level` is `good`, `fact`, `warning` or `fault`; `cure` says what to change."""

    level: str
    code: str
    sentence: str
    cure: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return attrs.asdict(self)


def judge(
    seen: Probed,
    *,
    url_scheme: str,
    expected: Sequence[Certificate],
    gateway: GatewayConfig | None,
    now: datetime,
    roots: Sequence[Certificate] = (),
) -> list[Verdict]:
    """All sentences about one port. `expected` is the chain that the configuration says, empty where it is not ours.

    `gateway` is ours on that port, None for a port elsewhere; `url_scheme` is what the caller wants to use. `roots`
    are authorities at hand: a server need not send its root.
    """
    where = f"{seen.host} port {seen.port}"
    if seen.speaks == "nothing":
        cure = "start the agent, or mend host and port in iaconfig.xml" if gateway else "mend the URL, or that machine"
        return [Verdict(level="fault", code="no-connection", sentence=f"{where}: {seen.trouble}", cure=cure)]
    found = list(_speaks(seen, where, url_scheme, gateway))
    if not seen.chain:
        return found
    chain = [Certificate(der) for der in seen.chain]
    found += _agrees(chain, expected)
    found += _versions(seen)
    found += _dates(chain, now)
    found += _names(chain[0], seen)
    found += _order(chain, roots)
    return found


def _speaks(seen: Probed, where: str, url_scheme: str, gateway: GatewayConfig | None) -> Iterator[Verdict]:
    spoken = {"tls": "HTTPS", "http": "plain HTTP", "other": "something else than HTTP or TLS"}[seen.speaks]
    wanted = {"tls": True, "http": False}.get(seen.speaks)
    if gateway is not None and seen.speaks != "other" and wanted is not gateway.ssl:
        said = "HTTPS" if gateway.ssl else "plain HTTP"
        yield Verdict(
            level="fault",
            code="not-as-configured",
            sentence=f'{where} speaks {spoken}, but iaconfig.xml says {said} (ssl="{str(gateway.ssl).lower()}")',
            cure=f"let the agent take it over: iadmin tls {'on' if gateway.ssl else 'off'}; if it stays so, another "
            "program or a load balancer answers on that port",
        )
    elif seen.speaks == "other":
        yield _neither(seen, where)
    elif gateway is None and url_scheme == "https" and seen.speaks != "tls":
        yield Verdict(
            level="fault",
            code="no-tls",
            sentence=f"{where} speaks {spoken}, not TLS",
            cure="use http:// with that port, or switch HTTPS on there",
        )
    elif gateway is None and url_scheme == "http" and seen.speaks == "tls":
        yield Verdict(
            level="fault",
            code="needs-https",
            sentence=f"{where} speaks {spoken}, and the URL begins with http://",
            cure="use https:// with that port",
        )
    else:
        yield Verdict(level="good", code="speaks", sentence=f"{where} speaks {spoken}")
    if seen.speaks == "tls" and not seen.chain:
        yield Verdict(
            level="fault",
            code="handshake-fails",
            sentence=f"{where}: {seen.trouble or 'the handshake gives no certificate'}",
            cure="the log of the agent, or of that server, says why",
        )
    if seen.chain and seen.asks_for_certificate:
        is_needed = not seen.answer
        yield Verdict(
            level="fact",
            code="asks-for-certificate",
            sentence="it asks for a client certificate" + (" and takes nobody without one" if is_needed else ""),
        )
    elif seen.chain and not seen.answer:
        yield Verdict(
            level="warning",
            code="no-answer",
            sentence=f"it does not answer an HTTP request: {seen.trouble or 'silence'}",
        )


def _neither(seen: Probed, where: str) -> Verdict:
    """What greets, falls silent or hangs up there is no server of ours, and http:// would not help."""
    said = f'it says "{seen.answer}"' if seen.answer else seen.trouble or "it gives no answer"
    return Verdict(
        level="fault",
        code="neither",
        sentence=f"{where} speaks neither HTTP nor TLS: {said}",
        cure="that is another program, or something in between (a firewall, a load balancer); mend host and port",
    )


def unserved(sentence: str) -> Verdict:
    """What the configuration names cannot be presented. A port that serves still has what it had before."""
    return Verdict(
        level="fault",
        code="cannot-be-served",
        sentence=f"what iaconfig.xml says cannot be served: {sentence}",
        cure="mend that, then: iadmin reload; until then the agent presents what it had, and does not start anew",
    )


def _agrees(chain: Sequence[Certificate], expected: Sequence[Certificate]) -> Iterator[Verdict]:
    if not expected:
        return
    if chain[0] == expected[0]:
        yield Verdict(level="good", code="as-configured", sentence="the certificate is the one of the configuration")
        return
    yield Verdict(
        level="fault",
        code="other-certificate",
        sentence=f"the certificate is another ({_title(chain[0])}) than the one of the configuration "
        f"({_title(expected[0])})",
        cure="the agent has not taken the new one (iadmin status says why), or something else answers on that port, "
        "such as a load balancer with a certificate of its own",
    )


def _versions(seen: Probed) -> Iterator[Verdict]:
    spoken = [version for version, cipher in seen.versions.items() if cipher]
    yield Verdict(level="fact", code="versions", sentence=f"it speaks {', '.join(spoken) or 'no version of TLS'}")
    old = [version for version in spoken if version in OLD]
    if old:
        yield Verdict(
            level="warning",
            code="old-versions",
            sentence=f"{' and '.join(old)} can be broken by who listens on the network",
            cure='policy="intermediate" on the service-gateway, once all senders speak TLS 1.2',
        )
    elif "TLS 1.2" not in spoken and spoken:
        yield Verdict(
            level="fact", code="modern-only", sentence="senders older than Java 11 or OpenSSL 1.1.1 cannot connect"
        )


def _dates(chain: Sequence[Certificate], now: datetime) -> Iterator[Verdict]:
    for place, one in enumerate(chain):
        whose = "the certificate" if place == 0 else f"the issuer's certificate {_title(one)}"
        start, end = one.not_before, one.not_after
        if end is None or start is None:
            continue
        days = (end - now).days
        if end < now:
            yield Verdict(
                level="fault",
                code="expired",
                sentence=f"{whose} has expired on {end:%Y-%m-%d}: every sender refuses it",
                cure="renew it: iadmin keystore request, and iadmin keystore import what comes back",
            )
        elif start > now:
            yield Verdict(
                level="fault",
                code="not-yet-valid",
                sentence=f"{whose} is valid only from {start:%Y-%m-%d %H:%M} UTC on",
                cure="wait, or mend the clock of this machine or of the one that made it",
            )
        elif stage_of(days) is not None:
            yield Verdict(
                level="warning",
                code="expires-soon",
                sentence=f"{whose} expires in {days} days ({end:%Y-%m-%d})",
                cure="renew it: iadmin keystore request, and iadmin keystore import what comes back",
            )
        elif place == 0:
            yield Verdict(level="good", code="dates", sentence=f"valid until {end:%Y-%m-%d} ({days} days)")


def _names(leaf: Certificate, seen: Probed) -> Iterator[Verdict]:
    name = seen.name or seen.host
    if covers(leaf, name):
        yield Verdict(level="good", code="name", sentence=f"it covers {name}")
        return
    yield Verdict(
        level="fault",
        code="wrong-name",
        sentence=f"it does not cover {name}: {why_not(leaf, name)}",
        cure=f"let senders use one of those names, or get a certificate with that one, too: iadmin keystore request "
        f"--name {name} (self-signed: iadmin keystore create --replace --name {name})",
    )


def _order(chain: Sequence[Certificate], roots: Sequence[Certificate]) -> Iterator[Verdict]:
    found = order(chain, leaf=chain[0])
    if is_self_signed(chain[0]):
        return
    alone = len(found.chain) == 1
    if alone and not order([*chain, *filter(is_self_signed, roots)], leaf=chain[0]).lacks_intermediate:
        yield Verdict(
            level="good",
            code="chain",
            sentence=f"its issuer ({_issuer(chain[0])}) is a root: no other certificate has to come with it",
        )
    elif found.lacks_intermediate and alone:
        yield Verdict(
            level="warning",
            code="no-intermediate",
            sentence=f"it sends no certificate of its issuer ({_issuer(chain[0])}): senders that do not have it refuse",
            cure="import the issuer's certificate beside it: iadmin keystore import FILE; not needed for a root that "
            "senders have",
        )
    elif not found.was_in_order:
        yield Verdict(
            level="warning",
            code="wrong-order",
            sentence="the certificates come in a wrong order; some senders refuse that",
            cure="iadmin keystore check names the entry; our own gateway puts them in order",
        )
    else:
        issuers = len(chain) - 1
        said = "1 issuer certificate comes" if issuers == 1 else f"{issuers} issuer certificates come"
        yield Verdict(level="good", code="chain", sentence=f"{said} with it")


def judge_trust(trusts: Iterable[Trust], leaf: Certificate) -> Iterator[Verdict]:
    """Who accepts it. That public trust stores refuse a private certificate is a fact, with the remedy once."""
    found = list(trusts)
    for one in found:
        if not one.refusal:
            yield Verdict(level="good", code="trusted", sentence=f"accepted by senders with {one.who}")
            continue
        yield Verdict(
            level="fault" if one.is_asked else "warning",
            code="not-trusted",
            sentence=f"refused by senders with {one.who}: {one.refusal}",
        )
    if any(one.refusal for one in found):
        what = "the certificate itself" if is_self_signed(leaf) else f"its authority ({_issuer(leaf)})"
        yield Verdict(
            level="fact",
            code="give-trust",
            sentence=f"such senders must be given {what}",
            cure="iadmin tls export --out agent.pem writes it, and says how it is imported",
        )


def _title(certificate: Certificate) -> str:
    return certificate.subject.common_name or certificate.subject.text()


def _issuer(certificate: Certificate) -> str:
    return certificate.issuer.common_name or certificate.issuer.text()
