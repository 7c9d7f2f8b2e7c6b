"""A place in a connection's line of answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agent.boundaries import Counters, HttpResponse
from agent.config.model import GatewayLimits
from agent.errors import SenderError
from agent.gateway.budget import Budget
from agent.gateway.familiar import FamiliarHeads
from agent.gateway.register import Register
from agent.wire import Answers, Head, Persistence, Route
from agent.wire.refusal import service_too_slow, store_too_slow

if TYPE_CHECKING:
    from agent.gateway.connection import Connection
    from agent.gateway.doorman import Doubt
    from agent.gateway.keys import KeyFinder

log = Logger(namespace="gateway")

NEVER: Final = float("inf")
KEEP: Final = Persistence.KEEP


class Receiving(Protocol):
    """Who decides about requests: `reception.Reception`, or `plaintext.PlaintextReception` that refuses all."""

    @property
    def limits(self) -> GatewayLimits: ...

    @property
    def counters(self) -> Counters: ...

    @property
    def answers(self) -> Answers: ...

    @property
    def familiar(self) -> FamiliarHeads:
        """For heads that were read before."""

    @property
    def register(self) -> Register:
        """For what was stored."""

    @property
    def budget(self) -> Budget:
        """For the bodies of all connections together."""

    def admit(self, slot: Slot, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Decide from the head; raise `SenderError` to refuse."""

    def take(self, slot: Slot, body: bytes) -> None:
        """Take in a complete request that was admitted."""

    def note_refusal(self, slot: Slot, error: SenderError) -> None:
        """Count a refusal, and tell of it."""


class Slot:
    """One request that waits for its answer; the `Waiting` of the sink.

    Answers come in any order, and leave in the order of the requests. `head` is None where it could not be read. `due`
    is the time of the gateway's clock by which the answer must be there. Nothing here raises towards the sink: a sender
    that has left must not cost the others of its batch their answers.
    """

    __slots__ = (
        "answer",
        "asked",
        "closes",
        "connection",
        "doubt",
        "due",
        "event_id",
        "fault",
        "finder",
        "head",
        "headers",
        "held_bytes",
        "is_asked",
        "key",
        "reception",
        "refusal",
        "route",
        "size_bytes",
        "who",
    )

    def __init__(self, connection: Connection, reception: Receiving, head: Head | None) -> None:
        self.connection = connection
        self.reception = reception
        self.head = head
        self.headers: list[tuple[bytes, bytes]] = []
        self.route: Route | None = None
        self.is_asked = False
        """Whether the service answers this request itself."""
        self.asked: Deferred[None] | None = None
        self.refusal: SenderError | None = None
        """Found in the head; told when the body has been read, so that the connection can go on."""
        self.doubt: Doubt | None = None
        """Whether the sender may send is still to be found out."""
        self.fault: SenderError | None = None
        """Told when that has been found out."""
        self.who = ""
        """The account, address or certificate that let the request in; empty where all may send."""
        self.closes = head is None or not head.keep_alive
        self.due = NEVER
        self.event_id = ""
        self.key = ""
        """The idempotency key, once it is known; empty: none."""
        self.finder: KeyFinder | None = None
        """Looks for the key in the body."""
        self.held_bytes = 0
        """Of its body, counted in the gateway's budget."""
        self.size_bytes = 0
        self.answer: bytes | None = None
        """The bytes of the answer, once it is known."""

    def stored(self, event_id: str) -> None:
        """The event is committed, now or earlier under the same key: answer 202. Called by the sink."""
        try:
            reception = self.reception
            service = self.route.service.client_id if self.route else ""
            if event_id == self.event_id:
                who = f" as {self.who!r}" if self.who else ""
                text = f"accepted {self.size_bytes} bytes for {service} from {self.connection.peer}{who}"
                reception.register.note(event_id, text)
            else:
                self.event_id = event_id
                text = f"{self.connection.peer} repeats an event for {service}, which is here already"
                reception.register.note_repeated(event_id, text)
            if self.answer is None:
                self._settle(
                    reception.answers.accepted(self.event_id, xml=self.wants_xml, persistence=self._persistence())
                )
        except Exception:
            self._give_up("stored")

    def refused(self, error: SenderError) -> None:
        """There will be no event: answer with the reason. Called by the sink, and by the gateway itself."""
        try:
            if self.answer is None:
                self.closes = self.closes or error.close
                self.reception.note_refusal(self, error)
                self._settle(
                    self.reception.answers.problem(
                        error,
                        xml=self.wants_xml,
                        persistence=self._persistence(),
                        bodiless=self._is_bodiless,
                        event_id=self.event_id if error.status >= 500 else "",
                    )
                )
        except Exception:
            self._give_up("refused")

    def responded(self, response: HttpResponse) -> None:
        """The service has answered itself. Raises `ValueError` for an answer that cannot be sent."""
        if self.answer is None:
            self._settle(
                self.reception.answers.response(
                    response.status,
                    response.headers,
                    response.body,
                    persistence=self._persistence(),
                    bodiless=self._is_bodiless,
                )
            )

    def overdue(self) -> None:
        """The answer did not come in time: tell the sender what is known, and stop waiting."""
        patience_s = self.reception.limits.answer_timeout_s
        error = service_too_slow(patience_s) if self.is_asked else store_too_slow(patience_s)
        self.refused(error)
        if self.asked is not None:
            self.asked.cancel()

    @property
    def wants_xml(self) -> bool:
        """Whether the sender prefers XML answers."""
        return self.head is not None and self.head.wants_xml

    @property
    def _is_bodiless(self) -> bool:
        return self.head is not None and self.head.method == "HEAD"

    def _persistence(self) -> Persistence:
        if self.closes or self.connection.ends_with(self):
            self.closes = True
            return Persistence.CLOSE
        return Persistence.KEEP_SAID if self.head is not None and self.head.is_http10 else KEEP

    def release(self) -> None:
        """The body is wanted no longer, or not here."""
        self.reception.budget.give_back(self.held_bytes)
        self.held_bytes = 0

    def _settle(self, answer: bytes) -> None:
        self.answer = answer
        self.release()
        self.connection.flush()

    def _give_up(self, step: str) -> None:
        """A fault of ours while answering one sender: only this sender feels it."""
        log.failure("cannot answer {peer} ({step})", event_id=self.event_id, peer=self.connection.peer, step=step)
        self.connection.abort()
