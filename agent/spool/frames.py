"""The frames of SQLite's log behind a damaged one, which SQLite itself does not read any more.

Each frame holds a page and a check sum that goes on from the one of the frame before it. SQLite stops at the first that
does not fit: one flipped bit, and everything behind it is gone. But a frame can be judged by itself with the sum that
*stands* in the frame before it. So all others are found, and a page whose frame is damaged is mostly written again by
a later one.

What comes out may be a database with a page that is too old, so it is read row by row (`salvage`) and never worked
with: something done may be open again, which costs a double. Format: https://sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

HEADER: Final = struct.Struct(">8I")
"""Magic, version, page size, number of the checkpoint, two salts, two sums."""
SUMMED_BYTES: Final = 24
"""Of the header, before its sums."""
DEFAULT_PAGE_BYTES: Final = 4096
"""SQLite's, and what a spool has."""
FRAME: Final = struct.Struct(">6I")
"""Number of the page, pages of the database after a commit (else 0), two salts, two sums."""
MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""With the byte order of the words that are summed up."""
MASK: Final = 0xFFFFFFFF


@attrs.frozen(kw_only=True)
class Frame:
    """One frame that is sound: where its page stands in the log, and which one it is."""

    offset: int
    page: int
    pages_after: int


@attrs.frozen(kw_only=True)
class Start:
    """What is to be known of a log: `order` of the words that are summed up, `salts` of all frames of this round.

    `sums` are those that its first frame goes on from, None where they are not known.
    """

    order: str
    page_bytes: int
    salts: list[int]
    sums: tuple[int, int] | None


@attrs.frozen(kw_only=True)
class LogImage:
    """What `write_image` could use: `frames` in all, `damaged` of them not."""

    frames: int = 0
    damaged: int = 0


def write_image(database: Path, target: Path) -> LogImage:
    """Write `database` with every sound frame of its log into `target`, up to the last commit.

    Nothing is written, and 0 frames are told, where there is no log or nothing in it fits together. Raises `OSError`.
    """
    path = database.with_name(f"{database.name}-wal")
    if not path.exists():
        return LogImage()
    with path.open("rb") as log:
        start = _start(log) or _start_without_header(log, _page_bytes(database))
        if start is None:
            return LogImage()
        found = list(_frames(log, start))
        page_bytes = start.page_bytes
        sound = [frame for frame in found if frame is not None]
        while sound and not sound[-1].pages_after:
            sound.pop()
        if not sound:
            return LogImage(frames=len(found), damaged=len(found))
        shutil.copyfile(database, target)
        with target.open("r+b") as image:
            for frame in sound:
                log.seek(frame.offset)
                image.seek((frame.page - 1) * page_bytes)
                image.write(log.read(page_bytes))
            image.truncate(sound[-1].pages_after * page_bytes)
            image.flush()
            os.fsync(image.fileno())
    return LogImage(frames=len(found), damaged=sum(frame is None for frame in found))


def _start(log: BinaryIO) -> Start | None:
    """What the header says; None where it is damaged."""
    header = log.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, _version, page_bytes, _number, *salts, first_sum, second_sum = HEADER.unpack(header)
    sums = (first_sum, second_sum)
    if magic not in MAGIC or _sums(MAGIC[magic], header[:SUMMED_BYTES], (0, 0)) != sums:
        return None
    return Start(order=MAGIC[magic], page_bytes=page_bytes, salts=salts, sums=sums)


def _start_without_header(log: BinaryIO, page_bytes: int) -> Start | None:
    """The same from the first two frames that fit together: a round of the log begins at its front. The first frame of
    all cannot be judged then, and counts as damaged."""
    order = "<" if sys.byteorder == "little" else ">"
    log.seek(HEADER.size)
    before = None
    while len(head := log.read(FRAME.size)) == FRAME.size and len(page := log.read(page_bytes)) == page_bytes:
        number, _pages_after, *salts, first_sum, second_sum = FRAME.unpack(head)
        if number > 0 and before is not None and _sums(order, head[:8] + page, before) == (first_sum, second_sum):
            return Start(order=order, page_bytes=page_bytes, salts=salts, sums=None)
        before = (first_sum, second_sum)
    return None


def _page_bytes(database: Path) -> int:
    """From the header of the database, whose log has the same; SQLite's default where it says nothing that can be."""
    with database.open("rb") as file:
        found = int.from_bytes(file.read(18)[16:18])
    return found if found in {1 << power for power in range(9, 16)} else DEFAULT_PAGE_BYTES


def _frames(log: BinaryIO, start: Start) -> Iterator[Frame | None]:
    """Every frame of this log in its order, None for a damaged one; what an earlier round of the log left is passed
    over."""
    before, offset = start.sums, HEADER.size
    log.seek(offset)
    size = start.page_bytes
    while len(head := log.read(FRAME.size)) == FRAME.size and len(page := log.read(size)) == size:
        number, pages_after, *salts, first_sum, second_sum = FRAME.unpack(head)
        sums = (first_sum, second_sum)
        is_of_round = salts == start.salts
        if is_of_round and number > 0 and before is not None and _sums(start.order, head[:8] + page, before) == sums:
            yield Frame(offset=offset + FRAME.size, page=number, pages_after=pages_after)
        elif is_of_round:
            yield None
        before = sums
        offset += FRAME.size + size


def _sums(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & MASK
        second = (second + words[index + 1] + first) & MASK
    return first, second
