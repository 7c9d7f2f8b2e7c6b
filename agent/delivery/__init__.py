"""The rules of delivery, without a clock or a disk: the life of an event, retry arithmetic, order, shares of time.

`life` is the table every change of state goes through; `request` names what services send and what came back; `order`
says which event of a service is begun next; `retry` when to try again and when to give up; `dedup` which events are
repetitions; `share` how much time work gets while senders come; `attention` what an operator should look at. Only the
first two are for everybody, and are imported here: who takes events in needs no more.
"""

from agent.delivery.life import LIFE, OPEN_STATES, Outcome, State, next_state
from agent.delivery.request import Answer, OutboundRequest

__all__ = [
    "LIFE",
    "OPEN_STATES",
    "Answer",
    "OutboundRequest",
    "Outcome",
    "State",
    "next_state",
]
