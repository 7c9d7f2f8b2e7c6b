"""The way out: what services send leaves through here.

`Courier` works off the spool's requests, one `Lane` per destination. A lane gives each request to its `Sender`
(`outbox` or `http`), settles what came of it, and decides with `agent.delivery.retry` when to try again.

`verdict` reads what an answer means, `faults` what a failed connection means, `exchange` how far it had come, and
`trust` checks the far end's certificate.
"""

from agent.upstream.courier import Courier
from agent.upstream.paused import PausedBook
from agent.upstream.sender import Refusal, Sender

__all__ = ["Courier", "PausedBook", "Refusal", "Sender"]
