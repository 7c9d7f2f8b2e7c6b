"""Password files: the secret is the first line, in UTF-8. Pure: the octets are given."""

from __future__ import annotations

from typing import Final

MAX_PASSWORD_FILE_BYTES: Final = 4096
"""A password is one line; whoever names a larger file has named the wrong one."""


def password_in(data: bytes) -> str:
    """Return the first line; blanks count, the end of the line does not.

    Raises `ValueError` with the end of a sentence that begins with the file's name, and never repeats the content.
    """
    try:
        password = data.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not password:
        raise ValueError("has an empty first line; it must hold the password")
    # RFC 7617, section 2: no control characters.
    if any(ord(c) < 32 or ord(c) == 127 for c in password):
        raise ValueError("has a control character in its first line")
    return password
