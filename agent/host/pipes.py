"""The two pipes to the agent, in the worker process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Final

from agent.host.messages import FromAgent, Message
from agent.host.reading import from_agent
from agent.wire.frames import Decoder, encode

FROM_AGENT_FD: Final = 3
TO_AGENT_FD: Final = 4
READ_BYTES: Final = 64 * 1024
"""What a Linux pipe holds."""


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
