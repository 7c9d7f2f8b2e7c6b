"""PEM as it really arrives: found in any text, in any order, with any line ends; and written.

`read_blocks` steps from marker to marker in one pass, so thousands of BEGIN lines cost no more than their octets.
Around and between the blocks anything may stand (Bag Attributes, `openssl x509 -text`, mail).  Inside a block,
blanks, line ends of every kind, the two characters `\\n` (copied from JSON or an environment variable), mail
quote signs and zero-width characters are dropped; everything else must be base64.
Source: RFC 7468 (text), RFC 1421 4.6 (headers: Proc-Type, DEK-Info).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from keystoretools.certificate import Certificate
from keystoretools.errors import CorruptError, KeystoreError, UnsupportedError, quoted
from keystoretools.limits import Limits, check
from keystoretools.privatekey import PrivateKey
from keystoretools.request import CertificateRequest

# Labels: RFC 7468 allows any printable text; none of the known ones has more than 30 characters.
_MARKER: Final = re.compile(rb"-----(BEGIN|END) ([^\r\n-]{1,64})-----")
# Empty lines (doubled line ends) and mail quote signs may stand before each header.
_HEADER: Final = re.compile(
    rb"(?:[ \t]*(?:>[> \t]*)?\n)*[ \t]*(?:>[> \t]*)?([A-Za-z][A-Za-z0-9-]{0,30}):[ \t]*([^\n]{0,1000})\n"
)
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]")
_DROPPED: Final = re.compile(rb"\\[nrt]|\xc2\xa0|\xe2\x80[\x8b-\x8f]|\xef\xbb\xbf|[\s\0]+|(?<=\n)>[> ]*")
# Octets of a block that may be header lines; DEK-Info needs under 200.
_HEADER_WINDOW: Final = 8192


@attrs.frozen(kw_only=True)
class PemBlock:
    """One block: `label` between the dashes, `headers` in order, `octets` decoded, `line` of BEGIN (from 1)."""

    label: str
    headers: tuple[tuple[str, str], ...]
    octets: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")
    line: int

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name; None when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@attrs.frozen(kw_only=True)
class BrokenBlock:
    """A block that cannot be read; `error.sentence` names the line and the damage."""

    label: str
    line: int
    error: KeystoreError


def read_blocks(data: bytes, limits: Limits | None = None) -> tuple[PemBlock | BrokenBlock, ...]:
    """The blocks of a text in their order, readable or broken.  Raises LimitError (number, size of blocks)."""
    limits = limits or Limits()
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return tuple(_blocks(text, limits))


def _blocks(text: bytes, limits: Limits) -> Iterator[PemBlock | BrokenBlock]:
    """A table of two states: outside, and inside the block that `begun` opened."""
    begun: re.Match[bytes] | None = None
    begun_line = count = 0
    line, counted_to = 1, 0
    for marker in _MARKER.finditer(text):
        line += text.count(b"\n", counted_to, marker.start())
        counted_to = marker.start()
        if marker[1] == b"BEGIN":
            count += 1
            check("a number of PEM blocks", count, limits.pem_blocks)
            if begun is not None:
                yield _without_end(begun, begun_line)
            begun, begun_line = marker, line
        elif begun is not None:
            yield _block(text, begun, marker, begun_line, line, limits)
            begun = None
        else:
            label = _label(marker)
            yield BrokenBlock(
                label=label,
                line=line,
                error=CorruptError(
                    f'Line {line}: "END {label}" has no BEGIN line before it: its beginning is missing.'
                ),
            )
    if begun is not None:
        yield _without_end(begun, begun_line)


def _block(
    text: bytes, begin: re.Match[bytes], end: re.Match[bytes], line: int, end_line: int, limits: Limits
) -> PemBlock | BrokenBlock:
    label, end_label = _label(begin), _label(end)
    check(f"a PEM block at line {line} with a size in octets", end.start() - begin.end(), limits.pem_block_bytes)
    try:
        if end_label != label:
            raise CorruptError(
                f'Line {end_line}: the block that line {line} begins as "{label}" ends as "{end_label}":'
                " two blocks were mixed up, or the text was edited."
            )
        body, headers = _split_headers(text[begin.end() : end.start()])
        return PemBlock(label=label, headers=headers, octets=_decode(body, label, line), line=line)
    except KeystoreError as error:
        return BrokenBlock(label=label, line=line, error=error)


def _without_end(begin: re.Match[bytes], line: int) -> BrokenBlock:
    label = _label(begin)
    return BrokenBlock(
        label=label,
        line=line,
        error=CorruptError(
            f'Line {line}: the block "{label}" has no END line: it was cut off. Copy the whole text again, from'
            " the first BEGIN line to the last END line."
        ),
    )


def _label(marker: re.Match[bytes]) -> str:
    return quoted(marker[2].decode("ascii", "replace").strip(), 64)[1:-1]


def _split_headers(body: bytes) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The base64 part, and the header lines before it; a line that begins with a blank continues the one above."""
    at = len(body) - len(body.lstrip(b" \t\n"))
    found: list[tuple[str, str]] = []
    window = body[: at + _HEADER_WINDOW]
    while header := _HEADER.match(window, at):
        found.append((header[1].decode("ascii"), header[2].decode("latin-1").strip()))
        at = header.end()
        while found and window[at : at + 1] in (b" ", b"\t") and window[at:].partition(b"\n")[0].strip():
            more, _, _ = window[at:].partition(b"\n")
            if _HEADER.match(window, at):
                break
            found[-1] = (found[-1][0], found[-1][1] + more.decode("latin-1").strip())
            at += len(more) + 1
    return (body[at:], tuple(found)) if found else (body, ())


def _decode(body: bytes, label: str, line: int) -> bytes:
    clean = _DROPPED.sub(b"", b"\n" + body)
    if clean[-5:-4] == b"=":  # OpenPGP's checksum line; nothing else ends so
        clean = clean[:-5]
    odd = _NOT_BASE64.search(clean)
    if odd is not None:
        shown = quoted(clean[odd.start() : odd.start() + 1].decode("latin-1"))
        raise CorruptError(
            f'The block "{label}" at line {line} holds {shown}, which is not base64: the text was changed on its way.'
            " Copy the file itself instead of its text."
        )
    if not clean:
        raise CorruptError(f'The block "{label}" at line {line} is empty.')
    try:
        padding = -len(clean.rstrip(b"=")) % 4  # some tools drop the "=" at the end
        return binascii.a2b_base64(clean.rstrip(b"=") + b"=" * padding)
    except binascii.Error as error:
        raise CorruptError(
            f'The block "{label}" at line {line} is incomplete: characters of its base64 text are missing.'
        ) from error


# --- writing -----------------------------------------------------------------------------------------------------


def write_pem(
    what: Certificate | PrivateKey | CertificateRequest | Sequence[Certificate | PrivateKey | CertificateRequest],
    *,
    crlf: bool = False,
) -> bytes:
    """PEM text of certificates, a request or an open key (PKCS#8 in clear), lines of 64 and a final line end.

    `crlf`: Windows line ends.  Raises UnsupportedError for anything else.
    """
    items = [what] if isinstance(what, Certificate | PrivateKey | CertificateRequest) else list(what)
    return b"".join(_written(item, crlf) for item in items)


def write_block(label: str, octets: bytes, *, crlf: bool = False) -> bytes:
    """One block under any label."""
    text = base64.b64encode(octets)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    name, end = label.encode("ascii"), b"\r\n" if crlf else b"\n"
    return end.join([b"-----BEGIN " + name + b"-----", *lines, b"-----END " + name + b"-----", b""])


def _written(item: object, crlf: bool) -> bytes:
    if isinstance(item, Certificate):
        return write_block("CERTIFICATE", item.der, crlf=crlf)
    if isinstance(item, CertificateRequest):
        return write_block("CERTIFICATE REQUEST", item.der, crlf=crlf)
    if isinstance(item, PrivateKey):
        return write_block("PRIVATE KEY", item.pkcs8.reveal(), crlf=crlf)
    raise UnsupportedError(f"{type(item).__name__} has no PEM form here.", name=type(item).__name__)
