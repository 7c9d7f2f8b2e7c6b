"""`iadmin service test PATH EVENT`: what would the service send? Nothing leaves, and nothing is stored."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from agent.config.model import GatewayLimits
from agent.config.scripts import hooks_in
from agent.errors import ExitStatus, OperatorError, SenderError
from agent.event import BodyKind, Event
from agent.event.body import BodyReader, guess_kind
from agent.mapping import InputRules, take_if_apxml
from iadmin.commands.arguments import find_service
from iadmin.commands.lazy import Command
from iadmin.commands.sending import content_type_of, read_file
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Body, Facts, Line, Tone
from iadmin.trials import Leaving, StubAnswer, TrialService, Tried

EVENT_ID: Final = "00000000-0000-7000-8000-000000000000"
"""Of an event that no agent has taken in."""

EXITS: Final[Mapping[str, ExitStatus]] = MappingProxyType(
    {
        "done": ExitStatus.OK,
        "suppressed": ExitStatus.OK,
        "failed": ExitStatus.FAILED,
        "rejected": ExitStatus.DATA,
        "retried": ExitStatus.TEMPORARY,
        "not-loaded": ExitStatus.CONFIG,
    }
)
WHOLE_ANSWER: Final = re.compile(rb"HTTP/[\d.]+ (\d{3})[^\r\n]*\r?\n((?:[^\r\n]+\r?\n)*)\r?\n", re.ASCII)
"""What `curl -i` prints."""
CONTENT_TYPE: Final = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


@click.command("test", cls=Command)
@click.argument("path", metavar="PATH")
@click.argument("file", metavar="EVENT", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--answer",
    "answers",
    metavar="FILE",
    multiple=True,
    help="What a destination answers to context.request: a body, or what curl -i prints. Again for the next one.",
)
@pass_tools
def try_event(tools: Tools, path: str, file: str, answers: Sequence[str]) -> Outcome:
    """Give a service an event and show what it would send.

    PATH is its descriptor, its folder, or the name of a service of the home; EVENT is a file, - for standard input. A
    real worker is started: on_startup, the hook and on_shutdown run. Nothing is sent and nothing is stored, and
    context.request is answered by --answer, or refused. What the code does by itself (a file, a socket) is done.

    Exit status 0 when the event would be done, 65 when it would be rejected, 75 when it would be tried again later, 1
    when the hook fails, 78 when the service cannot be loaded.
    """
    service = find_trial(tools, path)
    event = _event(service, read_file(tools, file), tools)
    stubs = [read_answer(read_file(tools, one)) for one in answers]
    with tools.working(f"trying {service.config.name.client_id}"):
        tried = tools.trials().try_event(service, event, stubs)
    status = EXITS[tried.verdict]
    if status is ExitStatus.OK and any(one.trouble for one in tried.sent):
        status = ExitStatus.FAILED
    return Outcome(data=_document(service, tried), blocks=_blocks(tried), notes=service.warnings, exit_status=status)


def find_trial(tools: Tools, text: str) -> TrialService:
    """The service that is meant: a path where there is one, else a service of the home."""
    home: Path | None = None
    try:
        home = tools.local_home
    except OperatorError:
        if not (tools.cwd / text).exists():
            raise
    path = Path(os.path.abspath(tools.cwd / text))  # noqa: PTH100 -- links are followed by nobody here
    if not path.exists() and home is not None:
        settings, _ = tools.load_config(home)
        if "/" in text:
            raise OperatorError("no-input", f"there is no {text!r}", exit_status=ExitStatus.NO_INPUT)
        name = find_service([one.name for one in settings.services], text)
        path = Path(next(one.descriptor for one in settings.services if one.name == name))
    return tools.trials().find_trial_service(path, home)


def read_answer(data: bytes) -> StubAnswer:
    """A whole HTTP answer, status line first, or the body of a good one."""
    whole = WHOLE_ANSWER.match(data)
    if whole is None:
        return StubAnswer(content_type=content_type_of(data), body=data)
    named = CONTENT_TYPE.search(whole[2])
    return StubAnswer(
        status=int(whole[1]),
        content_type=named[1].decode("latin-1").strip() if named else "",
        body=data[whole.end() :],
    )


def _event(service: TrialService, body: bytes, tools: Tools) -> Event:
    """The event as a gateway would take it in; raises `OperatorError` (65) for what it would refuse."""
    limits = GatewayLimits()
    content_type = content_type_of(body)
    try:
        if len(body) > limits.max_body_bytes:
            raise SenderError("too-large", f"it has {len(body)} bytes", status=413, title="Too large")
        kind, root = BodyReader(max_depth=limits.max_xml_depth).read(body)
        taken = take_if_apxml(root, InputRules.of(service.config))
    except SenderError as error:
        if error.status == 413 or not _answers_itself(Path(service.config.script)):
            raise OperatorError(
                "refused",
                f"a gateway would refuse this event with {error.status}, and no service would see it: {error.sentence}",
                exit_status=ExitStatus.DATA,
            ) from error
        kind, taken = guess_kind(body), None
    event = Event(
        id=EVENT_ID,
        service=service.config.name.client_id,
        received_us=int(tools.now().timestamp() * 1_000_000),
        peer="127.0.0.1",
        kind=kind if taken is None else BodyKind.APXML,
        body=body if taken is None else taken.body,
        content_type=content_type,
    )
    return event if taken is None else taken.put_into(event)


def _answers_itself(script: Path) -> bool:
    try:
        return "on_http" in hooks_in(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False


def _blocks(tried: Tried) -> tuple[Block, ...]:
    sentence, tone = _verdict(tried)
    blocks: list[Block] = [Line(sentence, tone)]
    if tried.detail:
        blocks.append(Body(title="Where", text=tried.detail.rstrip()))
    if tried.response is not None:
        status, headers, body = tried.response
        pairs = [("status", str(status)), *headers]
        blocks += [Facts(title="The sender is answered", pairs=pairs), *_shown(body)]
    for title, requests in (("Would send", tried.sent), ("Asked (nobody was)", tried.asked)):
        for number, one in enumerate(requests, 1):
            blocks += [Facts(title=f"{title} {number}", pairs=_facts(one)), *_shown(one.body)]
    if tried.said:
        blocks.append(Body(title="Log", text="\n".join(f"{level:<6} {text}" for level, text in tried.said)))
    return tuple(blocks)


def _verdict(tried: Tried) -> tuple[str, Tone]:
    count = len(tried.sent)
    if any(one.trouble for one in tried.sent):
        told = f"The event would be done, and of {count} request{'' if count == 1 else 's'} not all could be sent."
        return told, "bad"
    match tried.verdict:
        case "done":
            number = "nothing" if not count else "1 request" if count == 1 else f"{count} requests"
            return f"The event would be done, and {number} sent.", "good"
        case "suppressed":
            return f"The event would be suppressed: {tried.reason}", "warn"
        case "rejected":
            return f"The event would be rejected, and be a dead letter: {tried.reason}", "bad"
        case "retried":
            after = f" after {tried.after_s:g} s" if tried.after_s is not None else ""
            return f"The event would be tried again{after}: {tried.reason}", "warn"
        case "not-loaded":
            return f"The service cannot be loaded: {tried.reason}", "bad"
    return f"The hook fails; the event would be tried again, and be a dead letter in the end: {tried.reason}", "bad"


def _facts(one: Leaving) -> list[tuple[str, str]]:
    pairs = [("destination", one.destination)]
    if one.target:
        pairs.append(("to", f"{one.method} {one.target}".strip()))
    elif one.method:
        pairs.append(("method", one.method))
    if one.path:
        pairs.append(("path", one.path))
    if one.content_type:
        pairs.append(("content-type", one.content_type))
    pairs += one.headers
    if one.trouble:
        pairs.append(("trouble", one.trouble))
    return pairs


def _shown(body: bytes) -> tuple[Body, ...]:
    return (Body(text=body.decode("utf-8", "replace")),) if body else ()


def _document(service: TrialService, tried: Tried) -> dict[str, Any]:
    response = tried.response
    return {
        "service": service.config.name.client_id,
        "verdict": tried.verdict,
        "hooks": list(tried.hooks),
        "reason": tried.reason,
        "detail": tried.detail,
        "after_s": tried.after_s,
        "sent": [_request(one) for one in tried.sent],
        "asked": [_request(one) for one in tried.asked],
        "response": None
        if response is None
        else {"status": response[0], "headers": [list(one) for one in response[1]], **_either(response[2])},
        "log": [{"level": level, "text": text} for level, text in tried.said],
    }


def _request(one: Leaving) -> dict[str, Any]:
    return {
        "destination": one.destination,
        "target": one.target,
        "method": one.method,
        "path": one.path,
        "content_type": one.content_type,
        "headers": [list(pair) for pair in one.headers],
        "trouble": one.trouble,
        **_either(one.body),
    }


def _either(body: bytes) -> dict[str, str]:
    """As exported dead letters have it: text where it is UTF-8."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}
