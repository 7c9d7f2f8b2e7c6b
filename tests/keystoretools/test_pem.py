"""pem: blocks are found in any text; a broken one says where and what."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import KeystoreError, LimitError, Limits
from keystoretools.pem import BrokenBlock, PemBlock, read_blocks, write_block, write_pem
from tests.keystoretools.authority import family

LEAF = family()[0]
PEM = write_pem(LEAF.certificate)


def _only(text: bytes) -> PemBlock:
    (block,) = read_blocks(text)
    assert isinstance(block, PemBlock)
    return block


def _flat(text: bytes, by: bytes) -> bytes:
    begin, *body, end = text.split(b"\n")[:-1]
    return begin + by + by.join(body) + by + end


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        PEM.replace(b"\n", b"\r\n"),
        PEM.replace(b"\n", b"\r"),
        PEM.replace(b"\n", b"\r\r\n"),
        PEM.rstrip(b"\n"),
        _flat(PEM, b" "),
        _flat(PEM, b""),
        _flat(PEM, b"\\n"),
        b"\n".join(b"    " + line + b"  " for line in PEM.split(b"\n")),
        b"\n".join(b"> " + line for line in PEM.split(b"\n")),
        PEM.replace(b"\n", b"\n\n"),
        b"\xef\xbb\xbf" + PEM,
        b"Bag Attributes\n    localKeyID: 01\nsubject=CN = x\n" + PEM + b"Kind regards\n",
        b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + PEM,
        PEM.replace(b"=", b""),
    ],
)
def test_mangled_text_is_read(text: bytes) -> None:
    """Line ends of every kind, indentation, quoting and text around change nothing."""
    block = _only(text)
    assert (block.label, block.octets) == ("CERTIFICATE", LEAF.certificate.der)


@pytest.mark.parametrize(("end", "sign"), [("\n\n", ""), ("\r\r\n", ""), ("\n", "> "), ("\n\n", "  ")])
def test_headers_of_mangled_text(end: str, sign: str) -> None:
    """Doubled line ends and quote signs stand between headers as they do between base64 lines."""
    lines = ("-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,0011", "", "AAAA")
    text = "".join(sign + line + end for line in (*lines, "-----END RSA PRIVATE KEY-----"))
    block = _only(text.encode())
    assert ("4,ENCRYPTED", "AES-256-CBC,0011", b"\0\0\0") == (
        block.header("Proc-Type"),
        block.header("DEK-Info"),
        block.octets,
    )


def test_headers() -> None:
    """Header lines stand before the base64, with continuation lines joined."""
    text = (
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,\n 00112233\n\n"
        b"AAAA\n-----END RSA PRIVATE KEY-----\n"
    )
    block = _only(text)
    assert (block.header("dek-info"), block.header("PROC-TYPE"), block.octets) == (
        "AES-256-CBC,00112233",
        "4,ENCRYPTED",
        b"\0\0\0",
    )
    assert block.header("Other") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\n\n-----BEGIN CERTIFICATE-----\nAAAA\n", "Line 3: .* no END line"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n", "Line 3: .* line 1 .*mixed up"),
        (b"AAAA\n-----END CERTIFICATE-----\n", "Line 2: .* no BEGIN"),
        (b"-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n", 'line 1 holds "\\*"'),
        (b"-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----\n", "line 1 is incomplete"),
        (b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n", "line 1 is empty"),
    ],
)
def test_damage_has_a_line_number(text: bytes, words: str) -> None:
    """A broken block is reported with its line, and the good one behind it is still read."""
    broken, good = read_blocks(text + PEM)
    assert isinstance(broken, BrokenBlock) and isinstance(good, PemBlock)
    with pytest.raises(KeystoreError, match=words):
        raise broken.error


def test_many_markers_cost_little() -> None:
    """Megabytes of BEGIN lines are refused or read in a moment."""
    start = time.process_time()
    with pytest.raises(LimitError):
        read_blocks(b"-----BEGIN CERTIFICATE-----\n" * 200_000)
    read_blocks(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 10_000_000 + b"\n-----END CERTIFICATE-----\n")
    read_blocks(b"-----BEGIN " * 500_000)
    read_blocks(b"-----BEGIN X-----\n" + b"a: \n" * 500_000 + b"-----END X-----")
    assert time.process_time() - start < 5


def test_a_large_block_is_refused() -> None:
    """The size of a block is checked before it is decoded."""
    with pytest.raises(LimitError, match="line 1"):
        read_blocks(PEM, Limits(pem_block_bytes=100))


@given(st.binary(max_size=300), st.booleans())
def test_what_is_written_is_read(octets: bytes, crlf: bool) -> None:
    """Any octets survive, with either kind of line end and lines of at most 64."""
    text = write_block("CERTIFICATE", octets, crlf=crlf)
    assert max(map(len, text.splitlines())) <= 64
    if octets:
        assert _only(text).octets == octets


@given(st.binary(max_size=200) | st.text(alphabet="-BEGIN ECRT\n\r=A0:>\\n", max_size=200).map(str.encode))
def test_nothing_else_is_raised(data: bytes) -> None:
    """Any octets are blocks, broken blocks or nothing."""
    for block in read_blocks(b"-----BEGIN A-----" + data + b"-----END A-----"):
        assert block.line >= 1
