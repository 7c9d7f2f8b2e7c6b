"""Passwords and key octets as types that do not show themselves.

`repr`, `str`, format strings and pickling give nothing away; the value comes out only where the code says so
(`reveal`, or one of the encodings that a format prescribes).  Comparison takes constant time.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

from keystoretools.errors import ErrorCode, OperationError


class Password:
    """Text that opens a store or a key."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, given: Password | str) -> Password:
        """Accept what callers have: a `Password` as it is, plain text wrapped."""
        return given if isinstance(given, Password) else cls(given)

    def reveal(self) -> str:
        """The text itself, for the rare place that needs it."""
        return self._text

    def utf16be(self) -> bytes:
        """Octets for JKS and JCEKS: two per UTF-16 unit, no terminator (any text is allowed there)."""
        return self._text.encode("utf-16-be", "surrogatepass")

    def bmp(self) -> bytes:
        """Octets for PKCS#12 derivation and MAC (RFC 7292 B.1): UTF-16BE and two zero octets."""
        return self.utf16be() + b"\0\0"

    def utf8(self) -> bytes:
        """Octets for PBKDF1, PBKDF2 and scrypt; equal to ASCII where Java accepts the password at all."""
        return self._text.encode("utf-8", "surrogatepass")

    def is_printable_ascii(self) -> bool:
        """Whether Java accepts it for PKCS#12 (up to 21) and for JCEKS keys."""
        return all(" " <= character <= "~" for character in self._text)

    def require_printable_ascii(self, what: str) -> None:
        """Raise OperationError `password-not-ascii` unless Java could type it; for writers only."""
        if not self.is_printable_ascii():
            raise OperationError(
                f"Java accepts only letters, digits and signs of ASCII in the password of {what}; this one"
                " has other characters. Choose another password.",
                code=ErrorCode.PASSWORD_NOT_ASCII,
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and hmac.compare_digest(self.utf8(), other.utf8())

    def __hash__(self) -> int:
        return hash((Password, self._text))

    def __repr__(self) -> str:
        return "Password(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not pickled")


class SecretBytes:
    """Octets of an unencrypted key."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        """The octets themselves."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretBytes) and hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash((SecretBytes, self._octets))

    def __repr__(self) -> str:
        return "SecretBytes(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret octets are not pickled")
