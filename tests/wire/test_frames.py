"""agent.wire.frames: whatever the pipe does to the bytes, the frames arrive whole or the fault is named."""

from __future__ import annotations

import contextlib
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.frames import Decoder, Frame, FrameError, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
heads = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "blobs"), json_values, max_size=4)
frames = st.builds(Frame, heads, st.lists(st.binary(max_size=60), max_size=3).map(tuple))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@settings(max_examples=80)
@given(st.lists(frames, max_size=4), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    """However the stream is cut, the decoder gives back what was encoded, and keeps nothing."""
    decoder = Decoder()
    stream = b"".join(map(encode, sent))

    received = [frame for piece in pieces(stream, cuts) for frame in decoder.feed(piece)]

    assert sent == received
    assert [Frame({})] == list(decoder.feed(encode(Frame({}))))


def test_single_bytes() -> None:
    """A frame that arrives byte by byte is one frame, at its last byte."""
    data = encode(Frame({"kind": "x"}, (b"", b"body")))
    decoder = Decoder()

    counts = [len(list(decoder.feed(data[i : i + 1]))) for i in range(len(data))]

    assert [0] * (len(data) - 1) + [1] == counts


def raw(head: bytes, blobs: bytes = b"") -> bytes:
    return struct.pack("!II", len(head), len(blobs)) + head + blobs


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Hello, I am a print statement\n", "over the limit"),
        (raw(b"[1]"), "expected a JSON object"),
        (raw(b"{"), "not JSON"),
        (raw(b"\xff\xfe"), "not JSON"),
        (raw(b"[" * 100_000), "not JSON"),
        (raw(b'{"blobs":[3]}', b"ab"), "lists [3]"),
        (raw(b'{"blobs":[-1,3]}', b"ab"), "lists [-1, 3]"),
        (raw(b'{"blobs":[true,1]}', b"ab"), "lists [True, 1]"),
        (raw(b'{"blobs":2}', b"ab"), "lists 2"),
        (raw(b"{}", b"ab"), "lists []"),
    ],
)
def test_nonsense_is_named(data: bytes, words: str) -> None:
    """What is not a frame raises with a sentence that says what was found."""
    with pytest.raises(FrameError) as caught:
        list(Decoder().feed(data))

    assert words in caught.value.sentence
    assert "worker-nonsense" == caught.value.code


@settings(max_examples=80)
@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_fault(data: bytes) -> None:
    """No bytes at all raise anything but `FrameError`."""
    with contextlib.suppress(FrameError):
        list(Decoder().feed(data))


def test_too_much_is_refused_before_it_is_read() -> None:
    """Eight bytes that declare a blob over the limit are enough to refuse it; the blob is not waited for."""
    decoder = Decoder(max_blobs_bytes=10)

    with pytest.raises(FrameError, match="11 bytes together are over the limit of 10"):
        list(decoder.feed(struct.pack("!II", 2, 11)))


def test_too_much_is_not_sent() -> None:
    """The sender learns of the limit itself, instead of having its pipe closed by the other end."""
    with pytest.raises(FrameError, match="over the limit of 10"):
        encode(Frame({}, (b"x" * 6, b"x" * 5)), max_blobs_bytes=10)
    with pytest.raises(FrameError, match="head of 19 bytes is over the limit of 10"):
        encode(Frame({"text": "x" * 8}), max_head_bytes=10)


def test_frames_before_the_nonsense_are_delivered() -> None:
    """Frames in front of a broken one come out; the broken one raises after them."""
    stream = Decoder().feed(encode(Frame({"n": 1})) + raw(b"[]"))

    assert Frame({"n": 1}) == next(stream)
    with pytest.raises(FrameError):
        next(stream)
