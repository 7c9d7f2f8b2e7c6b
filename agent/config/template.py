"""Body templates of destinations: `${name}` or `${name|json}`, `|xml`, `|url`; `$$` is a dollar. Pure.

Names: `id`, `event-id`, `service`, `group`, `destination`, and `body`, what the service sent. `body.a.b` is a member of
its JSON; empty where there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

NAMES: Final = frozenset({"id", "event-id", "service", "group", "destination", "body"})
FORMS: Final = frozenset({"", "json", "xml", "url"})

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
"""Not `xml.sax.saxutils`, which brings all of `urllib` along at each start."""
_PLACE: Final = re.compile(r"\$(?:\$|\{([^{}]*)\})")


def check_template(text: str) -> str:
    """Return `text`; raise `ValueError` with the sentence for a place that names nothing."""
    for place in _PLACE.finditer(text):
        if place[1] is None:
            continue
        name, _, form = place[1].partition("|")
        if name.partition(".")[0] not in NAMES or ("." in name and not name.startswith("body.")):
            raise ValueError(f"${{{place[1]}}} names none of {', '.join(sorted(NAMES))} and body.MEMBER")
        if form not in FORMS:
            raise ValueError(f"${{{place[1]}}} ends in none of |json, |xml and |url")
    return text


def filled(template: str, values: Mapping[str, str]) -> str:
    """Put the values in. `|json` gives a whole JSON value, quotes included."""
    parsed: list[Any] = []

    def value_of(name: str) -> Any:
        if not name.startswith("body."):
            return values[name]
        if not parsed:
            try:
                parsed.append(json.loads(values["body"]))
            except (ValueError, RecursionError):
                parsed.append(None)
        found = parsed[0]
        for step in name.split(".")[1:]:
            found = found.get(step) if isinstance(found, dict) else None
        return "" if found is None else found

    def put(place: re.Match[str]) -> str:
        if place[1] is None:
            return "$"
        name, _, form = place[1].partition("|")
        value = value_of(name)
        if form == "json":
            return json.dumps(value)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if form == "xml":
            return text.translate(_ESCAPES)
        return quote(text, safe="") if form == "url" else text

    return _PLACE.sub(put, template)
