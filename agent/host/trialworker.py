"""The program of a trial: loads one service's script as a worker does, and says what came of it. No hook is called.

It is told what to load on standard input, and answers on what was its standard output; what the script prints goes to
standard error. Plain blocking Python, as `agent.host.worker`.
"""

from __future__ import annotations

import os

from agent import sdk
from agent.host.messages import Broken, Load, Ready
from agent.host.pipes import Link
from agent.host.runner import Runner
from agent.host.script import ScriptError
from agent.wire.frames import FrameError


class Untouched(Runner):
    """A runner whose service is looked at only."""

    def _run_once(self, name: str) -> None:
        pass


def main() -> None:
    """Load, answer, and end at once, whatever threads the script has begun."""
    answers = os.dup(1)
    os.dup2(2, 1)
    link = Link(0, answers)
    order = next(link.messages())
    if not isinstance(order, Load):
        raise FrameError("the agent began with something else than Load")
    runner = Untouched(order, link)
    try:
        runner.load()
        link.say(Ready(hooks=tuple(runner.hooks), sdk=sdk.SDK_VERSION))
    except ScriptError as error:
        link.say(Broken(sentence=error.sentence, detail=error.detail))
    os._exit(0)
