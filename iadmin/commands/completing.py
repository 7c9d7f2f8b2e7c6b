"""What stands behind the TAB key for names of services and destinations: read from the files of the home.

A shell waits for this with a person at it, so neither an agent nor the configuration's own reader is asked: the names
alone are taken out of the XML. Whatever cannot be read has no names; a completion never fails.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pyexpat import ExpatError, ParserCreate
from typing import Final

import click
from click.shell_completion import CompletionItem

from agent.names import CONFIGURATION_FILES, ServiceName
from iadmin.commands.lazy import switches_of

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_SERVICES: Final = 500
"""As many as a configuration may list."""
FOLDER: Final = "../services"
"""`service-configs/@dir` where it is absent."""
DESTINATION: Final = "outbox"
"""It is there without being configured."""
Found = Callable[[Sequence[str], dict[str, str], str], None]
"""Hears of each element at its end: the local names from the root to it, its attributes, its text."""


def service_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Bare names where they tell the services apart, and `domain_name` where they do not or it was begun so: neither
    needs quotes in a shell, as `domain|name` does."""
    found = list(_services(ctx))
    bare = Counter(one.name for one in found)
    words = {one: one.name if bare[one.name] == 1 and one.name.startswith(begun) else one.url_name for one in found}
    return [_item(word, help=one.client_id) for one, word in words.items() if word.startswith(begun)]


def reloadable_names(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The services, and all."""
    everything = [CompletionItem("all", help="everything that has changed")] if "all".startswith(begun) else []
    return [*everything, *service_names(ctx, parameter, begun)]


def destination_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Where services send to."""
    names: list[str] = []

    def note(place: Sequence[str], attributes: dict[str, str], _: str) -> None:
        if list(place[-2:]) == ["destinations", "destination"] and attributes.get("name"):
            names.append(attributes["name"])

    config = _configuration(ctx)
    if config is not None:
        _read(config, note)
    return [_item(name) for name in dict.fromkeys([*names, DESTINATION]) if name.startswith(begun)]


def _item(word: str, help: str | None = None) -> CompletionItem:
    if os.environ.get("_IADMIN_COMPLETE", "").startswith("bash"):
        # Other shells quote what they insert.
        word = "".join(c if c.isalnum() or c in "_-.,:+@%/" else "\\" + c for c in word)
    return CompletionItem(word, help=help)


def _configuration(ctx: click.Context) -> Path | None:
    switches = switches_of(ctx)
    if switches is None or switches.connect is not None:
        return None
    folder = Path(switches.home or os.environ.get("IA_HOME") or "home") / "conf"
    return next((folder / name for name in CONFIGURATION_FILES if (folder / name).is_file()), None)


def _services(ctx: click.Context) -> Iterator[ServiceName]:
    config = _configuration(ctx)
    if config is None:
        return
    listed: list[str] = []
    folders = [FOLDER]

    def note(place: Sequence[str], attributes: dict[str, str], text: str) -> None:
        if list(place[-2:]) == ["service-configs", "path"]:
            listed.append(text)
        elif place[-1] == "service-configs" and attributes.get("dir"):
            folders.append(attributes["dir"])

    _read(config, note)
    folder = config.parent / folders[-1].replace("\\", "/")
    for path in listed[:MAX_SERVICES]:
        name = _name_in(folder / path.replace("\\", "/").lstrip("/"))
        if name is not None:
            yield name


def _name_in(descriptor: Path) -> ServiceName | None:
    said: dict[str, str] = {}

    def note(place: Sequence[str], _: dict[str, str], text: str) -> None:
        if len(place) == 2:
            said.setdefault(place[1], text)

    _read(descriptor, note)
    domain, name = said.get("domain"), said.get("name")
    return ServiceName(domain=domain, name=name) if domain and name else None


def _read(path: Path, found: Found) -> None:
    """Read as far as the file is good."""
    place: list[tuple[str, dict[str, str], list[str]]] = []

    def begin(element: str, attributes: dict[str, str]) -> None:
        place.append((element.rpartition(":")[2], attributes, []))

    def end(_: str) -> None:
        _, attributes, pieces = place[-1]
        found([name for name, _, _ in place], attributes, "".join(pieces).strip())
        place.pop()

    def refuse(*_: object) -> None:
        raise ValueError("the configuration has no DOCTYPE")

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: place[-1][2].append(text)
    parser.StartDoctypeDeclHandler = refuse
    try:
        with path.open("rb") as file:
            parser.Parse(file.read(MAX_FILE_BYTES), True)
    except (OSError, ExpatError, LookupError, ValueError):
        return
