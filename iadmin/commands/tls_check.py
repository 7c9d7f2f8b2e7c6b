"""`iadmin tls check [URL]`: a port as a sender sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import click

from agent.config.model import GatewayConfig
from agent.errors import AgentError, ExitStatus, OperatorError
from agent.hosts import in_url
from iadmin.commands.keystore_words import certificate_data
from iadmin.commands.keystores import operator_error
from iadmin.commands.lazy import Command
from iadmin.commands.passwords import given_password
from iadmin.commands.tls_gateways import WILD, called, choose_gateway, material_of, near, port_option
from iadmin.commands.tls_verdict import Trust, Verdict, judge, judge_trust, unserved
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Anchors, Block, Outcome, Probed
from iadmin.render import Facts, Line, Tone
from keystoretools import Certificate, KeystoreError, Password, read_anything

TRUSTSTORE_VARIABLE: Final = "IA_TRUSTSTORE_PASSWORD"
JAVA_PASSWORD: Final = "changeit"
TONES: Final[dict[str, Tone]] = {"good": "good", "fact": "", "warning": "warn", "fault": "bad"}
MARKS: Final = {"good": "ok", "fact": "  ", "warning": "!!", "fault": "XX"}


@attrs.frozen(kw_only=True)
class Target:
    """A port to look at. `gateway` is ours there, `expected` the chain that it should present."""

    host: str
    port: int
    name: str
    scheme: str
    gateway: GatewayConfig | None = None
    expected: Sequence[Certificate] = ()
    around: Sequence[Certificate] = ()
    """What lies where `expected` lies: its root, perhaps."""
    trouble: str = ""
    """Why what the configuration says cannot be served; empty where it can."""


@click.command(cls=Command)
@click.argument("url", metavar="[URL]", required=False)
@port_option
@click.option("--name", metavar="HOST", help="The name that senders use, where it is another than that of the URL.")
@click.option(
    "--truststore", type=click.Path(path_type=Path), metavar="FILE", help="Would a sender with this accept it?"
)
@click.option(
    "--truststore-password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is its password (else ${TRUSTSTORE_VARIABLE}, else {JAVA_PASSWORD}).",
)
@pass_tools
def check(
    tools: Tools,
    url: str | None,
    port: int | None,
    name: str | None,
    truststore: Path | None,
    truststore_password_file: Path | None,
) -> Outcome:
    """Say what a port really speaks, and who would accept it.

    Without URL: the service gateways of this home, held against iaconfig.xml. Connects as a sender does and looks at
    versions, certificate, chain, names and dates; then whether this machine's programs, Java and a given trust store
    would accept it. Exit status 1 when something is at fault.
    """
    targets = [_of_url(url, name)] if url else list(_own(tools, port, name))
    given = _given(tools, truststore, truststore_password_file)
    found: list[tuple[Target, Probed, list[Verdict]]] = []
    for target in targets:
        with tools.working(f"looking at {target.host} port {target.port}"):
            seen = tools.prober().look(target.host, target.port, name=target.name)
            verdicts = judge(
                seen,
                url_scheme=target.scheme,
                expected=target.expected,
                gateway=target.gateway,
                now=tools.now(),
                roots=(*target.around, *(map(Certificate, given.certificates) if given is not None else ())),
            )
            if target.trouble:
                verdicts.append(unserved(target.trouble))
            if seen.chain:
                verdicts += judge_trust(_trusts(tools, seen, given), Certificate(seen.chain[0]))
        found.append((target, seen, verdicts))
    faults = sum(one.level == "fault" for _, _, verdicts in found for one in verdicts)
    return Outcome(
        data={"ports": [_data(seen, verdicts) for _, seen, verdicts in found], "faults": faults},
        blocks=tuple(block for one in found for block in _page(*one)),
        exit_status=ExitStatus.FAILED if faults else ExitStatus.OK,
    )


def _of_url(url: str, name: str | None) -> Target:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise OperatorError(
            "usage", f"{url!r} is not a URL; say https://HOST:PORT or HOST:PORT", exit_status=ExitStatus.USAGE
        )
    return Target(
        host=host, port=port or (443 if parts.scheme == "https" else 80), name=name or host, scheme=parts.scheme
    )


def _own(tools: Tools, port: int | None, name: str | None) -> Iterator[Target]:
    settings, _ = tools.load_config(tools.home)
    gateways = [choose_gateway(settings, port)[1]] if port is not None else settings.gateways
    for gateway in gateways:
        material, trouble = None, ""
        around: Sequence[Certificate] = ()
        if gateway.ssl:
            try:
                material = material_of(tools, gateway)
            except AgentError as error:
                trouble = error.sentence
            else:
                around = _around(tools, gateway, material.identities[0].alias)
        yield Target(
            host="127.0.0.1" if gateway.host in WILD else gateway.host,
            port=gateway.port,
            name=name or called(tools, gateway, material),
            scheme="https" if gateway.ssl else "http",
            gateway=gateway,
            expected=material.identities[0].chain if material is not None else (),
            around=around,
            trouble=trouble,
        )


def _around(tools: Tools, gateway: GatewayConfig, alias: str) -> Sequence[Certificate]:
    """Empty where it cannot be read: then the judgement is about what the port shows, and nothing else."""
    try:
        return near(tools, gateway.tls, alias)
    except (KeystoreError, AgentError):
        return ()


def _given(tools: Tools, truststore: Path | None, password_file: Path | None) -> Anchors | None:
    if truststore is None:
        return None
    password = given_password(tools, password_file, TRUSTSTORE_VARIABLE) or Password(JAVA_PASSWORD)
    try:
        return _anchors(tools, tools.cwd / truststore, password, str(truststore))
    except KeystoreError as error:
        raise operator_error(error) from error


def _anchors(tools: Tools, path: Path, password: Password, name: str) -> Anchors:
    """The certificates of a trust store (JKS, PKCS#12) or of a PEM file."""
    contents = read_anything(tools.safe_files().load(path), passwords=[password])
    if contents.locked_stores:
        raise OperatorError(
            "truststore-locked",
            f"{name}: its password is another; name the file with it in --truststore-password-file",
            exit_status=ExitStatus.NO_PERMISSION,
        )
    entries = [entry.certificate for store in contents.stores for entry in store.trusted_certificates]
    return Anchors(name=name, certificates=tuple(dict.fromkeys(one.der for one in (*contents.certificates, *entries))))


def _trusts(tools: Tools, seen: Probed, given: Anchors | None) -> Iterator[Trust]:
    prober = tools.prober()
    if given is not None:
        yield Trust(who=f"the trust store {given.name}", refusal=prober.trusts(seen.chain, given), is_asked=True)
    system = prober.system_anchors()
    if system is not None:
        yield Trust(who=f"this machine's trust ({system.name})", refusal=prober.trusts(seen.chain, system))
    for path in prober.java_truststores():
        try:
            anchors = _anchors(tools, path, Password(JAVA_PASSWORD), str(path))
        except (KeystoreError, AgentError):
            continue
        yield Trust(who=f"Java's default trust ({path})", refusal=prober.trusts(seen.chain, anchors))


def _page(target: Target, seen: Probed, verdicts: Sequence[Verdict]) -> Iterator[Block]:
    shown = in_url(target.host)
    asked = f", asked for {target.name}" if target.name != target.host else ""
    facts: list[tuple[str, str]] = []
    if seen.chain:
        leaf = Certificate(seen.chain[0])
        versions = ", ".join(f"{name} ({cipher})" for name, cipher in seen.versions.items() if cipher)
        facts = [
            ("certificate", leaf.subject.text()),
            ("issued by", leaf.issuer.text()),
            ("names", ", ".join(one.value for one in leaf.alternative_names)),
            ("SHA-256", leaf.sha256.hex(":").upper()),
            ("versions", versions),
        ]
    yield Facts(title=f"{target.scheme}://{shown}:{target.port}{asked}", pairs=facts)
    for one in verdicts:
        yield Line(f"{MARKS[one.level]} {one.sentence}", TONES[one.level])
        if one.cure:
            yield Line(f"   -> {one.cure}")


def _data(seen: Probed, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "host": seen.host,
        "port": seen.port,
        "address": seen.address,
        "name": seen.name,
        "speaks": seen.speaks,
        "trouble": seen.trouble,
        "answer": seen.answer,
        "versions": dict(seen.versions),
        "stapled": seen.is_stapled,
        "asks_for_certificate": seen.asks_for_certificate,
        "certificates": [certificate_data(Certificate(der)) for der in seen.chain],
        "verdicts": [one.document() for one in verdicts],
    }
