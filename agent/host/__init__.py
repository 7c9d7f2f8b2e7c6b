"""Running services: each active one in a worker process of its own, fed with events, timed, killed and restarted.

On both ends of the pipes (no Twisted, so that a worker starts fast):

* `messages`  what agent and worker say to one another, as frozen records; `reading` checks what came
* `bootclock` the clock that both look at

In the agent:

* `host`      all services: the part that assembly starts and the gateway asks
* `anteroom`  stands in for it while it is being loaded
* `firsttries` when each service is ready or has failed once
* `service`   one service through all its workers: what is begun, who is blamed, when to start again
* `backlog`   its events that wait, `asks` the senders that wait, `record` what became of them on its way to the disk
* `hand`      the events in a worker's hand; `verdict` what becomes of each, `account` what is told of it
* `errands`   what its hooks ask destinations; `questions` has both ends
* `counted`   what its deduplication filters have counted
* `suspension` the operator holds it back and lets it go; `quiet` waits until nothing is in hand
* `state`     its states; `restarts` when a worker is started again; `telling` what the log hears of it
* `orders`    what a worker is told; `edges` what all services share
* `process`   one worker process from its launch to its end: handshake, calls in hand, deadlines
* `launch`    the boundary to the operating system; `inlet` the way into a worker's pipe
* `output`    what a service prints, cut to lines and to a bearable rate

In the worker process:

* `worker`    the program; `apart` what it does to itself first, `pipes` its ends of the pipes
* `roads`     which hook an event is for, and what is made of what it returns
* `runner`    the loaded service: calls its hooks, in the threads of `lanes` and the event `loop`
* `arguments` what hooks are called with and return
* `recall`    what the deduplication filters remember
* `script`    loads the service's file, finds its hooks, and says where a fault stands in it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.host.host import WorkerHost

__all__ = ["WorkerHost"]


def __getattr__(name: str) -> Any:
    """Import on first use (PEP 562): the worker process imports this package, too, and must not load Twisted."""
    if name == "WorkerHost":
        from agent.host.host import WorkerHost

        return WorkerHost
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
