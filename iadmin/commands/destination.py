"""`iadmin destination`: where services send to."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs
import click

from agent.config.model import AgentConfig, Destination, HttpDestination
from agent.config.outbound import Proxy, ProxyScheme
from agent.errors import ExitStatus, MachineError, OperatorError
from agent.secret import Secret
from iadmin.commands.completing import destination_names
from iadmin.commands.lazy import Command, Group
from iadmin.commands.sending import content_type_of, read_file
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Hop, HopRoute, Outcome
from iadmin.render import Body, Cell, Column, Facts, Line, Table, destination_state
from iadmin.text import clock

DEFAULT_PORTS = {"http": 80, "https": 443}


@click.group(cls=Group)
def destination() -> None:
    """Where services send to: list, check, pause, send."""


@destination.command("list", cls=Command)
@pass_tools
def list_destinations(tools: Tools) -> Outcome:
    """List the destinations with their state, backlog and last error."""
    notes: tuple[str, ...] = ()
    if tools.agent_pid() is not None:
        found = tools.link().destinations()
    else:
        settings, _ = tools.load_config(tools.home)
        found = [_from_config(one) for one in settings.destinations]
        notes = (f"the agent on {tools.where} is not running; this is what its configuration says",)
    now = tools.now()
    table = Table(
        columns=(
            Column("DESTINATION"),
            Column("STATE"),
            Column("BACKLOG", "right"),
            Column("IN HAND", "right"),
            Column("LAST SUCCESS"),
            Column("TARGET", flexible=True),
        ),
        rows=[
            (
                str(one.get("destination", "")),
                destination_state(one),
                str(one.get("backlog", 0)),
                str(one.get("in_hand", 0)),
                clock(one.get("last_success"), now) or "none",
                str(one.get("target", "")),
            )
            for one in found
        ],
        empty="none",
    )
    errors = [(str(one["destination"]), Cell(str(one["last_error"]), "bad")) for one in found if one.get("last_error")]
    blocks: tuple[Block, ...] = (table, *((Facts(title="Last errors", pairs=errors),) if errors else ()))
    return Outcome(data={"destinations": found}, blocks=blocks, notes=notes)


@destination.command(cls=Command)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=destination_names)
@click.option(
    "--send",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="When the way is good, also send this, on which the receiver acts.",
)
@pass_tools
def check(tools: Tools, name: str | None, file: str | None) -> Outcome:
    """Walk the way to a destination hop by hop, and say where it is broken.

    Name, proxy, TCP, TLS (chain, names, dates), HTTP and credentials, each with its time. Without NAME: to all of them.
    Nothing is sent that the receiver would act on (a HEAD request). Exit status 1 when a way is broken.
    """
    settings, _ = tools.load_config(tools.home)
    if file is not None and name is None:
        raise OperatorError("usage", "--send needs the NAME of one destination", exit_status=ExitStatus.USAGE)
    named = [_find(settings, name)] if name else list(settings.destinations)
    chosen = [way for one in named for way in _ways(one)]
    walker = tools.walker(settings)
    pages: list[Block] = []
    data: list[dict[str, Any]] = []
    for one in chosen:
        hops: Sequence[Hop] = ()
        if isinstance(one, HttpDestination):
            with tools.working(f"walking to {one.name}"):
                hops = walker.walk(route_of(one, tools.login_fields(one), tools.proxy_of(one)))
        pages += _page(one, hops)
        url = shown_url(one) if isinstance(one, HttpDestination) else ""
        data.append(
            {"destination": one.name, "url": url, "hops": [_hop_data(hop) for hop in hops], "good": _is_good(hops)}
        )
    is_good = all(one["good"] for one in data)
    if file is not None and is_good and name is not None:
        sent = _send(tools, name, {}, file)
        return Outcome(
            data={"destinations": data, "sent": sent.data},
            blocks=(*pages, *sent.blocks),
            notes=sent.notes,
            exit_status=sent.exit_status,
        )
    return Outcome(
        data={"destinations": data},
        blocks=tuple(pages),
        exit_status=ExitStatus.OK if is_good else ExitStatus.FAILED,
    )


@destination.command(cls=Command)
@click.argument("name", metavar="NAME", shell_complete=destination_names)
@pass_tools
def pause(tools: Tools, name: str) -> Outcome:
    """Send nothing more there until "resume"; what services send is stored and waits, also over restarts."""
    return _set_paused(tools, name, is_paused=True)


@destination.command(cls=Command)
@click.argument("name", metavar="NAME", shell_complete=destination_names)
@pass_tools
def resume(tools: Tools, name: str) -> Outcome:
    """Send again what is for this destination."""
    return _set_paused(tools, name, is_paused=False)


@destination.command(cls=Command)
@click.argument("name", metavar="NAME", shell_complete=destination_names)
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--path", default="", metavar="PATH", help="Appended to the URL of the destination, as by services.")
@click.option("--method", default="", metavar="WORD", help="Instead of the destination's method.")
@click.option(
    "--content-type", "content_type", default="", metavar="TYPE", help="What FILE is, where it is neither JSON nor XML."
)
@pass_tools
def send(tools: Tools, name: str, file: str, path: str, method: str, content_type: str) -> Outcome:
    """Have the running agent send FILE ("-" for standard input) there at once, and show the answer.

    With everything that is configured for the destination, and not through its queue. Exit status 0 for an answer from
    200 to 299, 1 for another one, 69 for none.
    """
    return _send(tools, name, {"path": path, "method": method, "content_type": content_type}, file)


def _ways(one: Destination) -> list[Destination]:
    """One for each of its URLs."""
    if not isinstance(one, HttpDestination):
        return [one]
    return [attrs.evolve(one, url=url) for url in (one.url, *one.further_urls)]


def shown_url(one: HttpDestination) -> str:
    """Without its query, which may hold a secret."""
    return urlsplit(one.url)._replace(query="", fragment="").geturl()


def route_of(one: HttpDestination, login: Mapping[str, str], proxy: Proxy | None) -> HopRoute:
    """The way to a destination, with its credentials among the headers."""
    parts = urlsplit(one.url)
    headers = [(name, Secret(value)) for name, value in {**login, **dict(one.headers)}.items()]
    own = {header.lower() for header, _ in one.headers}
    return HopRoute(
        destination=one.name,
        scheme=parts.scheme.lower(),
        host=parts.hostname or "",
        port=parts.port or DEFAULT_PORTS[parts.scheme.lower()],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        timeout_s=one.timeout_s,
        headers=tuple(headers),
        has_key=bool(one.tls.alias),
        has_credentials=bool(login) or bool(own & {"authorization", "appkey"}),
        proxy_host=proxy.host if proxy is not None else "",
        proxy_port=proxy.port if proxy is not None else 0,
        is_proxy_tls=proxy is not None and proxy.scheme is ProxyScheme.HTTPS,
        proxy_user=proxy.user if proxy is not None else "",
        proxy_password=proxy.password if proxy is not None else None,
    )


def _find(settings: AgentConfig, name: str) -> Destination:
    known = {one.name: one for one in settings.destinations}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise OperatorError(
        "no-such-destination",
        f"the configuration has no destination {name!r}{meant} It has {', '.join(known)}",
        exit_status=ExitStatus.FAILED,
    )


def _running(tools: Tools, what: str) -> None:
    if tools.agent_pid() is None:
        raise MachineError("not-running", f"no agent runs on {tools.where}; {what}", exit_status=ExitStatus.UNAVAILABLE)


def _set_paused(tools: Tools, name: str, *, is_paused: bool) -> Outcome:
    _running(tools, "destinations are paused and resumed while it does")
    tools.link().pause(name, is_paused=is_paused)
    sentence = (
        f"{name} is paused; what is for it waits on disk." if is_paused else f"{name} is resumed; what waited is sent."
    )
    return Outcome(
        data={"destination": name, "paused": is_paused}, blocks=(Line(sentence, "warn" if is_paused else "good"),)
    )


def _send(tools: Tools, name: str, fields: Mapping[str, str], file: str) -> Outcome:
    _running(tools, "only a running agent sends, because it holds the credentials")
    body = read_file(tools, file)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise OperatorError("bad-input", f"{file!r} is not UTF-8 text", exit_status=ExitStatus.DATA) from None
    question = {"body": text, **fields}
    question["content_type"] = question.get("content_type") or content_type_of(body)
    with tools.working(f"sending to {name}"):
        answer = tools.link().ask_destination(name, question)
    status = int(answer.get("status", 0))
    is_good = 200 <= status < 300
    cut = " (cut at max-answer-bytes)" if answer.get("body_cut") else ""
    said = str(answer.get("body", ""))
    return Outcome(
        data=answer,
        blocks=(
            Line(f"{answer.get('where', name)} answered {status}{cut}", "good" if is_good else "bad"),
            *((Body(text=said.rstrip()),) if said.strip() else ()),
        ),
        exit_status=ExitStatus.OK if is_good else ExitStatus.FAILED,
    )


def _from_config(one: Destination) -> dict[str, Any]:
    """The keys of a running destination, for one of which only the configuration is known."""
    parts = urlsplit(one.url) if isinstance(one, HttpDestination) else None
    return {
        "destination": one.name,
        "kind": parts.scheme if parts else "outbox",
        "target": parts._replace(query="", fragment="").geturl() if parts else str(getattr(one, "path", "")),
        "paused": False,
        "backlog": 0,
        "in_hand": 0,
        "last_success": None,
        "last_error": "",
    }


def _is_good(hops: Sequence[Hop]) -> bool:
    return all(hop.is_good for hop in hops)


def _page(one: Destination, hops: Sequence[Hop]) -> list[Block]:
    """A line for each hop, the cure below the one that is broken."""
    if not isinstance(one, HttpDestination):
        return [Line(f"{one.name}: a file of this machine, {one.path}; there is no way to walk", "dim")]
    rows = [
        (
            Cell("ok" if hop.is_good else "BROKEN", "good" if hop.is_good else "bad"),
            hop.name,
            f"{hop.ms} ms",
            hop.sentence,
        )
        for hop in hops
    ]
    table = Table(
        title=f"{one.name} ({shown_url(one)})",
        columns=(Column(""), Column("HOP"), Column("TOOK", "right"), Column("WHAT", flexible=True)),
        rows=rows,
    )
    return [table, *(Line(f"-> {hop.cure}") for hop in hops if hop.cure)]


def _hop_data(hop: Hop) -> dict[str, Any]:
    return {"hop": hop.name, "good": hop.is_good, "ms": hop.ms, "sentence": hop.sentence, "cure": hop.cure}
