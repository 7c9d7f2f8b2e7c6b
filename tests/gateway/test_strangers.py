"""Those who do not speak HTTP."""

from twisted.logger import LogEvent, globalLogPublisher

from tests.support.gateway import Stage

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def test_one_warning_for_a_peer_and_minute() -> None:
    """Each stranger gets a clean 400 and the end; the operator gets one line a minute."""
    lines: list[LogEvent] = []

    def observer(event: LogEvent) -> None:
        if "does not speak HTTP" in str(event.get("log_format")):
            lines.append(event)

    globalLogPublisher.addObserver(observer)
    try:
        stage = Stage()
        for seconds, expected in ((0, 1), (30, 1), (31, 2)):
            stage.pass_time(seconds)
            client = stage.client()
            client.send(HELLO)
            assert [400] == client.statuses
            assert client.transport.half_closed
            assert expected == len(lines)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert "192.0.2.7" == lines[0]["peer"]
    assert "TLS" in lines[0]["what"]
