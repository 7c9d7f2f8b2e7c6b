"""What may be asked of the control API: filters and bodies, checked before anybody acts on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from agent.delivery import OutboundRequest, State
from agent.errors import SenderError
from agent.recent import PURGED, Wanted
from agent.recent.tidings import KINDS, LEVELS

DEFAULT_LISTED: Final = 50
MAX_LISTED: Final = 1000
"""One answer stays around half a megabyte; whoever wants more asks again, from where the last list ended."""
MAX_IDS: Final = 500
"""Dead letters in one order: some tens of milliseconds of the writer, so that a progress bar moves."""
MAX_CONTENT_TYPE_CHARS: Final = 200
MAX_MATCH_CHARS: Final = 1000
"""Of a text that reasons are searched for; the whole query has to fit into 8 KiB of head."""

EVENT_ID: Final = re.compile(r"[0-9a-fA-F-]{1,36}", re.ASCII)
LETTER_ID: Final = re.compile(r"[0-9a-f-]{36}(/[0-9]{1,9})?", re.ASCII)
"""An event's id, or a request's: the event's, a slash and its number."""
LETTER_PLACE: Final = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}\.[0-9a-f-]{36}(/[0-9]{1,9})?", re.ASCII)
"""Of a dead letter in the list, as the list tells it."""
EVENT_FILTERS: Final = ("service", "state", "limit", "after", "before", "until", "bodies")
"""`after` and `before` are event ids: pages of a long list stay put while new events come in."""
LETTER_FILTERS: Final = ("service", "destination", "since", "before", "match", "after", "bodies", "roads", "limit")
QUESTION_FIELDS: Final = ("body", "content_type", "path", "method")
TAIL_FILTERS: Final = ("after", "wait", "kind", "service", "state", "level", "match", "since")
TAIL_PLACE: Final = re.compile(r"[0-9a-f]{1,32}\.[0-9]{1,18}", re.ASCII)
MAX_WAIT_S: Final = 10
"""Of a reader for what comes next: half of what this API may take for an answer."""
STATES: Final = tuple(state.label for state in State)


def bad_query(sentence: str) -> SenderError:
    """A filter that is not understood: answered with 400, never with a list of something else."""
    return SenderError("bad-query", sentence, status=400, title="Bad query")


def no_query(path: str, query: str) -> None:
    """Raise 400 where a resource without parameters is given some."""
    if query:
        raise bad_query(f"{path!r} takes no parameters, not {query[:200]!r}")


def event_query(query: str) -> dict[str, str]:
    """Check the filters of an event list; `limit` is always in the result, decimal, and nothing is there empty."""
    filters = _filters(query, EVENT_FILTERS)
    state = filters.get("state", "")
    if state and state not in STATES:
        raise bad_query(f"there is no state {state[:40]!r}; there are {', '.join(STATES)}")
    for name in ("after", "before"):
        if name in filters and not EVENT_ID.fullmatch(filters[name]):
            raise bad_query(f"{name} is {filters[name][:40]!r}; it must be the id of an event")
    if "until" in filters and not _is_moment(filters["until"]):
        raise bad_query(f"until is {filters['until'][:40]!r}; it must be an ISO 8601 time with its zone")
    _check_flags(filters, ("bodies",))
    return filters


def letter_query(query: str) -> dict[str, str]:
    """Check the filters of a list of dead letters; else as `event_query`. Times are those of dying."""
    filters = _filters(query, LETTER_FILTERS)
    for name in ("since", "before"):
        if name in filters and not _is_moment(filters[name]):
            raise bad_query(f"{name} is {filters[name][:40]!r}; it must be an ISO 8601 time with its zone")
    if "after" in filters and not LETTER_PLACE.fullmatch(filters["after"]):
        raise bad_query(f"after is {filters['after'][:40]!r}; it must be the place of a dead letter")
    _check_flags(filters, ("bodies", "roads"))
    if len(filters.get("match", "")) > MAX_MATCH_CHARS:
        raise bad_query(f"match has more than {MAX_MATCH_CHARS} characters")
    return filters


def tail_query(query: str) -> tuple[str, Wanted, float]:
    """Read from where on a reader reads, what he wants, and how many seconds he waits for it."""
    filters = _filters(query, TAIL_FILTERS, listed=False)
    for name, choices in (("kind", KINDS), ("state", (*STATES, PURGED)), ("level", LEVELS)):
        if filters.get(name, choices[0]) not in choices:
            raise bad_query(f"there is no {name} {filters[name][:40]!r}; there are {', '.join(choices)}")
    if "after" in filters and not TAIL_PLACE.fullmatch(filters["after"]):
        raise bad_query(f"after is {filters['after'][:40]!r}; it must be what the last answer called next")
    if "since" in filters and not _is_moment(filters["since"]):
        raise bad_query(f"since is {filters['since'][:40]!r}; it must be an ISO 8601 time with its zone")
    wait = filters.get("wait", "0")
    if not (wait.isascii() and wait.isdigit() and len(wait) < 3 and int(wait) <= MAX_WAIT_S):
        raise bad_query(f"wait is {wait[:40]!r}; it must be a number of seconds from 0 to {MAX_WAIT_S}")
    if len(filters.get("match", "")) > MAX_MATCH_CHARS:
        raise bad_query(f"match has more than {MAX_MATCH_CHARS} characters")
    wanted = Wanted(
        kinds=frozenset({filters["kind"]} if "kind" in filters else KINDS),
        service=filters.get("service", ""),
        state=filters.get("state", ""),
        level=filters.get("level", LEVELS[0]),
        match=filters.get("match", ""),
        since=datetime.fromisoformat(filters["since"]) if "since" in filters else None,
    )
    return filters.get("after", ""), wanted, float(wait)


def letter_ids(body: bytes) -> tuple[str, ...]:
    """Read `{"ids": [...]}`, 1 to `MAX_IDS` whole ids."""
    fault = SenderError(
        "bad-body",
        f'the body must be {{"ids": [...]}} with 1 to {MAX_IDS} ids of dead letters, and nothing was done',
        status=400,
        title="Bad body",
    )
    ids = _document(body, fault, {"ids"}).get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise fault
    if not all(isinstance(each, str) and LETTER_ID.fullmatch(each) for each in ids):
        raise fault
    return tuple(ids)


def content_type_in(query: str) -> str:
    """Read `content_type`, the only parameter where an event is put in, and one that may be missing."""
    content_type = _filters(query, ("content_type",), listed=False).get("content_type", "")
    if not content_type.isprintable() or len(content_type) > MAX_CONTENT_TYPE_CHARS:
        raise bad_query(f"content_type has control characters, or more than {MAX_CONTENT_TYPE_CHARS} characters")
    return content_type


def no_body(body: bytes) -> None:
    """Raise 400 where an order without parameters is given some."""
    if body.strip() not in (b"", b"{}"):
        raise SenderError("bad-body", "the body must be empty", status=400, title="Bad body")


def question(destination: str, body: bytes) -> OutboundRequest:
    """Read what is to be sent to a destination: all fields are texts and may be left out, `headers` is an object."""
    fault = SenderError(
        "bad-body",
        f"the body must be a JSON object of texts: {', '.join(QUESTION_FIELDS)}, and an object of texts: headers; "
        "nothing was sent",
        status=400,
        title="Bad body",
    )
    document = _document(body, fault, {*QUESTION_FIELDS, "headers"})
    texts = {name: document.get(name, "") for name in QUESTION_FIELDS}
    headers = document.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in (*texts.values(), *headers.values())):
        raise fault
    path = texts["path"]
    if path and path[0] not in "/?":
        raise fault
    return OutboundRequest(
        destination=destination,
        body=texts["body"].encode("utf-8", "replace"),
        content_type=texts["content_type"],
        headers=tuple(headers.items()),
        path=path,
        method=texts["method"],
    )


def flags_in(body: bytes, names: tuple[str, ...]) -> dict[str, bool]:
    """Read `{"now": true}`: those that are named in it, all false in an empty body."""
    words = ", ".join(f'"{name}"' for name in names)
    fault = _bad_body(f"the body must be empty, or an object with true or false for {words}")
    document = _document(body, fault, set(names)) if body.strip() else {}
    if not all(isinstance(one, bool) for one in document.values()):
        raise fault
    return {name: bool(document.get(name, False)) for name in names}


def choice_in(body: bytes, name: str, choices: Sequence[str]) -> str:
    """Read `{"level": "debug"}`."""
    fault = _bad_body(f'the body must be {{"{name}": ...}} with one of {", ".join(choices)}')
    found = _document(body, fault, {name}).get(name)
    if not isinstance(found, str) or found not in choices:
        raise fault
    return found


def service_in(body: bytes) -> str:
    """Read `{"service": "domain|name"}`; an empty body, or an empty name, means all."""
    fault = _bad_body('the body must be empty or {"service": "domain|name"}')
    found = _document(body, fault, {"service"}).get("service", "") if body.strip() else ""
    if not isinstance(found, str):
        raise fault
    return found


def _bad_body(sentence: str) -> SenderError:
    return SenderError("bad-body", f"{sentence}; nothing was done", status=400, title="Bad body")


def stop_now(body: bytes) -> bool:
    """Read `{"now": true}`; an empty body, or one without `now`, asks for an orderly stop."""
    fault = SenderError(
        "bad-body", 'the body must be empty or {"now": true} or {"now": false}', status=400, title="Bad body"
    )
    if not body.strip():
        return False
    now = _document(body, fault, {"now"}).get("now", False)
    if not isinstance(now, bool):
        raise fault
    return now


def _check_flags(filters: Mapping[str, str], names: Sequence[str]) -> None:
    for name in names:
        if filters.get(name, "true") != "true":
            raise bad_query(f"{name} is {filters[name][:40]!r}; it must be true, or left out")


def _filters(query: str, known: tuple[str, ...], *, listed: bool = True) -> dict[str, str]:
    """`listed`: the answer is a list with a `limit`."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=10)
    except ValueError:
        raise bad_query(f"{query[:200]!r} is not a query of the form name=value&name=value") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise bad_query("each parameter may be given once")
    filters = {name: value for name, value in pairs if value}
    for name in filters:
        if name not in known:
            raise bad_query(f"there is no parameter {name[:40]!r}; there are {', '.join(known)}")
    if not listed:
        return filters
    limit = filters.setdefault("limit", str(DEFAULT_LISTED))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MAX_LISTED):
        raise bad_query(f"limit is {limit[:40]!r}; it must be a number from 1 to {MAX_LISTED}")
    return filters


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _document(body: bytes, fault: SenderError, names: set[str]) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise fault from None
    if not isinstance(document, dict) or not set(document) <= names:
        raise fault
    return document
