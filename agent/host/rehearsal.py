"""One event given to a service outside of an agent: what would it send? Nothing leaves, and nothing is stored.

The worker is the real one (`agent.host.worker`), in isolated mode and under the limits of the service, and is spoken to
as the agent does it. What it sends comes with its result and goes no further; what it asks is answered from what the
caller has, or refused. What the script does by itself (a file, a socket of its own) is done.

Blocking, for a command line; the agent itself has `agent.host.process`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

import agent
from agent.delivery import OutboundRequest
from agent.host.apart import account_for
from agent.host.launch import ENVIRONMENT
from agent.host.messages import (
    EVENT_HOOKS,
    Ask,
    Broken,
    EventCall,
    Finish,
    FromWorker,
    HttpCall,
    Load,
    LogLine,
    Message,
    Ready,
    Response,
    Result,
    Told,
    Verdict,
)
from agent.host.output import printable
from agent.host.process import DUMP_PATIENCE_S, MAX_STACK_LINES, START_PATIENCE_S
from agent.host.reading import from_worker
from agent.host.stacks import own_stacks, whereabouts
from agent.wire.frames import Decoder, FrameError, encode

FINISH_PATIENCE_S: Final = 10.0
"""For `on_shutdown`, as an agent that stops gives it some seconds."""
MAX_LINES: Final = 5000
"""Of what the service says. Who writes more has seen what is wrong."""
READ_BYTES: Final = 64 * 1024
STDERR: Final = "stderr"
"""The level of lines that did not come by `context.log` or `print` within a call."""

BOOTSTRAP: Final = (
    "import os, sys; os.dup2(0, 3); os.dup2(1, 4); os.dup2(os.open(os.devnull, os.O_RDONLY), 0); os.dup2(2, 1); "
    "sys.path.append(sys.argv[1]); from agent.host.worker import main; main()"
)
"""The worker has its pipes on 3 and 4; what it writes to stdout comes with stderr."""


@attrs.frozen(kw_only=True)
class Rehearsed:
    """What came of it. `trouble` and `detail` are set, and `result` is None, where the worker did not get so far.

    `asked` is what the hooks asked destinations; `said` are level and text of each line. `is_loaded`: `on_startup` has
    returned.
    """

    is_loaded: bool = False
    hooks: tuple[str, ...] = ()
    result: Result | None = None
    response: Response | None = None
    asked: tuple[OutboundRequest, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    trouble: str = ""
    detail: str = ""


def rehearse(
    order: Load,
    event: EventCall,
    request: HttpCall,
    *,
    answer: Callable[[Ask], Told],
    home: Path,
    hook_timeout_s: float,
) -> Rehearsed:
    """Give an event to a service as the agent does: to `on_http` first where there is one, as `request`, and to the
    others when that returns None. Blocks; never raises for what the service does."""
    try:
        worker = _Worker(order, home=home, answer=answer)
    except OSError as error:
        why = f"{(error.strerror or str(error)).lower()}; the owner of {home} must be able to run {sys.executable}"
        return Rehearsed(trouble=f"no worker process could be started: {why}")
    with worker:
        return worker.play(event, request, hook_timeout_s)


class _Over(Exception):
    """The worker will not answer: the sentence, and the detail, say why."""


class _Worker:
    """A worker process and the two streams that come from it."""

    def __init__(self, order: Load, *, home: Path, answer: Callable[[Ask], Told]) -> None:
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ} | {"IA_HOME": str(home)}
        package = str(Path(agent.__file__).parent.parent)
        command = (sys.executable, "-I", "-X", "utf8", "-c", BOOTSTRAP, package, str(os.getpid()), order.service)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home,
            env=environment,
            start_new_session=True,
            **account_for(home),
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._order = order
        self._answer = answer
        self._came: queue.Queue[FromWorker | FrameError | None] = queue.Queue()
        self._asked: list[OutboundRequest] = []
        self._said: list[tuple[str, str]] = []
        self._dump: list[str] | None = None
        self._threads = [
            threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._hear, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        # With everything that it has started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def play(self, event: EventCall, request: HttpCall, hook_timeout_s: float) -> Rehearsed:
        hooks: tuple[str, ...] = ()
        is_loaded = False
        result: Result | None = None
        try:
            self._say(self._order)
            ready = self._next(START_PATIENCE_S, "its worker was not ready")
            if isinstance(ready, Broken):
                return self._told(trouble=ready.sentence, detail=ready.detail)
            if not isinstance(ready, Ready):
                raise _Over("the worker began with something else than its handshake", "")
            hooks, is_loaded = ready.hooks, True
            if "on_http" in hooks:
                result = self._call(request, "on_http", hook_timeout_s)
            if result is None or (result.verdict is Verdict.DONE and result.response is None):
                name = " or ".join(hook for hook in EVENT_HOOKS if hook in hooks)
                result = self._call(event, name, hook_timeout_s) if name else result
            self._finish()
        except _Over as over:
            sentence, detail = over.args
            return self._told(is_loaded=is_loaded, hooks=hooks, trouble=sentence, detail=detail)
        return self._told(is_loaded=True, hooks=hooks, result=result, response=result.response if result else None)

    def _call(self, call: EventCall | HttpCall, name: str, timeout_s: float) -> Result:
        self._say(call)
        found = self._next(timeout_s, name)
        if not isinstance(found, Result):
            raise _Over(f"the worker answered with a {type(found).__name__}, expected a result", "")
        return found

    def _finish(self) -> None:
        """Let `on_shutdown` run; what is late there has no say in what became of the event."""
        self._say(Finish())
        with contextlib.suppress(_Over, subprocess.TimeoutExpired):
            self._process.wait(FINISH_PATIENCE_S)
            for thread in self._threads:
                thread.join(DUMP_PATIENCE_S)
            while (left := self._came.get_nowait() if not self._came.empty() else None) is not None:
                if isinstance(left, LogLine):
                    self._note(left.level, left.text)

    def _next(self, patience_s: float, what: str) -> FromWorker:
        """The next thing that is neither a line nor a question; those are noted and answered."""
        end_s = time.monotonic() + patience_s
        while True:
            try:
                message = self._came.get(timeout=max(0.0, end_s - time.monotonic()))
            except queue.Empty:
                raise self._late(what, patience_s) from None
            if message is None:
                raise self._ended()
            if isinstance(message, FrameError):
                raise _Over(f"the worker says what is not understood: {message.sentence}", "")
            if isinstance(message, LogLine):
                self._note(message.level, message.text)
            elif isinstance(message, Ask):
                self._asked.append(message.request)
                self._say(self._answer(message))
            else:
                return message

    def _late(self, what: str, patience_s: float) -> _Over:
        """Ask the interpreter where its threads are, as the agent does before it kills a worker."""
        self._dump = []
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGUSR1)
        time.sleep(DUMP_PATIENCE_S)
        lines, folder = list(self._dump), Path(self._order.script).parent
        took = "within" if "was not" in what else "took longer than"
        sentence = f"{what} {took} {patience_s:g} s{whereabouts(lines, folder)}"
        return _Over(sentence, "\n".join(own_stacks(lines, folder)))

    def _ended(self) -> _Over:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DUMP_PATIENCE_S)
        for thread in self._threads:
            thread.join(DUMP_PATIENCE_S)
        status = self._process.returncode or 0
        how = (
            f"was ended by signal {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        )
        last = [text for level, text in self._said if level == STDERR]
        return _Over(f"the worker process {how}", "\n".join(last[-40:]))

    def _say(self, message: Message) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(message.frame()))
            self._process.stdin.flush()
        except FrameError as error:
            raise _Over(error.sentence, "") from error
        except OSError:
            raise self._ended() from None

    def _note(self, level: str, text: str) -> None:
        if len(self._said) < MAX_LINES:
            self._said.append((level, printable(text)))

    def _told(
        self,
        *,
        is_loaded: bool = False,
        hooks: tuple[str, ...] = (),
        result: Result | None = None,
        response: Response | None = None,
        trouble: str = "",
        detail: str = "",
    ) -> Rehearsed:
        return Rehearsed(
            is_loaded=is_loaded,
            hooks=hooks,
            result=result,
            response=response,
            asked=tuple(self._asked),
            said=tuple(self._said),
            trouble=printable(trouble),
            detail=detail,
        )

    def _read(self, stream: BinaryIO) -> None:
        decoder = Decoder()
        try:
            for data in _pieces(stream):
                for frame in decoder.feed(data):
                    self._came.put(from_worker(frame))
        except FrameError as error:
            self._came.put(error)
        self._came.put(None)

    def _hear(self, stream: BinaryIO) -> None:
        with contextlib.suppress(ValueError, OSError):
            while line := stream.readline(READ_BYTES):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                if self._dump is None:
                    self._note(STDERR, text)
                elif len(self._dump) < MAX_STACK_LINES:
                    self._dump.append(text)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with contextlib.suppress(ValueError, OSError):
        while data := os.read(stream.fileno(), READ_BYTES):
            yield data
