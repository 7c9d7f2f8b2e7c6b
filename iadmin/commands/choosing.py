"""Which dead letters a command is about: ids, or filters, or all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.arguments import find_moment
from iadmin.commands.letters import Filters, Letter, Letters
from iadmin.commands.matching import Fits, matcher
from iadmin.commands.naming import service_filter
from iadmin.commands.tools import Tools


@attrs.frozen(kw_only=True)
class Choice:
    """What was said on the command line. `is_narrow`: something but all."""

    ids: tuple[str, ...] = ()
    is_all: bool = False
    filters: Filters = attrs.field(factory=Filters)
    match: Fits | None = None

    @classmethod
    def read(
        cls,
        tools: Tools,
        said: Mapping[str, str],
        *,
        ids: Sequence[str] = (),
        is_all: bool = False,
    ) -> Choice:
        """Understand the options, `said` those of `letteroptions.FILTERS`; raises `OperatorError` (64)."""
        now = tools.now()
        since, before, match = said["since"], said["before"], said["match"]
        return cls(
            ids=tuple(ids),
            is_all=is_all,
            filters=Filters(
                service=service_filter(tools, said["service"]),
                destination=said["destination"],
                since=find_moment(since, now) if since else None,
                before=find_moment(before, now) if before else None,
            ),
            match=matcher(match) if match else None,
        )

    @property
    def is_narrow(self) -> bool:
        return self.filters != Filters() or self.match is not None

    def fitting(self, letters: Letters) -> Iterator[Letter]:
        """Those that fit filters and match, the last to die first."""
        if self.match is None:
            yield from letters.every(self.filters)
            return
        for letter, body in letters.every_with_body(self.filters):
            if self.match(str(letter.get("reason") or ""), body):
                yield letter


def choose(tools: Tools, letters: Letters, choice: Choice) -> list[Letter]:
    """The letters of a choice, all of them known before anything is done to the first.

    Raises `OperatorError` when ids and filters are mixed, when nothing was said, or when an id is no dead letter's.
    """
    if choice.ids and (choice.is_all or choice.is_narrow):
        raise _unclear("ids and filters do not go together; say one or the other")
    if choice.ids:
        return [_letter(letters, letter_id) for letter_id in _found(letters, choice.ids)]
    if not choice.is_all and not choice.is_narrow:
        raise _unclear("say which ones: ids, filters (--service, --match, ...), or --all")
    with tools.working("looking for dead letters"):
        return list(choice.fitting(letters))


def find_letter(letters: Letters, text: str) -> str:
    """The whole id of a dead letter, by its beginning; the last to die for an empty text.

    An event that is not dead itself and has one dead request stands for that one. Raises `OperatorError`.
    """
    wanted = text.strip().lower()
    if not wanted:
        newest = next(letters.every(Filters()), None)
        if newest is None:
            raise OperatorError("no-letters", "there are no dead letters", exit_status=ExitStatus.FAILED)
        return str(newest["id"])
    event_id, _, number = wanted.partition("/")
    event = letters.event(event_id)
    if event is None:
        raise _none(
            f"no event, or more than one, has an id that begins with {event_id!r}; "
            '"iadmin deadletter list" shows the ids'
        )
    requests = {str(request["id"]): str(request.get("state")) for request in event.get("requests") or ()}
    if number:
        letter_id = f"{event['id']}/{number}"
        if letter_id not in requests:
            raise _none(f"event {event['id']} has no request {number!r}")
        if requests[letter_id] != "dead":
            raise _none(f"request {letter_id} is {requests[letter_id]}, not dead")
        return letter_id
    if event.get("state") == "dead":
        return str(event["id"])
    dead = [request_id for request_id, state in requests.items() if state == "dead"]
    if len(dead) == 1:
        return dead[0]
    if dead:
        raise _none(f"event {event['id']} is {event['state']}; dead are its requests {', '.join(dead)}: say which")
    others = ", nor is any request of it" if requests else ""
    raise _none(f"event {event['id']} is {event['state']}, not dead{others}")


def letter_sentence(letter_id: str) -> str:
    """`event 01...` or `request 01.../1`."""
    return f"{'request' if '/' in letter_id else 'event'} {letter_id}"


def numbered(number: int) -> str:
    """`1 dead letter`, `1,234 dead letters`."""
    return f"{number:,} dead letter{'' if number == 1 else 's'}"


def _found(letters: Letters, texts: Sequence[str]) -> list[str]:
    """Each once; one that is not there stops the command before it has done anything."""
    return list(dict.fromkeys(find_letter(letters, text) for text in texts))


def _letter(letters: Letters, letter_id: str) -> Letter:
    """What a list would say of it, from its event's road."""
    event = letters.event(letter_id.partition("/")[0]) or {}
    own = next((each for each in event.get("requests") or () if each.get("id") == letter_id), event)
    ends = [str(step.get("at")) for step in own.get("steps") or () if step.get("step") == "given up"]
    return {
        "id": letter_id,
        "kind": "request" if "/" in letter_id else "event",
        "service": event.get("service", ""),
        "destination": own.get("destination", ""),
        "received": own.get("received") or own.get("created"),
        "died": ends[-1] if ends else None,
        "attempt": own.get("attempt"),
        "reason": own.get("reason", ""),
    }


def _unclear(sentence: str) -> OperatorError:
    return OperatorError("which-letters", sentence, exit_status=ExitStatus.USAGE)


def _none(sentence: str) -> OperatorError:
    return OperatorError("no-such-letter", sentence, exit_status=ExitStatus.FAILED)
