"""Events, and the hardened readers that make them out of untrusted bytes.

`Event` is frozen and complete: whoever holds one need not check it again.
"""

from agent.event.model import DEFAULT_GROUP, BodyKind, Event, Priority

__all__ = ["DEFAULT_GROUP", "BodyKind", "Event", "Priority"]
