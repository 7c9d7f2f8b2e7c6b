"""The loaded service in its worker process: its hooks, its threads, and a result for each call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs

from agent import sdk
from agent.event import BodyKind
from agent.event.apxml import Token, TokenType
from agent.host.apart import hold_to
from agent.host.arguments import argument, response
from agent.host.lanes import Lane, share
from agent.host.loop import Loop
from agent.host.messages import Call, EventCall, HttpCall, LifeCall, Load, LogLine, Result, Verdict
from agent.host.pipes import Link
from agent.host.questions import Questions
from agent.host.recall import Recall, suppressed
from agent.host.roads import Roads
from agent.host.script import ScriptError, format_traceback, load, summary, where
from agent.sdk.context import Surroundings, call_in_hand, calling, settle_in
from agent.sdk.dedup import describe, key_of
from agent.sdk.failures import WrongReturn
from agent.sdk.xmio import WEB_SERVICE_URL, place_of
from agent.secret import Secret
from agent.wire.frames import FrameError

LIFE: Final = "life"
"""The lane of hooks that no event has asked for. `on_interrupt` must not wait behind those it interrupts."""


class Runner:
    """The loaded service and its threads."""

    def __init__(self, order: Load, link: Link) -> None:
        self.hooks: Mapping[str, Callable[..., Any]] = {}
        self.lanes: dict[str, Lane] = {}
        self._order = order
        self._link = link
        self._path = Path(order.script)
        self._loop = Loop()
        self.questions: Final = Questions(link)
        self._recalls: Final = {
            each.name: Recall(each, [(key, at_s) for name, key, at_s in order.counted if name == each.name])
            for each in order.filters
        }
        self._declared = self._recalls.get(order.dedup_filter)
        self._told: Final[set[str]] = set()
        self._roads = Roads({}, settings={}, finished=self._loop.finished)
        self._constants: Final = [
            (Token(each.key, each.value, TokenType(each.kind)), each.is_overwriting) for each in order.secrets
        ]

    def load(self) -> None:
        """Load the script, run `on_startup`, start the threads. Raises `ScriptError`."""
        order = self._order
        hold_to(order.limits)
        settle_in(
            Surroundings(
                service=order.service,
                agent_id=order.agent_id,
                constants=MappingProxyType(dict(order.constants)),
                secrets=MappingProxyType({each.name: Secret(each.value) for each in order.secrets}),
                destination=order.destination,
                destinations=frozenset(order.destinations),
                urls=MappingProxyType(dict(order.urls)),
                platform=MappingProxyType(dict(order.platform)),
                filters=MappingProxyType(self._recalls),
                is_debug=order.is_debug,
                log=self._log,
                ask=self.questions.ask,
            )
        )
        logging.basicConfig(handlers=[_ToContext()], level=logging.INFO, format="%(name)s: %(message)s")
        self.hooks, settings = load(self._path)
        self._settle(settings)
        self._run_once("on_startup")
        names = [name for name in order.threads if name != "http" or "on_http" in self.hooks]
        for name, kept in share(order.kept_threads, order.threads, names).items():
            self.lanes[name] = Lane(name=name, most=order.threads[name], kept=kept, work=self._work)
            self.lanes[name].start()
        self.lanes[LIFE] = Lane(name=LIFE, most=1, kept=0, work=self._work)

    def _settle(self, settings: Mapping[str, Any]) -> None:
        """Take note of what the script's globals say. Raises `ScriptError`."""
        url = settings.get(WEB_SERVICE_URL, "")
        try:
            if not isinstance(url, str):
                raise TypeError(f"WEB_SERVICE_URL is {url!r:.80}, expected a text")
            self._roads = Roads(self.hooks, settings=settings, finished=self._loop.finished, collected=call_in_hand)
        except (TypeError, ValueError) as error:
            raise ScriptError(f"{self._path}: {error}") from error
        if url:
            settle_in(attrs.evolve(sdk.context._surroundings, settings={WEB_SERVICE_URL: url}))
        try:
            place_of(sdk.context, None)
        except ValueError as error:
            if url:
                raise ScriptError(f"{self._path}: WEB_SERVICE_URL: {error}") from error
            # A constant may be there for another purpose.
            self._log("warn", f"the constant {WEB_SERVICE_URL}: {error}", "")

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
                returned = self._loop.finished(hook())
        except BaseException as error:
            sentence = f"{where(error, self._path)}: {name} raised {summary(error)}"
            raise ScriptError(sentence, format_traceback(error)) from error
        if returned is False:
            raise ScriptError(f"{self._path}: {name} returned False, which says that it failed; raise what is wrong")

    def _live(self, call: LifeCall) -> None:
        """Call a hook of the service's life."""
        try:
            self._run_once(call.hook)
        except ScriptError as error:
            self._say(Result(call=call.call, verdict=Verdict.ERROR, reason=error.sentence, detail=error.detail))
        else:
            self._say(Result(call=call.call, verdict=Verdict.DONE))

    def _work(self, call: Call) -> None:
        """Make one call, say what came of it, and remember what filters counted once the agent has taken it."""
        if isinstance(call, LifeCall):
            self._live(call)
            return
        subject = argument(call, self._order.service, self._constants)
        with self._held_apart(subject) as (key, suppressed):
            if suppressed:
                self._say(Result(call=call.call, verdict=Verdict.SUPPRESS, reason=suppressed))
                return
            result = self.run(call, subject)
            if key is not None and self._declared is not None and result.verdict is Verdict.DONE:
                result = attrs.evolve(result, remembered=(*result.remembered, (self._declared.name, key)))
            if self._say(result):
                for name, counted in result.remembered:
                    self._recalls[name].remember(counted)

    def run(self, call: EventCall | HttpCall, subject: sdk.Event | sdk.HttpRequest) -> Result:
        """Call the hook; whatever it does, short of ending the process, becomes a result."""
        name = "on_http" if isinstance(call, HttpCall) else "on_event"
        told = None
        with calling(event_id=call.id, number=call.call) as collected:
            try:
                if isinstance(subject, sdk.HttpRequest):
                    told = response(self._loop.finished(self._hook("on_http")(subject)))
                else:
                    road = self._roads.find(subject)
                    name = road.hook
                    if road.hook:
                        road.then(self._loop.finished(self.hooks[road.hook](road.argument)))
                    else:
                        sdk.context.log.warning("%s", road.nobody)
            except sdk.RetryableError as error:
                return Result(call=call.call, verdict=Verdict.RETRY, reason=error.reason, after_s=error.after_s)
            except sdk.RejectEvent as error:
                return Result(call=call.call, verdict=Verdict.REJECT, reason=error.reason)
            except WrongReturn as error:
                return Result(call=call.call, verdict=Verdict.ERROR, reason=f"{error} ({self._path})")
            except BaseException as error:
                # SystemExit, too: sys.exit() in a hook means that the hook is at its end, not the service.
                reason = f"{name} raised {summary(error)} ({where(error, self._path)})"
                detail = format_traceback(error)
                return Result(call=call.call, verdict=Verdict.ERROR, reason=reason, detail=detail)
        return Result(
            call=call.call,
            verdict=Verdict.DONE,
            requests=tuple(collected.requests),
            response=told,
            remembered=tuple(dict.fromkeys(collected.remembered)),
        )

    def _hook(self, name: str) -> Callable[..., Any]:
        hook = self.hooks.get(name)
        if hook is None:
            raise sdk.RejectEvent(f"the service defines no {name}")
        return hook

    @contextmanager
    def _held_apart(self, subject: sdk.Event | sdk.HttpRequest) -> Iterator[tuple[str | None, str]]:
        """Hold an event against the declared filter: its key, None where it does not count; why it is suppressed."""
        declared = self._declared
        if declared is None or not isinstance(subject, sdk.Event) or self._is_platforms(subject):
            yield None, ""
            return
        key = key_of(declared.predicates, subject)
        if key is None:
            self._tell_once(f"the filter {declared.name} finds not all of {', '.join(declared.predicates)}", subject.id)
            yield None, ""
            return
        with declared.alone(key):
            told = ""
            if declared.knows(key):
                told = suppressed(
                    describe(declared.predicates, subject),
                    service=self._order.service,
                    name=declared.name,
                    is_message=subject.kind == BodyKind.APXML,
                )
            yield key, told

    def _is_platforms(self, event: sdk.Event) -> bool:
        """News are no repetitions: that two deliveries went to one device must not hold back the second."""
        try:
            return self._roads.is_platforms(event)
        except sdk.RejectEvent:
            # It is told when the hook is to be called.
            return True

    def _tell_once(self, what: str, event_id: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._log("warn", f"{what} in this event: such events are never held to be duplicates", event_id)

    def _say(self, result: Result) -> bool:
        try:
            self._link.say(result)
        except FrameError as error:
            reason = f"what the hook sent is too much to be taken in one piece: {error.sentence}"
            self._link.say(Result(call=result.call, verdict=Verdict.REJECT, reason=reason))
            return False
        return True

    def _log(self, level: str, text: str, event_id: str) -> None:
        for line in text.splitlines()[:100]:
            self._link.say(LogLine(level=level, text=line[:2000], event_id=event_id))


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
