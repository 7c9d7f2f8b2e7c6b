"""The worker program: one service, in a process of its own, joined to the agent by two pipes.

Plain blocking Python, started by `agent.host.launch`. Frames come in on descriptor 3 and go out on 4; stdin is empty;
stdout and stderr are read by the agent. The main thread loads the script and then reads frames; each lane (`normal`,
`high`, `http`, and `life` for the hooks of the service's life) has its threads and its queue, so that a call never
waits for another lane. All `async` hooks run in one event loop, so that what `on_startup` opens there can be used by
`on_event`.

The worker does not outlive the agent: the end of descriptor 3 ends it at once, wherever its threads are, and on Linux
the kernel kills it should even the main thread not come round to reading.
"""

from __future__ import annotations

import sys

from agent import sdk
from agent.host.apart import live_apart
from agent.host.messages import Broken, EventCall, HttpCall, LifeCall, Load, LogLine, Ready, Told
from agent.host.pipes import FROM_AGENT_FD, TO_AGENT_FD, Link
from agent.host.prints import Prints
from agent.host.runner import Runner
from agent.host.script import ScriptError
from agent.sdk.context import event_in_hand
from agent.wire.frames import FrameError


def main() -> None:
    """Run until the agent says `Finish` or goes away."""
    live_apart(int(sys.argv[2]))
    # Whatever the service prints is seen when it is printed, not when four KiB have come together.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    link = Link(FROM_AGENT_FD, TO_AGENT_FD)
    sys.stdout = Prints(
        sys.stdout,
        say=lambda level, text, event_id: link.say(LogLine(level=level, text=text, event_id=event_id)),
        event_id=event_in_hand,
    )
    serve(link)


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
        if isinstance(message, EventCall | HttpCall | LifeCall):
            runner.lanes[message.lane].put(message)
        elif isinstance(message, Told):
            runner.questions.told(message)
        else:
            break
    runner.finish()
