"""Whether a service's script can be loaded, found out in a process of its own: for a reload that changes nothing when
it cannot.

The script is run as a worker runs it, in isolated mode and under the same limits (`agent.host.trialworker`). Its hooks
are found and checked; none of them is called, `on_startup` neither: what that opens (a port, a file) the running worker
may hold.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

import agent
from agent.host.apart import account_for
from agent.host.launch import ENVIRONMENT
from agent.host.messages import Broken, Load, Ready
from agent.host.output import printable
from agent.host.reading import from_worker
from agent.wire.frames import Decoder, FrameError, encode

PATIENCE_S: Final = 30.0
"""As long as a worker has to be ready."""
BOOTSTRAP: Final = "import sys; sys.path.append(sys.argv[1]); from agent.host.trialworker import main; main()"


@attrs.frozen(kw_only=True)
class Trial:
    """What came of it: the hooks, or the sentence about what is wrong, with a traceback where there is one."""

    hooks: tuple[str, ...] = ()
    sentence: str = ""
    detail: str = ""


def try_service(order: Load, *, home: Path, patience_s: float = PATIENCE_S) -> Trial:
    """Load the script of a service in a process of its own. Blocks; never raises for what the script does."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ} | {"IA_HOME": str(home)}
    command = (sys.executable, "-I", "-X", "utf8", "-c", BOOTSTRAP, str(Path(agent.__file__).parent.parent))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home,
            env=environment,
            start_new_session=True,
            **account_for(home),
        )
    except OSError as error:
        return Trial(sentence=f"{order.script} could not be tried: no process could be started ({error.strerror})")
    try:
        said, printed = process.communicate(encode(order.frame()), timeout=patience_s)
    except subprocess.TimeoutExpired:
        return Trial(sentence=f"{order.script} was not loaded within {patience_s:g} s")
    finally:
        # With everything that it has started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return _verdict(said) or _ended(order, process.returncode, printed)


def _verdict(said: bytes) -> Trial | None:
    with contextlib.suppress(FrameError):
        for frame in Decoder().feed(said):
            message = from_worker(frame)
            if isinstance(message, Broken):
                return Trial(sentence=message.sentence, detail=message.detail)
            if isinstance(message, Ready):
                return Trial(hooks=message.hooks)
    return None


def _ended(order: Load, status: int, printed: bytes) -> Trial:
    how = f"status {status}" if status >= 0 else f"signal {-status}"
    last = [printable(line) for line in printed.decode("utf-8", "replace").strip().splitlines()[-1:]]
    return Trial(sentence=f"{order.script} ended its process while it was loaded ({'; '.join([how, *last])})")
