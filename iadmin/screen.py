"""The terminal on which something is shown again and again: redrawn in place, cut to its height.

A terminal that can do nothing (`TERM=dumb`) gets the pages one below the other.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from iadmin.render import Line, Tone, draw, needs_gap
from iadmin.text import safe

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

LOOK_S: Final = 0.1
"""How often the size of the terminal is looked at: a window that is dragged follows the hand."""
WARNINGS_SHARE: Final = 3
"""Warnings take a third of the height, or what is left: below them stands what they are about."""

COLOURS: Final[Mapping[Tone, str]] = {"good": "32", "bad": "1;31", "warn": "33", "dim": "2", "bold": "1"}
"""As ECMA-48 numbers them; rich would take longer to load than the first line to come."""

BROKEN_PIPE: Final = 128 + signal.SIGPIPE
"""As shells report a command that the signal ended: the reader went away."""

Show = Callable[[Sequence[Any]], None]


class Screen:
    """Implements `iadmin.commands.tools.Screen`, on standard output."""

    def __init__(self) -> None:
        self._redraw: Callable[[], None] | None = None
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("dumb", "unknown")
        self._has_colours = self.is_terminal and not plain

    @property
    def is_terminal(self) -> bool:
        return sys.stdout.isatty()

    def say(self, line: str, tone: Tone = "") -> None:
        """Print one line, at once; coloured on a terminal."""
        text = safe(line)
        if tone and self._has_colours:
            text = f"\x1b[{COLOURS[tone]}m{text}\x1b[0m"
        try:
            click.echo(text)
        except BrokenPipeError:
            # click would make another exit status of it, and the interpreter's last flush a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE) from None

    def warn(self, sentence: str) -> None:
        """Say something about the lines, on standard error."""
        click.echo(f"iadmin: {safe(sentence)}", err=True)

    def pause(self, seconds: float) -> None:
        """Wait; meanwhile follow a terminal that changes its size."""
        end_s = time.monotonic() + seconds
        before = _size()
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(LOOK_S, left_s) if self._redraw else left_s)
            if self._redraw and before != (before := _size()):
                self._redraw()

    @contextlib.contextmanager
    def redrawn(self) -> Iterator[Show]:
        """Gives the function that shows blocks in the place of the ones before."""
        from rich.console import Console
        from rich.live import Live

        console = Console(highlight=False, markup=False, emoji=False)
        if console.is_dumb_terminal:
            yield _below
            return
        before = signal.signal(signal.SIGTERM, _end)
        try:
            with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
                self._redraw = live.refresh
                yield lambda blocks: live.update(Page(blocks), refresh=True)
        finally:
            self._redraw = None
            signal.signal(signal.SIGTERM, before)


class Page:
    """Blocks on a screen of any size: where they are too high, gaps go first, then warnings, then the end."""

    def __init__(self, blocks: Sequence[Any]) -> None:
        self._blocks = blocks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        from rich.segment import Segment

        height = options.height or console.height
        for line in fitted(self._lines(console, options), height, lambda text: _text_line(console, options, text)):
            yield from line
            yield Segment.line()

    def _lines(self, console: Console, options: ConsoleOptions) -> list[Drawn]:
        wide = options.update(height=None)
        found: list[Drawn] = []
        for index, block in enumerate(self._blocks):
            is_warning = isinstance(block, Line) and block.tone in ("warn", "bad")
            if needs_gap(self._blocks, index):
                found.append(Drawn([], is_gap=True))
            for line in console.render_lines(block.rich(options.max_width), wide, pad=False):
                found.append(Drawn(line, is_warning=is_warning))
        return found


class Drawn(list[Any]):
    """One line on the screen, as rich's segments."""

    def __init__(self, segments: Sequence[Any], *, is_gap: bool = False, is_warning: bool = False) -> None:
        super().__init__(segments)
        self.is_gap = is_gap
        self.is_warning = is_warning


def fitted(lines: Sequence[Drawn], height: int, sentence: Callable[[str], Drawn]) -> list[Drawn]:
    """As many lines as there are rows, with a sentence in place of those that are left out."""
    if len(lines) <= height:
        return list(lines)
    lines = [line for line in lines if not line.is_gap]
    warnings = [line for line in lines if line.is_warning]
    rest = [line for line in lines if not line.is_warning]
    room = max(2, height // WARNINGS_SHARE, height - len(rest))
    if len(lines) > height and len(warnings) > room:
        left_out = len(warnings) - room + 1
        lines = [*warnings[: room - 1], sentence(f'... {left_out} more lines of warnings: "iadmin status"'), *rest]
    if len(lines) > height:
        left_out = len(lines) - height + 1
        lines = [*lines[: max(0, height - 1)], sentence(f"... {left_out} more lines; a higher terminal shows them")]
    return list(lines)


def _text_line(console: Console, options: ConsoleOptions, text: str) -> Drawn:
    from rich.text import Text

    rendered = console.render_lines(Text(text, style="dim", no_wrap=True, overflow="ellipsis"), options, pad=False)
    return Drawn(rendered[0])


def _below(blocks: Sequence[Any]) -> None:
    click.echo("-" * 20)
    draw(blocks)
    sys.stdout.flush()


def _end(number: int, _: FrameType | None) -> NoReturn:
    """Out of the way that leads past giving the terminal back as it was."""
    raise SystemExit(128 + number)


def _size() -> tuple[int, int]:
    try:
        return os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return (0, 0)
