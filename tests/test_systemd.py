"""What systemd is told, and when."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.systemd import Supervision, SystemdNotices, datagrams, take_supervision
from tests.support.twisted_results import result_of


class Socket:
    """Where messages go; `fault` is raised instead."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.messages: list[bytes] = []
        self.fault: OSError | None = None

    def open(self, address: str):
        self.opened.append(address)
        return self.send

    def send(self, message: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.messages.append(message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def there() -> Socket:
    return Socket()


def notices(there: Socket, clock: Clock, **asked: object) -> SystemdNotices:
    return SystemdNotices(supervision=Supervision(**asked), clock=clock, open_socket=there.open)


def run(coroutine) -> None:
    result_of(Deferred.fromCoroutine(coroutine))


def test_it_says_ready_then_stopping(there: Socket, clock: Clock) -> None:
    """In the words of sd_notify(3)."""
    part = notices(there, clock, address="/run/notify")
    run(part.start())
    run(part.stop(1.0))
    assert ["/run/notify"] == there.opened
    assert ["READY=1", "STOPPING=1"] == [message.split(b"\n")[0].decode() for message in there.messages]


def test_the_heart_beats_twice_per_interval(there: Socket, clock: Clock) -> None:
    """Also while stopping, which may take longer than the interval."""
    part = notices(there, clock, address="@notify", watchdog_s=60.0)
    run(part.start())
    there.messages.clear()
    clock.pump([30.0, 30.0])
    run(part.stop(1.0))
    clock.advance(30.0)
    assert [b"WATCHDOG=1"] * 3 == [message for message in there.messages if not message.startswith(b"STOPPING")]


def test_without_a_watchdog_nothing_beats(there: Socket, clock: Clock) -> None:
    """No timer is left in the reactor for nothing."""
    run(notices(there, clock, address="/run/notify").start())
    assert [] == clock.getDelayedCalls()


def test_without_systemd_nothing_is_sent(there: Socket, clock: Clock) -> None:
    """A watchdog without a socket beats for nobody."""
    part = notices(there, clock, watchdog_s=60.0)
    run(part.start())
    run(part.stop(1.0))
    assert ([], [], []) == (there.opened, there.messages, clock.getDelayedCalls())


def test_a_message_that_cannot_be_sent_ends_nothing(there: Socket, clock: Clock) -> None:
    """The next beat is tried all the same."""
    part = notices(there, clock, address="/run/notify", watchdog_s=2.0)
    there.fault = ConnectionRefusedError("refused")
    run(part.start())
    there.fault = None
    clock.advance(1.0)
    assert [b"WATCHDOG=1"] == there.messages


def test_the_environment_is_taken() -> None:
    """Workers must not speak in the agent's name."""
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7", "PATH": "/bin"}
    assert Supervision(address="/run/notify", watchdog_s=30.0) == take_supervision(environ, pid=7)
    assert {"PATH": "/bin"} == environ


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Supervision()),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}, Supervision()),
        ({"WATCHDOG_USEC": "0"}, Supervision()),
        ({"WATCHDOG_USEC": "soon"}, Supervision()),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, Supervision()),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000"}, Supervision(address="@x", watchdog_s=2.0)),
    ],
)
def test_what_is_not_for_us_is_not_used(variables: dict[str, str], expected: Supervision) -> None:
    """The watchdog of another process, senseless intervals, addresses of other kinds."""
    assert expected == take_supervision(dict(variables), pid=7)


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_datagram_arrives(kind: str, tmp_path: Path) -> None:
    """At a socket in the file system, and at an abstract one."""
    address = str(tmp_path / "s") if kind == "path" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address if kind == "path" else "\0" + address[1:])
        listening.settimeout(5)
        datagrams(address)(b"READY=1")
        assert b"READY=1" == listening.recv(100)
