"""One worker process, from its launch to its end: handshake, calls in hand, deadlines, its last words.

    launched --Ready--> ready --Finish--> finishing
        |                 |                   |
        `-----------------+-------------------+----> (doomed ->) gone

A worker is **doomed** when it broke a rule: it was not ready in time, a hook overran its time, it sent nonsense. It is
then asked where its threads are (SIGUSR1, answered on stderr by the interpreter itself, even when the hook never gives
way), and killed a moment later; results that still arrive in between count. Whatever the road, the owner hears exactly
one `gone`, last of all, with what was in hand.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from agent.boundaries import Asking
from agent.errors import ServiceError
from agent.host.errands import Errands
from agent.host.launch import Launcher, WorkerLink
from agent.host.messages import (
    EVENT_HOOKS,
    Ask,
    Broken,
    Call,
    EventCall,
    Finish,
    FromWorker,
    LifeCall,
    Load,
    LogLine,
    Ready,
    Result,
    Told,
)
from agent.host.output import Allowance, LineReader, printable
from agent.host.prints import PRINTED
from agent.host.reading import from_worker
from agent.host.stacks import own_stacks, whereabouts
from agent.sdk import SDK_VERSION
from agent.wire.frames import Decoder, FrameError, encode

START_PATIENCE_S: Final = 30.0
"""From launch to `Ready`: an interpreter takes a tenth of a second, a script that imports pandas some seconds, an
`on_startup` that opens a database a few more."""

DUMP_PATIENCE_S: Final = 0.25
"""From SIGUSR1 to SIGKILL. The interpreter writes its stacks within milliseconds."""

LAST_LINES: Final = 40
"""Of stderr, kept for the reason of a failure: a traceback, or the stacks of a few threads."""

MAX_STACK_LINES: Final = 1000
"""Of all threads' stacks, to look for the service's own lines in."""


@attrs.frozen(kw_only=True)
class Gone:
    """How a worker ended. `overran` is the call that took too long, `in_hand` the others that had no result yet.

    `sentence` says what happened, `detail` holds the last lines of stderr. `was_ready`: the handshake had succeeded.
    """

    sentence: str
    detail: str
    was_ready: bool
    in_hand: Sequence[Call] = ()
    overran: Call | None = None


class Owner(Protocol):
    """Who is told what a worker does."""

    def ready(self, ready: Ready) -> None:
        """The handshake succeeded: calls may be made."""

    def ended(self, call: Call, result: Result, begun_us: int) -> None:
        """A call has its result."""

    def said(self, level: str, text: str, event_id: str) -> None:
        """A line for the log, printable and within the allowance."""

    def gone(self, gone: Gone) -> None:
        """The process has ended. Nothing more will come."""


@attrs.frozen(kw_only=True)
class _InHand:
    call: Call
    deadline_s: float
    begun_us: int


class Worker:
    """One worker process. Times are seconds of the reactor's clock."""

    def __init__(
        self,
        *,
        load: Load,
        hook_timeout_s: float,
        owner: Owner,
        reactor: IReactorTime,
        asking: Asking | None = None,
    ) -> None:
        self._load = load
        self._hook_timeout_s = hook_timeout_s
        self._owner = owner
        self._reactor = reactor
        self._decoder: Decoder | None = Decoder()
        # One each, so that a flood of prints hides neither a traceback nor what the service logs.
        self._allowance = Allowance()
        self._stdout = LineReader(allowance=Allowance())
        self._stderr = LineReader(allowance=Allowance())
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        # In order of their deadlines, which are the same time after the beginning for all.
        self._in_hand: dict[int, _InHand] = {}
        self._overran: _InHand | None = None
        self._errands = Errands(asking=asking)
        self._link: WorkerLink | None = None
        self._timer: IDelayedCall | None = None
        self._broken: Broken | None = None
        self._doom = ""
        self._stacks: deque[str] = deque(maxlen=MAX_STACK_LINES)
        self.is_ready = False
        self._hooks: tuple[str, ...] = ()
        self._is_finishing = False

    @property
    def pid(self) -> int:
        return self._link.pid if self._link is not None else 0

    @property
    def in_hand(self) -> int:
        """Calls without a result."""
        return len(self._in_hand)

    @property
    def last_lines(self) -> Sequence[str]:
        """The newest lines of stderr."""
        return tuple(self._last_lines)

    @property
    def takes_calls(self) -> bool:
        """Whether `call` may be used."""
        return self.is_ready and not self._is_finishing and not self._doom

    def start(self, launcher: Launcher) -> None:
        """Launch the process and begin the handshake. Raises `MachineError`."""
        self._link = launcher.launch(self._load.service, self)
        self._link.write(encode(self._load.frame()))
        self._arm(START_PATIENCE_S, self._late)

    def call(self, call: Call, begun_us: int) -> None:
        """Have a hook called. Raises `FrameError`, with nothing sent, for a call that is over the limits."""
        data = encode(call.frame())
        deadline_s = self._reactor.seconds() + self._hook_timeout_s
        self._in_hand[call.call] = _InHand(call=call, deadline_s=deadline_s, begun_us=begun_us)
        self._to_link().write(data)
        if self._timer is None:
            self._arm(self._hook_timeout_s, self._check_deadlines)

    def finish(self, patience_s: float) -> None:
        """Let `on_shutdown` run and the process end, for at most `patience_s`; calls in hand are cut off."""
        self._is_finishing = True
        self._to_link().write(encode(Finish().frame()))
        self._to_link().close()
        self._arm(patience_s, self._terminate)

    def kill(self) -> None:
        """End the process now."""
        self._disarm()
        self._to_link().signal(signal.SIGKILL)

    def received(self, data: bytes) -> None:
        if self._decoder is None:
            return
        try:
            for frame in self._decoder.feed(data):
                self._take(from_worker(frame))
        except FrameError as error:
            self._decoder = None
            self._condemn(f"sent what is no message: {error.sentence}")

    def printed(self, data: bytes, *, is_stderr: bool) -> None:
        now_s = self._reactor.seconds()
        reader = self._stderr if is_stderr else self._stdout
        for line in reader.feed(data, now_s):
            self._print(line, is_stderr=is_stderr)
        self._report_dropped(reader.allowance, now_s)

    def exited(self, how: str) -> None:
        self._disarm()
        self._errands.drop_all()
        now_s = self._reactor.seconds()
        for line in self._stdout.end(now_s):
            self._print(line, is_stderr=False)
        for line in self._stderr.end(now_s):
            self._print(line, is_stderr=True)
        folder = PurePath(self._load.script).parent
        stacks = own_stacks(self._stacks, folder) or tuple(self._stacks)
        detail = "\n".join([*self._last_lines, *stacks[-LAST_LINES:]])
        if self._broken is not None:
            sentence, detail = self._broken.sentence, self._broken.detail or detail
        else:
            where = whereabouts(self._stacks, folder)
            sentence = f"{self._doom}{where}" if self._doom else f"the worker process {how}"
        gone = Gone(
            sentence=printable(sentence),
            detail=detail,
            was_ready=self.is_ready,
            in_hand=[hand.call for hand in self._in_hand.values()],
            overran=self._overran.call if self._overran is not None else None,
        )
        self._in_hand = {}
        self._owner.gone(gone)

    def _take(self, message: FromWorker) -> None:
        if isinstance(message, Result):
            hand = self._in_hand.pop(message.call, None)
            self._errands.ended(message.call)
            if hand is not None:
                self._owner.ended(hand.call, message, hand.begun_us)
            elif self._overran is None or self._overran.call.call != message.call:
                raise FrameError(f"a result for call {message.call}, which is not in hand")
        elif isinstance(message, Ask):
            asker = self._in_hand.get(message.call)
            # Without one the call has its result: a thread that it left behind has asked.
            if asker is not None:
                left_s = asker.deadline_s - self._reactor.seconds()
                self._errands.ask(message, event_id=asker.call.id, left_s=left_s, reply=self._reply)
        elif isinstance(message, LogLine):
            now_s = self._reactor.seconds()
            allowance = self._stdout.allowance if message.level == PRINTED else self._allowance
            if allowance.take(now_s):
                self._owner.said(message.level, printable(message.text), printable(message.event_id[:64]))
            self._report_dropped(allowance, now_s)
        elif self.is_ready or self._broken is not None:
            raise FrameError("a second handshake")
        elif isinstance(message, Ready):
            if message.sdk != SDK_VERSION:
                # Agent and worker are one installation; it was replaced while the agent ran.
                self._condemn(
                    f"its worker has sdk version {message.sdk[:20]}, the agent {SDK_VERSION}: restart the agent, whose "
                    "installation has changed"
                )
            if not self._doom:
                self.is_ready = True
                self._hooks = message.hooks
                self._disarm()
                self._owner.ready(message)
        else:
            # The process ends by itself now; the timer of the handshake sees to it that it does.
            self._broken = message

    def _reply(self, told: Told) -> None:
        try:
            data = encode(told.frame())
        except FrameError as error:
            data = encode(Told(number=told.number, trouble=error.sentence, may_pass=False).frame())
        self._to_link().write(data)

    def _print(self, line: str, *, is_stderr: bool) -> None:
        if is_stderr and self._doom:
            # Where its threads are, asked for by us: one sentence is made of it, and what stands in the service's own
            # files is kept; the rest is for those who debug.
            self._stacks.append(line)
            self._owner.said("debug", line, "")
        else:
            if is_stderr:
                self._last_lines.append(line)
            self._owner.said("warn" if is_stderr else "info", line, "")

    def _report_dropped(self, allowance: Allowance, now_s: float) -> None:
        dropped = allowance.report_dropped(now_s)
        if dropped:
            self._owner.said("warn", f"[{dropped} lines dropped: the service writes more than the log takes]", "")

    def _late(self) -> None:
        self._condemn(f"was not ready within {START_PATIENCE_S:g} s of its start")

    def _check_deadlines(self) -> None:
        self._timer = None
        first = next(iter(self._in_hand.values()), None)
        if first is None:
            return
        left_s = first.deadline_s - self._reactor.seconds()
        if left_s > 0:
            # One timer for all calls, set again when it turns out to be early: most calls end long before.
            self._arm(left_s, self._check_deadlines)
            return
        self._overran = self._in_hand.pop(first.call.call)
        self._condemn(f"{self._named(first.call)} took longer than {self._hook_timeout_s:g} s")

    def _named(self, call: Call) -> str:
        """The hook that a call is for; where it may be several, the stacks of its threads tell which."""
        if isinstance(call, EventCall):
            meant = [hook for hook in EVENT_HOOKS if hook in self._hooks]
            return meant[0] if len(meant) == 1 else "a hook" if meant else EVENT_HOOKS[0]
        return call.hook if isinstance(call, LifeCall) else "on_http"

    def _condemn(self, sentence: str) -> None:
        if self._doom:
            return
        self._doom = sentence
        # What the service wrote before must not use up the room of the answer.
        self._stderr.allowance = Allowance()
        self._to_link().signal(signal.SIGUSR1)
        self._arm(DUMP_PATIENCE_S, self.kill)

    def _terminate(self) -> None:
        self._to_link().signal(signal.SIGTERM)
        self._arm(DUMP_PATIENCE_S, self.kill)

    def _arm(self, delay_s: float, action: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._reactor.callLater(delay_s, action)

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _to_link(self) -> WorkerLink:
        if self._link is None:
            raise ServiceError("worker-not-started", "the worker was not started")
        return self._link
