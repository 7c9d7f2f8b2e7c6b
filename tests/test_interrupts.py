"""agent.interrupts: Ctrl-C while a program is loading."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("before", "after", "expected"), [("die", "", -2), ("die", "hear", 7), ("", "", 7)])
def test_an_interrupt_while_loading_ends_without_a_word(before: str, after: str, expected: int) -> None:
    """Ctrl-C ends the program by the signal until it is heard again."""
    code = f"""
import os, signal, sys
from agent.interrupts import die_of_interrupts, hear_interrupts
{"die_of_interrupts()" if before else ""}
{"hear_interrupts()" if after else ""}
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (expected, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_who_ignores_interrupts_goes_on_doing_so() -> None:
    """`nohup` and a shell's `&` start programs that way."""
    code = """
import signal
from agent.interrupts import die_of_interrupts, hear_interrupts
signal.signal(signal.SIGINT, signal.SIG_IGN)
die_of_interrupts()
hear_interrupts()
assert signal.SIG_IGN is signal.getsignal(signal.SIGINT)
"""
    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("program", "loading", "status"),
    [
        ("iadmin", "iadmin.commandline", -signal.SIGINT),
        ("iadmin", "click", -signal.SIGINT),
        ("iadmin", "iadmin.wiring", 130),
        ("agent", "agent.running", -signal.SIGINT),
        ("agent", "twisted.internet.defer", -signal.SIGINT),
    ],
)
def test_ctrl_c_while_a_program_loads_is_no_traceback(tmp_path: Path, program: str, loading: str, status: int) -> None:
    """Whatever is being imported: the program ends as shells expect it, without a word of Python."""
    (tmp_path / "conf").mkdir()
    code = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {loading!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from {program}.main import main
sys.exit(main(["--home", {str(tmp_path)!r}{", 'status'" if program == "iadmin" else ""}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (status, "") == (done.returncode, (done.stdout + done.stderr).strip())
