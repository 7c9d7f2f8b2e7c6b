"""`iadmin tls expiry`: every certificate the agent knows, by the days it has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs
import click

from agent.config.model import AgentConfig, HttpDestination
from agent.errors import AgentError, ExitStatus
from agent.wire.expiry import STAGES, stage_of
from iadmin.commands.keystores import AgentKeystore
from iadmin.commands.lazy import Command
from iadmin.commands.tls_gateways import material_of
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Cell, Column, Line, Table, Tone
from iadmin.text import moment
from keystoretools import Certificate, KeystoreError, PrivateKeyEntry


@attrs.frozen(kw_only=True)
class Known:
    """One certificate, and what the agent has to do with it. `end` is None where the date cannot be read."""

    use: str
    where: str
    subject: str
    issuer: str
    end: datetime | None
    sha256: str

    def days_left(self, now: datetime) -> int | None:
        return None if self.end is None else (self.end - now).days


def _of(certificate: Certificate, use: str, where: str) -> Known:
    return Known(
        use=use,
        where=where,
        subject=certificate.subject.text(),
        issuer=certificate.issuer.text(),
        end=certificate.not_after,
        sha256=certificate.sha256.hex(),
    )


@click.command(cls=Command)
@click.option("--destinations", is_flag=True, help="Also ask the https destinations, over the network.")
@click.option(
    "--within", type=click.IntRange(0), metavar="DAYS", help="Only those that have so many days left or less."
)
@pass_tools
def expiry(tools: Tools, destinations: bool, within: int | None) -> Outcome:
    """List certificates by the days they have left.

    What the gateways present and trust, everything else in the keystore, those with which senders come (while the
    agent runs), and with --destinations those of the destinations. Exit status 1 when one has 30 days or less, for a
    cron job.
    """
    settings, _ = tools.load_config(tools.home)
    notes: list[str] = []
    found = list(_known(tools, settings, notes))
    if destinations:
        found += _destinations(tools, settings, notes)
    now = tools.now()
    rows = sorted(_once(found), key=lambda one: (one.days_left(now) is None, one.days_left(now) or 0))
    if within is not None:
        rows = [one for one in rows if (one.days_left(now) or 0) <= within and one.days_left(now) is not None]
    due = [one for one in rows if (left := one.days_left(now)) is not None and stage_of(left) is not None]
    blocks: list[Block] = [
        Table(
            columns=(
                Column("LEFT", "right"),
                Column("UNTIL"),
                Column("USE"),
                Column("WHERE", flexible=True),
                Column("SUBJECT", flexible=True),
                Column("ISSUED BY", flexible=True, spare=True),
            ),
            rows=[_row(one, now) for one in rows],
            empty="No certificates.",
        ),
        *([Line(f"{len(due)} to be renewed soon, or already too late.", "bad")] if due else []),
    ]
    return Outcome(
        data={"certificates": [_data(one, now) for one in rows], "due": len(due)},
        blocks=tuple(blocks),
        notes=tuple(notes),
        exit_status=ExitStatus.FAILED if due else ExitStatus.OK,
    )


def _known(tools: Tools, settings: AgentConfig, notes: list[str]) -> Iterator[Known]:
    for gateway in settings.gateways:
        if not gateway.ssl:
            continue
        try:
            material = material_of(tools, gateway)
        except AgentError as error:
            notes.append(f"port {gateway.port}: {error.sentence}")
            continue
        for number, identity in enumerate(material.identities):
            use = "presented" if number == 0 else "presented when asked for"
            for place, one in enumerate(identity.chain):
                where = f"port {gateway.port}, {identity.alias}"
                yield _of(one, use if place == 0 else "issuer", where)
        for one in material.anchors:
            yield _of(one, "trusted for clients", f"port {gateway.port}")
    yield from _keystore(tools, notes)
    yield from _clients(tools)


def _clients(tools: Tools) -> Iterator[Known]:
    """Of senders: only the running agent has seen them."""
    if tools.agent_pid() is None:
        return
    for one in tools.link().certificates():
        if one.get("use") == "client":
            yield Known(
                use="client",
                where=f"port {one.get('port')}",
                subject=str(one.get("subject", "")),
                issuer=str(one.get("issuer", "")),
                end=moment(one.get("not_after")),
                sha256=str(one.get("sha256", "")),
            )


def _keystore(tools: Tools, notes: list[str]) -> Iterator[Known]:
    store = AgentKeystore(tools=tools)
    if not store.path.exists():
        return
    try:
        entries = store.read_or_list().entries
    except KeystoreError as error:
        notes.append(error.sentence)
        return
    for entry in entries:
        where = f"{store.path.name}, {entry.alias}"
        if isinstance(entry, PrivateKeyEntry):
            for place, one in enumerate(entry.chain):
                yield _of(one, "key" if place == 0 else "issuer", where)
        elif (own := getattr(entry, "certificate", None)) is not None:
            yield _of(own, "trusted", where)


def _destinations(tools: Tools, settings: AgentConfig, notes: list[str]) -> list[Known]:
    found = []
    for destination in settings.destinations:
        parts = urlsplit(destination.url) if isinstance(destination, HttpDestination) else None
        if parts is None or parts.scheme != "https" or not parts.hostname:
            continue
        with tools.working(f"asking {destination.name}"):
            seen = tools.prober().look(parts.hostname, parts.port or 443, name=parts.hostname)
        if not seen.chain:
            notes.append(f"destination {destination.name}: {seen.trouble or 'it presents no certificate'}")
        found += [
            _of(Certificate(der), "destination" if place == 0 else "issuer", destination.name)
            for place, der in enumerate(seen.chain)
        ]
    return found


def _once(found: Sequence[Known]) -> list[Known]:
    """Each certificate once, with the use that was named first: what is presented before what merely lies there."""
    chosen: dict[str, Known] = {}
    for one in found:
        chosen.setdefault(one.sha256, one)
    return list(chosen.values())


def _row(one: Known, now: datetime) -> tuple[str | Cell, ...]:
    left = one.days_left(now)
    stage = None if left is None else stage_of(left)
    tone: Tone = "" if stage is None else "warn" if stage == STAGES[0] else "bad"
    end = one.end
    return (
        Cell("" if left is None else "EXPIRED" if left < 0 else f"{left} days", tone),
        Cell("" if end is None else f"{end:%Y-%m-%d}", tone),
        one.use,
        one.where,
        one.subject,
        one.issuer,
    )


def _data(one: Known, now: datetime) -> dict[str, Any]:
    return {
        "use": one.use,
        "where": one.where,
        "days_left": one.days_left(now),
        "not_after": None if one.end is None else one.end.isoformat(),
        "subject": one.subject,
        "issuer": one.issuer,
        "sha256": one.sha256,
    }
