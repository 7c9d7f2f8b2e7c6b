"""`apclient` against the real agent."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.live import LiveHome, command, run, until

pytestmark = pytest.mark.e2e

MAPPED = (
    '<mapped-input method="add" subclass="event"><parameter type="string">pump</parameter>'
    '<parameter type="numeric">temperature</parameter><parameter>message</parameter></mapped-input>'
    '<constants><constant name="site">plant-7</constant>'
    '<constant name="apia_process_group" overwrite="true">pumps</constant></constants>'
)
CODE = """
from agent.sdk import Event, context

def on_event(event: Event) -> None:
    context.send(json={"tokens": event.to_dict()["data"], "group": event.group})
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[LiveHome]:
    live = LiveHome(tmp_path / "home")
    live.add_service("pumps", CODE, extra=MAPPED)
    yield live
    live.close()


def client(home: LiveHome, *argv: object, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(command("apclient")), *map(str, argv)],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "IA_HOME": str(home.folder), **environ},
    )


def alarm(home: LiveHome, *values: object) -> subprocess.CompletedProcess[bytes]:
    return client(home, "--map-data", "applications|pumps", *values)


def delivered(home: LiveHome, count: int) -> list[str]:
    """The pumps of everything that has arrived, once there are so many."""

    def look() -> list[str] | None:
        tokens = [entry["body"]["tokens"] for entry in home.outbox]
        return [str(each["pump"]["#text"]) for each in tokens] if len(tokens) >= count else None

    return until(f"{count} deliveries", look)


def waiting(home: LiveHome) -> list[str]:
    return sorted(path.name for path in (home.folder / "var/apclient").glob("*.parcel"))


def test_down_up_killed_and_up_again(home: LiveHome) -> None:
    """Nothing is lost, nothing comes twice, the order stays."""
    for number in range(3):
        done = alarm(home, f"P-{number}", "87.5", "bearing hot")
        assert (0, True) == (done.returncode, b"waits in var/apclient" in done.stderr), done.stderr
    assert 3 == len(waiting(home))
    home.start(wait=False)
    until("the first to be fetched", lambda: len(waiting(home)) < 3 or None)
    home.kill()
    assert 0 == alarm(home, "P-3", "1").returncode
    home.start()
    until("all to be fetched", lambda: not waiting(home) or None)
    assert (0, b"") == ((done := alarm(home, "P-4", "", "")).returncode, done.stderr)
    assert [f"P-{number}" for number in range(5)] == delivered(home, 5)
    first = home.outbox[0]["body"]
    assert ("pumps", "plant-7", "bearing hot") == (first["group"], first["tokens"]["site"], first["tokens"]["message"])
    assert {"@type": "numeric", "#text": "87.5"} == first["tokens"]["temperature"]


def test_a_flock_of_clients_while_the_agent_is_killed(home: LiveHome) -> None:
    """Each one that ended with 0 has its event delivered, exactly once."""
    home.start()
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(alarm, home, f"P-{number}", "1") for number in range(24)]
        until("some to be accepted", lambda: len(home.outbox) > 3 or None)
        home.kill()
        statuses = [each.result().returncode for each in running]
    assert [0] * 24 == statuses
    home.start()
    until("all to be fetched", lambda: not waiting(home) or None)
    assert sorted(f"P-{number}" for number in range(24)) == sorted(delivered(home, 24))


def test_over_tls_the_homes_own_certificate_is_trusted(home: LiveHome, tmp_path: Path) -> None:
    """And no other one: an impostor on the port gets nothing."""
    home.edit(r'ssl="false"', 'ssl="true"')
    home.start()
    assert (0, b"") == ((done := alarm(home, "P-1")).returncode, done.stderr)
    assert ["P-1"] == delivered(home, 1)
    done = client(home, "--gateway", f"https://localhost:{home.port}", "--map-data", "applications|pumps", "P-2")
    assert (0, b"") == (done.returncode, done.stderr)
    made = run(
        *(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=x",
        ),
        *("-keyout", tmp_path / "k.pem", "-out", tmp_path / "other.pem"),
    )
    assert 0 == made.returncode, made.stderr
    argv = ("--no-spool", "--cacert", tmp_path / "other.pem", "--gateway", f"https://127.0.0.1:{home.port}")
    done = client(home, *argv, "--map-data", "applications|pumps", "P-3")
    assert (69, True) == (done.returncode, b"certificate" in done.stderr), done.stderr
    assert b"P-1" in home.folder.joinpath("var/outbox/outbox.jsonl").read_bytes()


def test_wrong_credentials_are_refused_with_the_agents_sentence(home: LiveHome) -> None:
    """And right ones are taken from a file of the home."""
    made = home.iadmin_json("secret", "token", "nagios", "--add", home.folder / "conf/senders")
    home.edit(f'port="{home.port}">', f'port="{home.port}"><authentication><senders file="senders"/></authentication>')
    home.start()
    done = alarm(home, "P-1")
    assert (77, True) == (done.returncode, b"refused the event (401): Requests are taken here with" in done.stderr)
    (home.folder / "conf/apclient.credentials").write_text(made["token"])
    assert 0 == alarm(home, "P-2").returncode
    assert ["P-2"] == delivered(home, 1)


def test_a_ready_made_message_and_old_command_lines(home: LiveHome, tmp_path: Path) -> None:
    """Also under the original's name, with the bar as Windows writes it."""
    home.start()
    message = tmp_path / "message.xml"
    message.write_text(
        "<transaction><header><method>add</method></header><data><agent_client_id>applications|pumps</agent_client_id>"
        '<pump type="string">P-1</pump><site>elsewhere</site></data></transaction>'
    )
    assert 0 == client(home, "--submit-file", message).returncode
    assert 202 == home.post(message.read_text(), "applications_pumps")[0]
    delivered(home, 2)
    assert {"apxml"} == {home.event(entry["id"].partition("/")[0])["kind"] for entry in home.outbox}
    line = 'APClient.bin --map-data "applications^|pumps" "P-3" \'\' "a \'quoted\' <text> & more" surplus surplus'
    argv = shlex.split(line)
    done = run(command(argv[0]), *["--home", home.folder], *argv[1:])
    assert (0, b"") == (done.returncode, done.stderr)
    assert ["P-1", "P-1", "P-3"] == delivered(home, 3)
    assert ["elsewhere", "a 'quoted' <text> & more"] == [
        home.outbox[0]["body"]["tokens"]["site"],
        home.outbox[2]["body"]["tokens"]["message"],
    ]


SECRETIVE = """
from agent.sdk import context

def on_input(apxml):
    context.send(json={"is": apxml.value("pw") == "ge" + "heim"})
"""


def test_a_sealed_constant_reaches_the_service_and_no_file(tmp_path: Path) -> None:
    """The secret is neither in the store nor in the log."""
    live = LiveHome(tmp_path / "home")
    sealed = (
        '<encrypted-constant name="pw" type="string" overwrite="true"><file>conf/pump.pwd</file></encrypted-constant>'
    )
    live.add_service("pumps", SECRETIVE, extra=MAPPED.replace("</constants>", f"{sealed}</constants>"))
    try:
        argv = ("--home", live.folder, "--file", "conf/pump.pwd", "--new")
        made = run(command("iapassword"), *argv, stdin=b"geheim\n")
        assert 0 == made.returncode, made.stderr
        live.start()
        assert 0 == alarm(live, "P-1").returncode
        assert [{"is": True}] == [entry["body"] for entry in until("a delivery", lambda: live.outbox)]
        live.stop()
        assert [] == [path for path in live.folder.rglob("*") if path.is_file() and b"geheim" in path.read_bytes()]
    finally:
        live.close()
