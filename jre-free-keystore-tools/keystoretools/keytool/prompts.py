"""The two output streams and the questions.

Questions go to stderr without a line end, answers come from stdin, one line each: from a terminal (passwords without
echo) or from a pipe.  keytool itself reads some piped answers through a buffer that swallows the rest; this program
always reads line by line.  Passwords are never printed.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import attrs

from keystoretools.secret import Password

# A line that never ends must not fill the memory; passwords and names are short.
_LONGEST_LINE: Final = 64 * 1024


@attrs.define
class Prompts:
    """Streams as bytes; `encoding` is that of the terminal, octets that do not fit are replaced."""

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    encoding: str = "utf-8"
    line_end: str = os.linesep
    hints: list[str] = attrs.field(factory=list)
    at_line_start: bool = True

    @property
    def is_terminal(self) -> bool:
        """Whether a person answers."""
        try:
            return self.stdin.isatty()
        except ValueError:  # closed
            return False

    def out(self, text: str) -> None:
        """Results: listings, certificates, error texts of keytool."""
        self._write(self.stdout, text)

    def out_octets(self, octets: bytes) -> None:
        """DER, and PEM whose line ends are fixed."""
        self.stdout.write(octets)
        self.stdout.flush()

    def err(self, text: str) -> None:
        """Progress, questions, warnings."""
        if text:
            self._write(self.stderr, text)
            self.at_line_start = text.endswith("\n")

    def hint(self, sentence: str) -> None:
        """A sentence of ours, not keytool's: said at the end."""
        if sentence and sentence not in self.hints:
            self.hints.append(sentence)

    def say_hints(self) -> None:
        """The last lines on stderr, each beginning with `iakeytool: `."""
        for sentence in self.hints:
            self.err(("" if self.at_line_start else "\n") + f"iakeytool: {sentence}\n")
        self.hints.clear()

    def _write(self, stream: BinaryIO, text: str) -> None:
        if self.line_end != "\n":
            text = text.replace("\r\n", "\n").replace("\n", self.line_end)
        stream.write(text.encode(self.encoding, "replace"))
        stream.flush()

    def line(self) -> str | None:
        """One line of stdin without its end; None at the end of the input."""
        octets = self.stdin.readline(_LONGEST_LINE)
        if not octets:
            return None
        return octets.decode(self.encoding, "replace").rstrip("\n").removesuffix("\r")

    def password(self, question: str) -> Password | None:
        """An answer that is not echoed; None when it is empty or the input has ended."""
        self.err(question)
        text = self._hidden_line() if self.is_terminal else self.line()
        return Password(text) if text else None

    def ask(self, question: str) -> str | None:
        """A plain answer; None at the end of the input."""
        self.err(question)
        return self.line()

    def confirm(self, question: str) -> bool | None:
        """yes or no; RETURN is no, anything else asks again.  None at the end of the input."""
        while True:
            answer = self.ask(question)
            if answer is None:
                return None
            match answer.strip().lower():
                case "y" | "yes":
                    return True
                case "" | "n" | "no":
                    return False
            self.err("Wrong answer, try again\n")

    def _hidden_line(self) -> str | None:
        """A line from the terminal with its echo off."""
        try:
            import termios
        except ImportError:  # Windows
            import getpass

            return getpass.getpass("")
        descriptor = self.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        silent = list(before)
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        try:
            return self.line()
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            self.err("\n")
