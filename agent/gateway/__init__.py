"""The service gateway: bytes of senders in, events into the sink, answers out.

The way of a request, and who has it in hand:

1. `port.ServiceGateway` listens, limits the connections and sweeps over their deadlines twice a second. Each is on a
   `transport.SocketTransport`.
2. `arrival.Arrival` tells from the first bytes what is spoken, before anybody interprets them.
3. `tls.TlsTransport`, on a TLS port: the handshake, and encryption from then on.
4. `connection.Connection` keeps the answers in order. It feeds `reading` (llhttp by httptools; `familiar` knows heads
   that were read before) and holds the sender to `patience` and `bodies`; `firstwords` knows who does not speak HTTP at
   all, and `ending` how far it is on the way to its end.
5. `reception.Reception` routes the request, checks its body, and offers it to the sink or to the service itself;
   `plaintext.PlaintextReception` stands in its place for those who forgot TLS.
6. `slot.Slot` is the request's place in its connection's line of answers; the sink tells it when the event is on disk.
7. `outlet.Outlet` sends at once what the socket takes, and the rest as the peer reads it.

What a TLS port presents: `identity` reads it from the files that are configured (or `selfsigned` makes it), `served`
makes contexts of it and chooses for each connection between two TLS libraries (`tlsside`: `quickside` over Python's
`ssl`, `fullside` over pyOpenSSL), `watch` says when the files have changed, `keeper` reads them again, and `presenting`
puts the next in the place of the last. A gateway without TLS loads none of that but `supply`.

Every connection that fails or is misused becomes one `agent.wire.misuse.Misuse` for the desk (`desk.StrangerDesk`). A
request's verified client certificate is `slot.connection.client_certificate`; `doorman` lets requests in. `crowd` keeps
the visitors and says who has to go when there are too many, `register` enters what was taken in. `listening` says why a
port cannot be had, with `portowner` who holds it. `gateways.Gateways` holds all gateways, and reloads them wholly or
not at all; `expiry` watches the dates of what they present and trust.
"""

from agent.gateway.desk import StrangerDesk
from agent.gateway.expiry import ExpiryWatch
from agent.gateway.gateways import Doors, Gateways
from agent.gateway.port import ServiceGateway
from agent.gateway.supply import KeySupply

__all__ = ["Doors", "ExpiryWatch", "Gateways", "KeySupply", "ServiceGateway", "StrangerDesk"]
