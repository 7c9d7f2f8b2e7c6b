"""The desk where there is no other."""

from twisted.logger import LogEvent, globalLogPublisher

from agent.gateway.strangers import Strangers
from agent.wire.misuse import Cause, Misuse


def test_one_warning_for_a_peer_and_minute() -> None:
    """However often it knocks; another cause has a line of its own."""
    lines: list[LogEvent] = []

    def observer(event: LogEvent) -> None:
        if "does not speak what" in str(event.get("log_format")):
            lines.append(event)

    now = [0.0]
    strangers = Strangers(clock=lambda: now[0])
    misuse = Misuse(peer="192.0.2.7", port=8081, expects_tls=False, cause=Cause.TLS_ON_PLAIN_PORT)
    globalLogPublisher.addObserver(observer)
    try:
        for now[0], expected in ((0, 1), (30, 1), (61, 2)):
            strangers(misuse)
            assert expected == len(lines)
        strangers(Misuse(peer="192.0.2.7", port=8081, expects_tls=False, cause=Cause.SILENT))
        assert 3 == len(lines)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert "192.0.2.7" == lines[0]["peer"]
