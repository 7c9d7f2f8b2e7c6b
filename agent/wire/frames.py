"""Frames: how the agent and a service's worker process talk over a pair of pipes.

    4 bytes   length of the head      unsigned, big-endian
    4 bytes   length of all blobs     unsigned, big-endian
    head      JSON object, UTF-8
    blobs     the bytes themselves, one after the other

Bodies travel as blobs because JSON cannot carry bytes: base64 would cost a third more and a copy. The head's key
`blobs` lists their lengths; it belongs to the frame and never reaches the reader. What the head means is not known
here, see `agent.host.messages`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from agent.errors import ServiceError

MIB: Final = 1024 * 1024

MAX_HEAD_BYTES: Final = 1 * MIB
"""Heads hold names, header fields (the gateway takes 32 KiB), and a traceback cut to a few KiB: a hundredth of this."""

MAX_BLOBS_BYTES: Final = 64 * MIB
"""Six bodies of the largest size the gateway takes by default (10 MiB): a hook may turn one event into several
requests. The receiver holds a frame in memory as a whole, so there has to be an end."""

_LENGTHS: Final = struct.Struct("!II")
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class FrameError(ServiceError):
    """The other end does not speak frames, or would send more than the limit. Nothing after it can be trusted."""

    def __init__(self, sentence: str) -> None:
        super().__init__("worker-nonsense", sentence)


@attrs.frozen
class Frame:
    """One frame: `head` is a JSON object, `blobs` the bytes that came with it, in the sender's order."""

    head: Mapping[str, Any]
    blobs: Sequence[bytes] = ()


def encode(frame: Frame, *, max_head_bytes: int = MAX_HEAD_BYTES, max_blobs_bytes: int = MAX_BLOBS_BYTES) -> bytes:
    """Return the frame's bytes. Raises `FrameError` when it is over the limits: the peer would refuse it."""
    head: Mapping[str, Any] = frame.head
    if frame.blobs:
        head = {**head, "blobs": [len(blob) for blob in frame.blobs]}
    head_bytes = _to_json(head).encode("ascii")
    blobs_length = sum(map(len, frame.blobs))
    _check_lengths(len(head_bytes), blobs_length, max_head_bytes, max_blobs_bytes)
    return b"".join((_LENGTHS.pack(len(head_bytes), blobs_length), head_bytes, *frame.blobs))


@attrs.define
class Decoder:
    """Bytes in, frames out, however the bytes are cut. After a `FrameError` it must not be fed again."""

    max_head_bytes: int = MAX_HEAD_BYTES
    max_blobs_bytes: int = MAX_BLOBS_BYTES
    _buffer: bytearray = attrs.field(factory=bytearray, init=False)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes. Raises `FrameError`."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while (end := self._end_of_frame(start)) is not None:
                frame = self._decode(start)
                start = end
                yield frame
        finally:
            # Once per call and not once per frame: deleting from the front moves everything behind it.
            del buffer[:start]

    def _end_of_frame(self, start: int) -> int | None:
        if len(self._buffer) - start < _LENGTHS.size:
            return None
        head_length, blobs_length = _LENGTHS.unpack_from(self._buffer, start)
        # Before the rest has arrived: whoever declares too much is not read to the end.
        _check_lengths(head_length, blobs_length, self.max_head_bytes, self.max_blobs_bytes)
        end = start + _LENGTHS.size + int(head_length) + int(blobs_length)
        return end if len(self._buffer) >= end else None

    def _decode(self, start: int) -> Frame:
        head_length, blobs_length = _LENGTHS.unpack_from(self._buffer, start)
        head_start = start + _LENGTHS.size
        blobs_start = head_start + head_length
        try:
            head = json.loads(self._buffer[head_start:blobs_start])
        except (ValueError, RecursionError) as error:
            raise FrameError(f"the head of a frame is not JSON: {error}") from error
        if not isinstance(head, dict):
            raise FrameError(f"the head of a frame is a {type(head).__name__}, expected a JSON object")
        lengths = head.pop("blobs", [])
        if not _are_lengths(lengths) or sum(lengths) != blobs_length:
            raise FrameError(f"a frame carries {blobs_length} bytes of blobs, but its head lists {lengths!r:.100}")
        blobs = []
        position = blobs_start
        for length in lengths:
            blobs.append(bytes(self._buffer[position : position + length]))
            position += length
        return Frame(head, tuple(blobs))


def _are_lengths(value: object) -> bool:
    # bool is an int in Python; JSON's true is no length.
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_lengths(head: int, blobs: int, max_head: int, max_blobs: int) -> None:
    if head > max_head:
        raise FrameError(f"a frame's head of {head} bytes is over the limit of {max_head}")
    if blobs > max_blobs:
        raise FrameError(f"a frame's bodies of {blobs} bytes together are over the limit of {max_blobs}")
