"""Protocol rules without a network: bytes in, facts or answers out.

`route` says which service a URL names, `head` whether a request's head can be trusted, `marks` what its sender says
about the event, `content` what is inside its body, `accept` in which form the sender wants its answer, `answer` renders
that answer; `refusal` has the sentences. `auth` says who a request is from, `guessing` who has to wait before trying
again. `sniff` tells from the first bytes what is spoken, `hello` reads what a TLS client asked for, `keyshare` what its
handshake will cost, `records` where TLS records end. `misuse` is the record of a connection that went wrong,
`strangers` its sentence. `reply` reads the answers of HTTP servers, `challenge` answers their questions for a password.
`frames` is the language between the agent and its worker processes.
"""

from agent.wire.accept import wants_xml
from agent.wire.answer import Answers, Persistence
from agent.wire.content import charset_of, open_inflater
from agent.wire.head import Head, read_head
from agent.wire.route import Route, Routes, inactive_service
from agent.wire.sniff import Tongue, recognise

__all__ = [
    "Answers",
    "Head",
    "Persistence",
    "Route",
    "Routes",
    "Tongue",
    "charset_of",
    "inactive_service",
    "open_inflater",
    "read_head",
    "recognise",
    "wants_xml",
]
