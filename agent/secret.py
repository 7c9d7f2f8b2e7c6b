"""A value that must not be seen: passwords, tokens, keys."""

from __future__ import annotations

from typing import Final


class Secret:
    """Holds a secret text; `repr`, `str` and formatting show a mask, only `reveal()` gives the text.

    Comparison is by identity on purpose: whoever compares credentials uses `hmac.compare_digest` on revealed bytes.
    """

    __slots__ = ("_text",)
    MASK: Final = "********"

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Call it where the text leaves for its purpose, and nowhere earlier."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self.MASK!r})"

    def __str__(self) -> str:
        return self.MASK

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled: it would leave the process in clear text")
