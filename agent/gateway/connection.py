"""One connection of a sender: answers in their order, every wait with an end.

Reading (`reading`) goes on until an error makes the connection deaf: then the error is answered, what still comes is
read and dropped for a moment, and the connection closes. How long each step may take is with `patience`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.errors import SenderError
from agent.gateway.bodies import Bodies
from agent.gateway.budget import CRAWL_BYTES_S
from agent.gateway.census import Worth
from agent.gateway.ending import STOP_LINGER_S, STOP_PATIENCE_S, Ending
from agent.gateway.familiar import Familiar
from agent.gateway.firstwords import FirstWords
from agent.gateway.outlet import Outlet
from agent.gateway.patience import Patience
from agent.gateway.reading import FEED_BYTES, IDLE, RequestReader, Stage
from agent.gateway.slot import NEVER, Receiving, Slot
from agent.wire import Head, Tongue
from agent.wire.answer import CONTINUE
from agent.wire.auth import Gate
from agent.wire.clientcert import ClientCertificate
from agent.wire.refusal import stopping, too_slow


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """HTTP/1.1 over one transport, in the clear or inside TLS. `clock()` is the gateway's coarse clock, in seconds.

    `client_certificate` is the sender's certificate where TLS asked for one and it was verified in the handshake;
    whoever authenticates a request finds it as `slot.connection.client_certificate`. `stranger(tongue, first)` is told
    when what came is not HTTP. The first head is due `header_timeout_s` after `since`, which is now unless given.
    """

    transport: Any

    def __init__(
        self,
        *,
        peer: str,
        reception: Receiving,
        stranger: Callable[[Tongue, bytes], None],
        clock: Callable[[], float],
        lost: Callable[[Connection], None],
        since: float | None = None,
        client_certificate: ClientCertificate | None = None,
    ) -> None:
        self.peer: Final = peer
        self.client_certificate: Final = client_certificate
        self.let_in: tuple[Head | None, Gate | None, str] = (None, None, "")
        """The last head that was let in, where, and as whom: kept by the doorman for requests that repeat it."""
        self._reception = reception
        self._limits = reception.limits
        self._words = FirstWords(stranger)
        self._clock = clock
        self._patience = Patience(reception.limits, clock, clock() if since is None else since)
        self._lost = lost
        self._reader = RequestReader(limits=reception.limits, familiar=reception.familiar, recipient=self)
        # A list, because an empty deque takes 600 bytes of a connection that rests, and few requests wait at a time.
        self._slots: list[Slot] = []
        self._bodies = Bodies(max_bytes=reception.limits.max_body_bytes, budget=reception.budget)
        self._ending = Ending()
        self._owes_continue = False
        self._known: Familiar | None = None
        """What the request before was known by, for the next one most likely is, too."""
        self._unread = b""
        self._current: Slot | None = None
        """The request that is being read."""
        self._is_feeding = False
        self._is_paused = False

    # ---- Twisted calls these -----------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._outlet = Outlet(self.transport, moved=self._output_moved)
        self._patience.for_first_head()

    def dataReceived(self, data: bytes) -> None:
        if self._ending.is_deaf:
            if self._ending.drop(len(data)):
                self.abort()
            return
        if not self._slots and self._is_at_ease() and self._take_familiar(data):
            return
        self._words.hear(data)
        if self._is_paused:
            self._unread += data
            return
        self._feed(data)

    def readConnectionLost(self) -> None:
        """The sender has ended its side; what it asked before is still answered."""
        self._ending.peer_ended()
        if self._ending.is_deaf or (self._reader.stage is IDLE and not self._slots and not self._unread):
            self._close()
        elif self._reader.stage is not IDLE and not self._unread:
            self._refuse(self._reader.cut_off())

    def writeConnectionLost(self) -> None:
        """Our own half-close has gone out; nothing to do until the peer closes."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._ending.is_gone = True
        self._patience.end()
        self._slots.clear()  # answers that still come find nobody, and that is all right
        if self._current is not None:
            self._current.release()  # the others are still worked on
            self._current = None
        # What goes round in a circle would wait for the garbage collector, and keep it busy.
        self._outlet.let_go()
        if not self._is_feeding:
            self._reader.let_go()
        self._lost(self)

    # ---- the reader calls these --------------------------------------------------------------------------------

    def begin_request(
        self, head: Head, target: bytes, headers: list[tuple[bytes, bytes]], fault: SenderError | None
    ) -> Slot:
        """Give a request its place in the line, and decide from its head whether its body is wanted."""
        slot = Slot(self, self._reception, head)
        self._slots.append(slot)
        self._current = slot
        self._patience.begin()
        self._bodies.begin(head, self._patience.begun_s)
        try:
            self._reception.admit(slot, head.method, target, headers)
            if fault is not None:
                raise fault
        except SenderError as error:
            if not self._bodies.may_be_dropped(head):
                raise
            slot.refusal = error
        else:
            self._bodies.admit(head)
        if slot.is_asked:
            slot.headers = headers
        if head.expects_continue and head.length != 0:
            self._owes_continue = True
            self._send_continue()
        return slot

    def hold_body(self, slot: Slot, size: int) -> None:
        """See `Bodies.hold`."""
        self._bodies.hold(slot, size)

    def end_request(self, slot: Slot, body: bytes) -> None:
        """Hand a complete request to the reception."""
        self._current = None
        self._patience.forget_stage()
        self._owes_continue = False
        if self._ending.is_stopping:
            self._reader.is_done = True
        slot.due = self._clock() + self._limits.answer_timeout_s
        if slot.refusal is not None:
            slot.refused(slot.refusal)
        else:
            self._reception.take(slot, body)

    # ---- the gateway and the slots call these ------------------------------------------------------------------

    def flush(self) -> None:
        """Send the answers that are known, up to the first that is not."""
        if self._ending.is_gone:
            return
        slots = self._slots
        if len(slots) == 1 and (answer := slots[0].answer) is not None and not slots[0].closes and self._is_at_ease():
            # Nearly always: one request, one answer, and then the next request is waited for.
            slots.clear()
            self._outlet.send(answer)
            if not self._outlet.is_blocked:
                self._patience.for_next()
                return
        ready: list[bytes] = []
        closes = False
        while slots and slots[0].answer is not None and not closes:
            slot = slots.pop(0)
            closes = slot.closes
            ready.append(slot.answer or b"")
        if closes:
            self._ending.finish()
        if ready:
            self._outlet.send(ready[0] if len(ready) == 1 else b"".join(ready))
        if self._outlet.is_blocked and self._patience.sent_until == NEVER:
            self._patience.for_reader()
        if closes:
            slots.clear()
            self._finish()
        elif not self._is_feeding:
            self._go_on()

    @property
    def says_its_last(self) -> bool:
        """Whether nothing comes after what it sends now."""
        return self._ending.is_finishing

    def ends_with(self, slot: Slot) -> bool:
        """Whether the answer to `slot` is the last of this connection."""
        if not (self._reader.is_done or self._ending.is_stopping):
            return False
        return slot is (self._slots[-1] if self._slots else None) and self._reader.stage is IDLE

    def sweep(self, now: float) -> None:
        """End what has taken too long."""
        if now >= self._patience.sent_until:
            self._reception.counters.count("gateway.slow_reader")
            self.abort()
        elif now >= self._patience.read_until:
            self._reading_is_overdue()
        elif self._current is not None and self._crawls(self._current, now):
            self._refuse(too_slow("body", f"with {CRAWL_BYTES_S} bytes/s, which is asked for while memory is short"))
        elif self._slots and now >= self._slots[0].due:
            self._slots[0].overdue()

    def wind_down(self) -> None:
        """Take no new request, answer those in hand, then close."""
        self._ending.stop()
        if self._ending.is_deaf:
            self._patience.hurry(STOP_LINGER_S)
        elif self._reader.stage is IDLE:
            self._unread = b""
            self._reader.is_done = True
            if not self._slots:
                self._close()
        else:
            self._patience.stop_within(STOP_PATIENCE_S)

    @property
    def worth(self) -> Worth:
        """What would be lost with it, for the choice of who has to go when the house is full."""
        if self._slots:
            return Worth.SENDING if len(self._slots) == 1 and self._current is not None else Worth.WAITING
        is_resting = self._patience.begun_s > 0.0 and self._reader.stage is IDLE
        return Worth.RESTING if is_resting else Worth.NOTHING_YET

    def abort(self) -> None:
        """Cut the connection now."""
        if not self._ending.is_gone:
            self.transport.abortConnection()

    # ---- reading -----------------------------------------------------------------------------------------------

    def _is_at_ease(self) -> bool:
        """Whether nothing is going on but requests that come and answers that go."""
        reader = self._reader
        is_busy = self._is_feeding or self._is_paused or self._ending.has_begun
        return reader.stage is IDLE and not (is_busy or reader.is_done)

    def _take_familiar(self, data: bytes) -> bool:
        """Take `data` if it is one whole request with a head that was read before: nearly all that ever comes.

        The same as feeding it, without the steps that such a request cannot need.
        """
        reception = self._reception
        known = self._known
        if known is None or not known.begins(data):
            known = self._known = reception.familiar.match(data)
            if known is None:
                return False
        slot = Slot(self, reception, known.head)
        self._slots.append(slot)
        self._reader.is_done = slot.closes
        self._patience.begin()
        self._patience.for_us()
        slot.due = self._patience.begun_s + self._limits.answer_timeout_s
        try:
            reception.admit(slot, "POST", known.target, known.headers)
        except SenderError as error:
            slot.refused(error)
            return True
        if slot.is_asked:
            slot.headers = known.headers
        reception.budget.take(known.body_bytes, of_bytes=known.body_bytes)
        slot.held_bytes = known.body_bytes
        reception.take(slot, data[known.head_bytes :])
        return True

    def _feed(self, data: bytes) -> None:
        """Give `data` to the reader, as far as the line of answers has room."""
        reader = self._reader
        start = 0
        self._is_feeding = True
        try:
            while start < len(data) and not reader.is_done:
                if self._is_crowded():
                    self._unread = data[start:]
                    break
                if reader.stage is IDLE and (end := reader.take_familiar(data, start)) > start:
                    start = end
                    continue
                size = len(data) - start
                if size > FEED_BYTES:
                    size = min(size, reader.piece_bytes)
                piece = data if size == len(data) else data[start : start + size]
                start += size
                reader.feed(piece)
        except SenderError as error:
            self._refuse(self._words.look_closer(error) if reader.has_read_nothing else error)
        finally:
            self._is_feeding = False
        ending = self._ending
        if ending.has_peer_ended and not self._unread and reader.stage is not IDLE and not ending.is_deaf:
            self._refuse(reader.cut_off())
        self._go_on()

    def _is_crowded(self) -> bool:
        """Whether enough requests wait for their answers; the one that is being read does not count."""
        return len(self._slots) - (self._current is not None) >= self._limits.max_pipelined

    def _go_on(self) -> None:
        """What is next, now that something has been read or answered?"""
        ending = self._ending
        if ending.is_gone or ending.is_finishing or ending.is_deaf:
            return
        if self._owes_continue:
            self._send_continue()
        is_over = self._reader.is_done or (ending.has_peer_ended and not self._unread)
        if is_over and not self._slots and self._reader.stage is IDLE:
            self._finish()
        else:
            self._steer()

    def _send_continue(self) -> None:
        """Tell the sender to go on, once all earlier answers have gone."""
        if self._reader.body_bytes:
            self._owes_continue = False  # it did not wait
        elif self._slots and self._slots[0] is self._current:
            self._owes_continue = False
            self._patience.begin()
            self._outlet.send(CONTINUE)

    def _refuse(self, error: SenderError) -> None:
        """Answer an error after which this connection cannot be read on."""
        slot, self._current = self._current, None
        if slot is None:
            slot = Slot(self, self._reception, None)
            self._slots.append(slot)
        self._ending.is_deaf = True
        self._patience.for_us()
        self._unread = b""
        self._owes_continue = False
        self._reader.drop_body()
        slot.closes = True
        slot.refused(error)

    def _reading_is_overdue(self) -> None:
        if self._ending.is_deaf:
            self.abort()
        elif self._clock() >= self._patience.stopped_at:
            self._refuse(stopping())
        elif self._reader.stage is Stage.HEAD:
            self._refuse(too_slow("head", f"within {self._limits.header_timeout_s:g} s"))
        elif self._reader.stage is Stage.BODY:
            pace = (
                f"with pauses under {self._limits.body_timeout_s:g} s and {self._limits.min_body_rate_bytes_s} bytes/s"
            )
            self._refuse(too_slow("body", pace))
        else:
            self._reception.counters.count("gateway.idle_closed")
            self._close()

    # ---- deadlines, flow, end ----------------------------------------------------------------------------------

    def _steer(self) -> None:
        """Pause or resume reading, and set the deadline of what is being read."""
        if self._ending.is_gone or self._ending.is_deaf:
            return
        if self._outlet.is_blocked or self._is_crowded():
            if not self._is_paused:
                self._is_paused = True
                self._patience.for_us()
                self.transport.pauseProducing()
            return
        if self._is_paused:
            self._is_paused = False
            if not self._ending.has_peer_ended:
                self.transport.resumeProducing()
            if self._unread:
                unread, self._unread = self._unread, b""
                self._feed(unread)
                return
        self._set_read_deadline()

    def _crawls(self, slot: Slot, now: float) -> bool:
        is_waited_for = not self._is_paused and self._reader.stage is Stage.BODY
        return is_waited_for and self._bodies.crawls(slot, now, self._reader.body_bytes)

    def _set_read_deadline(self) -> None:
        stage = self._reader.stage
        if stage is Stage.BODY:
            if self._owes_continue:
                self._patience.for_sender()
            else:
                self._patience.for_body(self._reader.body_bytes)
        elif stage is Stage.HEAD:
            self._patience.for_head()
        elif self._slots:
            self._patience.for_us()
        else:
            self._patience.for_next()

    def _output_moved(self) -> None:
        """The peer has read something of what waited."""
        if self._ending.is_gone:
            return
        if self._outlet.is_blocked:
            self._patience.for_reader()
            return
        self._patience.sent_until = NEVER
        if self._ending.is_finishing:
            self._finish()
        else:
            self._steer()

    def _finish(self) -> None:
        """All answers are on their way: close, gently where the sender may still be sending."""
        self._ending.finish()
        if self._outlet.is_blocked:
            return
        if self._ending.lingers:
            self._patience.for_end(self._ending.linger_s)
            if self._is_paused:
                self._is_paused = False
                self.transport.resumeProducing()
            self.transport.loseWriteConnection()
        else:
            self._close()

    def _close(self) -> None:
        self._reader.is_done = True
        self._patience.for_us()
        # A peer that does not take the end of the connection is cut off like one that does not read.
        self._patience.for_reader()
        self.transport.loseConnection()
