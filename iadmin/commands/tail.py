"""`iadmin tail`: log lines and what happens to events, as it comes."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

import attrs
import click

from agent.delivery import State
from agent.errors import MachineError, OperatorError
from agent.recent import PURGED, Wanted
from agent.recent.tidings import KINDS, LEVELS, line_shown
from iadmin.commands.arguments import find_moment
from iadmin.commands.completing import service_names
from iadmin.commands.edges import Screen
from iadmin.commands.lazy import Command
from iadmin.commands.naming import service_filter
from iadmin.commands.records import NOT_RUNNING
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Tone
from iadmin.text import moment

WAIT_S: Final = 10
"""How long the agent waits for the next line before it says that there is none."""
BETWEEN_S: Final = 0.2
"""Between two questions: a busy agent is asked five times a second, whatever it has to tell."""
AGAIN_S: Final = 1.0
"""Before an agent that did not answer is asked again."""
LAST_LINES: Final = 10
"""Of the file of an agent that does not run, as tail(1) shows them."""
TONES: Final[Mapping[str, Tone]] = {"error": "bad", "warn": "warn", "debug": "dim", "dead": "bad", "waiting": "warn"}


@attrs.frozen(kw_only=True)
class Reading:
    """What was asked for, and where it goes."""

    tools: Tools
    screen: Screen
    wanted: Wanted

    def show(self, told: Mapping[str, Any]) -> None:
        """One line for each; of a traceback its lines."""
        if self.tools.switches.as_json:
            self.screen.say(json.dumps(told))
            return
        tone = TONES.get(str(told.get("level") or told.get("state") or ""), "")
        for line in _text(told, self.tools.now()).split("\n"):
            self.screen.say(line, tone)

    def show_lost(self, count: int) -> None:
        """So many never came here."""
        if self.tools.switches.as_json:
            self.screen.say(json.dumps({"kind": "lost", "count": count}))
        else:
            self.screen.warn(f"{count} entries are missing here: they came faster than they were read")


@click.command(cls=Command)
@click.option(
    "--service",
    metavar="SERVICE",
    default="",
    shell_complete=service_names,
    help="Only what one service says, or what names it.",
)
@click.option(
    "--state",
    type=click.Choice([*(one.label for one in State), PURGED]),
    help="Only events that come to this state.",
)
@click.option("--level", type=click.Choice(LEVELS), help="Only log lines of this level and above.")
@click.option("--match", metavar="TEXT", default="", help="Only what contains this text, whatever its case.")
@click.option("--events", "kind", flag_value="event", help="Only what happens to events and requests.")
@click.option("--log", "kind", flag_value="log", help="Only log lines.")
@click.option("--since", metavar="TIME", default="", help="Begin earlier: 30s, 15m, 2h, today, or a time.")
@pass_tools
def tail(
    tools: Tools, service: str, state: str | None, level: str | None, match: str, kind: str | None, since: str
) -> Outcome:
    """Show log lines and what happens to events, as it comes.

    Until Ctrl-C, also over restarts of the agent; with --json one document per line. Without an agent, the end of
    var/log/agent.log and what comes to it.
    """
    wanted = Wanted(
        kinds=_kinds(kind, state, level),
        service=service_filter(tools, service),
        state=state or "",
        level=level or LEVELS[0],
        match=match,
        since=find_moment(since, tools.now()) if since else None,
    )
    reading = Reading(tools=tools, screen=tools.screen(), wanted=wanted)
    if tools.agent_pid() is None:
        _follow_file(reading)
    _follow_agent(reading)


def _kinds(kind: str | None, state: str | None, level: str | None) -> frozenset[str]:
    """Who asks for a level wants lines, who asks for a state wants events; who asks for both gets both."""
    if kind is None and (state is None) != (level is None):
        kind = "event" if level is None else "log"
    return frozenset(KINDS if kind is None else (kind,))


def _follow_agent(reading: Reading) -> NoReturn:
    """Ask on and on; an agent that ends is waited for."""
    link = reading.tools.link()
    after = ""
    is_away = False
    while True:
        try:
            page = link.tail(_query(reading.wanted, after))
        except MachineError as error:
            # One that holds its home and has no socket yet is starting.
            if not after and (error.code != NOT_RUNNING or reading.tools.agent_pid() is None):
                raise
            if not is_away:
                reading.screen.warn(f"{error.sentence}; waiting for it")
            is_away = True
            reading.screen.pause(AGAIN_S)
            continue
        if is_away:
            reading.screen.warn(f"the agent on {reading.tools.where} answers again")
        is_away, after = False, str(page["next"])
        if page.get("lost"):
            reading.show_lost(int(page["lost"]))
        for told in page["entries"]:
            reading.show(told)
        if not page.get("more"):
            reading.screen.pause(BETWEEN_S)


def _query(wanted: Wanted, after: str) -> dict[str, str]:
    return {
        "after": after,
        "wait": str(WAIT_S) if after else "0",
        "kind": "".join(wanted.kinds) if len(wanted.kinds) == 1 else "",
        "service": wanted.service,
        "state": wanted.state,
        "level": wanted.level,
        "match": wanted.match,
        "since": wanted.since.isoformat() if wanted.since else "",
    }


def _follow_file(reading: Reading) -> NoReturn:
    """What an agent that does not run has written; events are told by a running one only."""
    tools = reading.tools
    path = tools.home / "var" / "log" / "agent.log"
    if "log" not in reading.wanted.kinds:
        raise OperatorError(
            "not-running",
            f"no agent runs on {tools.where}, so nothing happens to events; "
            '"iadmin event list" shows what has, "iadmin tail --log" what its log says',
        )
    with tools.follow(path) as followed:
        found = _wanted_lines(reading, followed.read())
        reading.screen.warn(f"the agent on {tools.where} is not running; this is read from {path}")
        for told in found if reading.wanted.since else deque(found, LAST_LINES):
            reading.show(told)
        while True:
            reading.screen.pause(BETWEEN_S)
            for told in _wanted_lines(reading, followed.read()):
                reading.show(told)


def _wanted_lines(reading: Reading, lines: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    return (told for told in map(line_shown, lines) if reading.wanted.takes(told))


def _text(told: Mapping[str, Any], now: datetime) -> str:
    """Time, what kind, whose, which event, what; the time without its day, which is today's."""
    at = moment(told.get("at"))
    when = at.astimezone(now.tzinfo).strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03}" if at else ""
    if told.get("kind") == "log":
        words = [str(told.get("level", "")).upper().ljust(5), told.get("room"), told.get("event_id"), told.get("text")]
    else:
        to = f"-> {told.get('destination')}" if told.get("destination") else ""
        state = str(told.get("state", "")).ljust(8)
        words = ["EVENT", told.get("service"), told.get("event_id"), to, state, told.get("text")]
    return " ".join(str(word) for word in (when, *words) if word)
