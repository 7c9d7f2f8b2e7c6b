"""Strangers are told from senders whose HTTP is faulty."""

from __future__ import annotations

import pytest

from agent.gateway.firstwords import FirstWords
from agent.wire import Tongue
from agent.wire.refusal import unreadable


def told(*pieces: bytes) -> tuple[str, list[tuple[Tongue, bytes]]]:
    """The code of what is answered, and which strangers were noted."""
    noted: list[tuple[Tongue, bytes]] = []
    words = FirstWords(lambda tongue, first: noted.append((tongue, first)))
    for piece in pieces:
        words.hear(piece)
    return words.look_closer(unreadable("x")).code, noted


def test_somebody_who_speaks_something_else_is_told_so_and_noted() -> None:
    """With the words by which it was known, in however many pieces they came."""
    code, noted = told(b"EHLO m", b"ail.example\r\n")
    assert (unreadable("x").code != code, [(Tongue.SMTP, b"EHLO mail.example\r\n")]) == (True, noted)


@pytest.mark.parametrize("first", [b"POST / HTTP/1.1\r\nbad header\r\n", b"CONNECT a:1 HTTP/1.1\r\n", b""])
def test_faulty_http_is_told_its_own_fault(first: bytes) -> None:
    """A stranger it is not."""
    assert (unreadable("x").code, []) == told(first)
