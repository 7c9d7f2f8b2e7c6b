"""A program on a terminal of its own: a pseudo-terminal of any size, whose screen can be read, keys included."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

PATIENCE_S: Final = 20.0
CTRL_C: Final = b"\x03"
CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    """Runs `argv` on a pseudo-terminal. `raw` is everything it wrote."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 80, rows: int = 24, environ: Mapping[str, str] | None = None
    ) -> None:
        self.raw = b""
        ours, theirs = pty.openpty()
        self._fd = ours
        self._set_size(columns, rows)
        self.process = subprocess.Popen(
            argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **(environ or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that was written, without the control sequences."""
        return CONTROL.sub("", self.raw.decode("utf-8", "replace")).replace("\r", "")

    def until(self, what: str, look: Callable[[], object]) -> None:
        """Read on until `look` finds it so."""
        end_s = time.monotonic() + PATIENCE_S
        while not look():
            if time.monotonic() > end_s:
                raise AssertionError(f"waited {PATIENCE_S:g} s in vain for {what}; the screen has {self.text[-2000:]}")
            self._read(0.05)

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window."""
        self._set_size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def end(self) -> int:
        """Read the rest; return the exit status."""
        self.until("its end", lambda: self.process.poll() is not None)
        self._read(0.0)
        return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _read(self, patience_s: float) -> None:
        while select.select([self._fd], [], [], patience_s)[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # the other side has closed it
                time.sleep(0.02)
                return
            if not data:
                return
            self.raw += data
            patience_s = 0.0

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
