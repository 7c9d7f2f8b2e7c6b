"""The service gateway: bytes of senders in, events into the sink, answers out.

The way of a request, and who has it in hand:

1. `port.ServiceGateway` listens, limits the connections and sweeps over their deadlines twice a second.
2. `connection.Connection` feeds llhttp (httptools), holds the senders to their limits and keeps the answers in order.
3. `reception.Reception` routes the request, checks its body, and offers it to the sink or to the service itself.
4. `slot.Slot` is the request's place in its connection's line of answers; the sink tells it when the event is on disk.
5. `outlet.Outlet` sends at once what the socket takes, and the rest as the peer reads it.

`portowner` finds out who holds a port that should be ours; `strangers` reports those who do not speak HTTP.
"""

from agent.gateway.port import ServiceGateway

__all__ = ["ServiceGateway"]
