"""What may be asked of the control API: filters and bodies, checked before anybody acts on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from agent.delivery import OutboundRequest, State
from agent.errors import SenderError

DEFAULT_LISTED: Final = 50
MAX_LISTED: Final = 1000
"""One answer stays around half a megabyte; whoever wants more asks again, from where the last list ended."""
MAX_IDS: Final = 500
"""Dead letters in one order: some tens of milliseconds of the writer, so that a progress bar moves."""
MAX_MATCH_CHARS: Final = 1000
"""Of a text that reasons are searched for; the whole query has to fit into 8 KiB of head."""

EVENT_ID: Final = re.compile(r"[0-9a-fA-F-]{1,36}", re.ASCII)
LETTER_ID: Final = re.compile(r"[0-9a-f-]{36}(/[0-9]{1,9})?", re.ASCII)
"""An event's id, or a request's: the event's, a slash and its number."""
EVENT_FILTERS: Final = ("service", "state", "limit", "after", "before")
"""`after` and `before` are event ids: pages of a long list stay put while new events come in."""
LETTER_FILTERS: Final = ("service", "destination", "since", "before", "match", "limit")
QUESTION_FIELDS: Final = ("body", "content_type", "path", "method")
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
    return filters


def letter_query(query: str) -> dict[str, str]:
    """Check the filters of a list of dead letters; else as `event_query`. Times are those of dying."""
    filters = _filters(query, LETTER_FILTERS)
    for name in ("since", "before"):
        if name in filters and not _is_moment(filters[name]):
            raise bad_query(f"{name} is {filters[name][:40]!r}; it must be an ISO 8601 time with its zone")
    if len(filters.get("match", "")) > MAX_MATCH_CHARS:
        raise bad_query(f"match has more than {MAX_MATCH_CHARS} characters")
    return filters


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


def _filters(query: str, known: tuple[str, ...]) -> dict[str, str]:
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
