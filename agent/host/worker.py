"""The worker program: one service, in a process of its own, joined to the agent by two pipes.

Plain blocking Python, started by `agent.host.launch`. Frames come in on descriptor 3 and go out on 4; stdin is empty;
stdout and stderr are read by the agent. The main thread loads the script and then reads frames; each lane (`normal`,
`high`, `http`) has its threads and one queue, so that a call never waits for another lane. All `async` hooks run in
one event loop, so that what `on_startup` opens there can be used by `on_event`.

The worker does not outlive the agent: the end of descriptor 3 ends it at once, wherever its threads are, and on Linux
the kernel kills it should even the main thread not come round to reading (`PR_SET_PDEATHSIG`).
"""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import logging
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

from agent import sdk
from agent.host.messages import (
    Broken,
    EventCall,
    FromAgent,
    HttpCall,
    Load,
    LogLine,
    Message,
    Ready,
    Response,
    Result,
    Verdict,
    from_agent,
)
from agent.host.script import ScriptError, format_traceback, load, summary, where
from agent.sdk.context import Surroundings, calling, settle_in
from agent.wire.frames import Decoder, FrameError, encode

FROM_AGENT_FD: Final = 3
TO_AGENT_FD: Final = 4
READ_BYTES: Final = 64 * 1024
"""What a Linux pipe holds."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def main() -> None:
    """Run until the agent says `Finish` or goes away."""
    agent_pid = int(sys.argv[2])
    _live_apart()
    _die_with(agent_pid)
    _dump_stacks_on_request()
    # Whatever the service prints is seen when it is printed, not when four KiB have come together.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    serve(Link(FROM_AGENT_FD, TO_AGENT_FD))


def serve(link: Link) -> None:
    """The conversation with the agent, from `Load` to `Finish`."""
    said = link.messages()
    order = next(said)
    if not isinstance(order, Load):
        raise FrameError("the agent began with something else than Load")
    runner = Runner(order, link)
    try:
        runner.load()
    except ScriptError as error:
        link.say(Broken(sentence=error.sentence, detail=error.detail))
        return
    link.say(Ready(hooks=tuple(runner.hooks), sdk=sdk.SDK_VERSION))
    for message in said:
        if isinstance(message, EventCall | HttpCall):
            runner.lanes[message.lane].put(message)
        else:
            break
    runner.finish()


class Link:
    """The two pipes. Reading belongs to the main thread, writing to all."""

    def __init__(self, from_agent_fd: int, to_agent_fd: int) -> None:
        self._in = from_agent_fd
        self._out = to_agent_fd
        self._writing = threading.Lock()
        for fd in (from_agent_fd, to_agent_fd):
            # Programs that the service starts must not hold the pipes open when the worker is gone.
            os.set_inheritable(fd, False)

    def messages(self) -> Iterator[FromAgent]:
        """What the agent says. When the agent is gone, this process ends here, without another word."""
        decoder = Decoder()
        while data := os.read(self._in, READ_BYTES):
            for frame in decoder.feed(data):
                yield from_agent(frame)
        os._exit(0)

    def say(self, message: Message) -> None:
        """Tell the agent; returns when the pipe has taken it. Raises `FrameError` for what is over the limits."""
        data = memoryview(encode(message.frame()))
        try:
            with self._writing:
                while data:
                    data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            os._exit(0)


class Runner:
    """The loaded service and its threads."""

    def __init__(self, order: Load, link: Link) -> None:
        self.hooks: Mapping[str, Callable[..., Any]] = {}
        self.lanes: Final[Mapping[str, queue.SimpleQueue[EventCall | HttpCall]]] = {
            lane: queue.SimpleQueue() for lane in order.threads
        }
        self._order = order
        self._link = link
        self._path = Path(order.script)
        self._loop = Loop()

    def load(self) -> None:
        """Load the script, run `on_startup`, start the threads. Raises `ScriptError`."""
        order = self._order
        settle_in(
            Surroundings(
                service=order.service,
                agent_id=order.agent_id,
                constants=MappingProxyType(dict(order.constants)),
                destination=order.destination,
                destinations=frozenset(order.destinations),
                log=self._log,
            )
        )
        logging.basicConfig(handlers=[_ToContext()], level=logging.INFO, format="%(name)s: %(message)s")
        self.hooks = load(self._path)
        self._run_once("on_startup")
        for lane, count in order.threads.items():
            if lane == "http" and "on_http" not in self.hooks:
                continue
            for number in range(1, count + 1):
                # Daemons: a hook that never returns must not keep the process from ending.
                threading.Thread(
                    target=self._work, args=(self.lanes[lane],), name=f"{lane}-{number}", daemon=True
                ).start()

    def finish(self) -> None:
        """Run `on_shutdown`. What it raises is logged; there is nobody else to tell."""
        try:
            self._run_once("on_shutdown")
        except ScriptError as error:
            self._log("error", f"{error.sentence}\n{error.detail}", "")

    def _run_once(self, name: str) -> None:
        hook = self.hooks.get(name)
        if hook is None:
            return
        try:
            with calling(may_send=False):
                self._loop.finished(hook())
        except BaseException as error:
            sentence = f"{where(error, self._path)}: {name} raised {summary(error)}"
            raise ScriptError(sentence, format_traceback(error)) from error

    def _work(self, lane: queue.SimpleQueue[EventCall | HttpCall]) -> NoReturn:
        while True:
            result = self.run(lane.get())
            try:
                self._link.say(result)
            except FrameError as error:
                reason = f"what the hook sent is too much to be taken in one piece: {error.sentence}"
                self._link.say(Result(call=result.call, verdict=Verdict.REJECT, reason=reason))

    def run(self, call: EventCall | HttpCall) -> Result:
        """Call the hook; whatever it does, short of ending the process, becomes a result."""
        name = "on_event" if isinstance(call, EventCall) else "on_http"
        with calling(event_id=call.id) as collected:
            try:
                hook = self.hooks.get(name)
                if hook is None:
                    raise sdk.RejectEvent(f"the service defines no {name}")
                returned = self._loop.finished(hook(_argument(call, self._order.service)))
                response = None if isinstance(call, EventCall) else _response(returned)
            except sdk.RetryableError as error:
                return Result(call=call.call, verdict=Verdict.RETRY, reason=error.reason, after_s=error.after_s)
            except sdk.RejectEvent as error:
                return Result(call=call.call, verdict=Verdict.REJECT, reason=error.reason)
            except BaseException as error:
                # SystemExit, too: sys.exit() in a hook means that the hook is at its end, not the service.
                reason = f"{name} raised {summary(error)} ({where(error, self._path)})"
                detail = format_traceback(error)
                return Result(call=call.call, verdict=Verdict.ERROR, reason=reason, detail=detail)
        return Result(call=call.call, verdict=Verdict.DONE, requests=tuple(collected.requests), response=response)

    def _log(self, level: str, text: str, event_id: str) -> None:
        for line in text.splitlines()[:100]:
            self._link.say(LogLine(level=level, text=line[:2000], event_id=event_id))


class Loop:
    """The event loop of all `async` hooks, in a thread of its own; it starts with the first of them."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._submit: Callable[[Coroutine[Any, Any, Any]], Future[Any]] | None = None

    def finished(self, returned: Any) -> Any:
        """Return what the hook returned, or, where that is awaitable, wait for its result."""
        if not inspect.isawaitable(returned):
            return returned
        with self._starting:
            submit = self._submit = self._submit or self._start()
        # The coroutine runs in a copy of this thread's context, so `agent.sdk.context` means the same call there.
        return submit(_awaiting(returned)).result()

    def _start(self) -> Callable[[Coroutine[Any, Any, Any]], Future[Any]]:
        # Here and not above: it takes longer to import than all the rest, and most services have plain hooks.
        import asyncio

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="async", daemon=True).start()
        return lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class _ToContext(logging.Handler):
    """Python's own `logging`, which libraries use, goes the way of `context.log`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            log = sdk.context.log
            write = {"ERROR": log.error, "CRITICAL": log.error, "WARNING": log.warning, "INFO": log.info}
            write.get(record.levelname, log.debug)("%s", text)
        except Exception:
            self.handleError(record)


def _argument(call: EventCall | HttpCall, service: str) -> sdk.Event | sdk.HttpRequest:
    if isinstance(call, EventCall):
        return sdk.Event(
            id=call.id,
            service=service,
            received=EPOCH + timedelta(microseconds=call.received_us),
            body=call.body,
            kind=call.event_kind,
            attempt=call.attempt,
            priority=call.lane,
            group=call.group,
            path=call.path,
            query=call.query,
            content_type=call.content_type,
            charset=call.charset,
            peer=call.peer,
        )
    return sdk.HttpRequest(
        id=call.id,
        service=service,
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        charset=call.charset,
        peer=call.peer,
    )


def _response(returned: Any) -> Response | None:
    if returned is None:
        return None
    if not isinstance(returned, sdk.HttpResponse):
        raise TypeError(f"on_http returned a {type(returned).__name__}, expected an HttpResponse or None")
    headers = {"Content-Type": returned.content_type, **returned.headers} if returned.body else returned.headers
    return Response(status=returned.status, headers=tuple(headers.items()), body=returned.body)


def _live_apart() -> None:
    """Own session, so that Ctrl-C at the agent's terminal does not reach the hooks and that the agent can kill
    everything the service starts as one group; nothing open but the five descriptors; no core file, which would hold
    the events."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.closerange(TO_AGENT_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(agent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != agent_pid:
        # It died before we asked to be told.
        os._exit(0)


def _dump_stacks_on_request() -> None:
    """A crash in C code leaves a Python traceback in the log, and before the agent kills a worker whose hook overran
    its time, it asks where the threads are (SIGUSR1): that line is what the service's author needs."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
