"""What the operator reads when the agent does not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from tests.support.live import LiveHome, command, lines, run, until


def test_ten_faults_are_ten_lines(home: LiveHome) -> None:
    """All problems are reported at once, with file and line, and the exit status is 78."""
    home.config_file.write_text(
        """<iaconfig xmlns="http://www.alarmpoint.com/schema">
<service-gateway ssl="maybe" port="80810"/>
<service-gateway port="x"/>
<log level="loud"/>
<destinations>
<destination name="a" url="ftp://example.com/"/>
<destination name="a" url="http://example.com/"/>
<destination url="http://example.com/"/>
</destinations>
<service-configs dir="../services">
<path>nowhere/nowhere.xml</path>
<path></path>
</service-configs>
<primary-servers><url>example.com</url></primary-servers>
</iaconfig>
""",
        encoding="utf-8",
    )
    started = run(command("integration-agent"), "--home", home.folder)
    checked = home.iadmin("config", "check")
    assert (78, 78) == (started.returncode, checked.returncode)
    said = [line for line in lines(started.stderr) if "iaconfig.xml:" in line]
    assert len(said) >= 10, said
    assert any('iaconfig.xml:2: service-gateway/@port: "80810" is not a port (1-65535)' in line for line in said)
    assert not any("Traceback" in line for line in lines(started.stderr))
    assert all(any(line in other for other in lines(checked.stdout + checked.stderr)) for line in said)


def test_a_port_in_use_is_named_with_its_owner(home: LiveHome) -> None:
    """One sentence, exit status 69; no service has been started in vain."""
    home.add_service("eager", "from pathlib import Path\n\nPath('ran').touch()\n\n\ndef on_event(event):\n    pass\n")
    with socket.create_server(("127.0.0.1", home.port)):
        started = run(command("integration-agent"), "--home", home.folder)
    assert 69 == started.returncode
    last = lines(started.stderr)[-1]
    assert str(home.port) in last
    assert "python" in last
    assert not (home.folder / "ran").exists()


def test_the_second_agent_on_a_home_refuses(agent: LiveHome) -> None:
    """It names the pid of the first, which goes on."""
    assert agent.process is not None
    second = run(command("integration-agent"), "--home", agent.folder)
    assert second.returncode not in (0, 1)
    assert str(agent.process.pid) in lines(second.stderr)[-1]
    assert 202 == agent.post("<event><properties/></event>")[0]


def test_no_home_is_one_sentence(home: LiveHome) -> None:
    """A folder that is no home says how to make one."""
    started = run(command("integration-agent"), "--home", home.folder.parent / "nothing")
    assert started.returncode in (66, 78)
    assert "iadmin init" in started.stderr.decode()


def test_commands_that_need_only_files_work_without_the_agent(home: LiveHome) -> None:
    """The list of events is read from the spool, and the operator is told that the agent is down."""
    home.start()
    event_id = home.accept("<event><properties><city>Victoria</city></properties></event>")
    home.stop()
    listed = home.iadmin("event", "list")
    assert 0 == listed.returncode
    assert event_id in listed.stdout.decode()
    assert "not running" in listed.stderr.decode()
    assert 0 == home.iadmin("config", "show").returncode


def test_a_second_signal_hurries_and_is_no_fault(home: LiveHome) -> None:
    """A hook that would run for long holds up an orderly stop; a second SIGTERM ends the agent, with status 0."""
    home.add_service("slow", "import time\n\n\ndef on_event(event):\n    time.sleep(1000)\n")
    process = home.start()
    event_id = home.accept("<event/>", "applications_slow")
    until("the event to be in hand", lambda: f"{event_id} handed to" in home.log)
    process.terminate()
    until("the stop to begin", lambda: "stopping" in home.log)
    process.terminate()
    assert 0 == process.wait(20)
    assert "Traceback" not in home.console.read_text()


def test_an_unknown_option_is_a_usage_error() -> None:
    """Exit status 64 and one line."""
    started = run(command("integration-agent"), "--bogus")
    assert 64 == started.returncode
    assert ["integration-agent: unrecognized arguments: --bogus; see integration-agent --help"] == lines(started.stderr)


def test_what_comes_before_the_agent_is_up_is_done(home: LiveHome) -> None:
    """The gateway takes events before workers and control link are there: they are stored, and handled when they can
    be; a service that answers its senders itself keeps the first of them waiting."""
    home.add_service("answering", "def on_http(request):\n    pass\n")
    home.start(wait=False)
    until("the gateway to listen", lambda: _listens(home.port))
    # Not 202: it is not for the store. A worker that takes more than two seconds on a busy machine is not waited for.
    assert home.post("<a/>", "applications_answering")[0] in (200, 503)
    event_id = home.accept("<event><properties><city>Victoria</city></properties></event>")
    until("its delivery", lambda: any(event_id in str(sent) for sent in home.outbox))
    assert 0 == home.stop()


def test_an_early_hangup_is_made_up_for(home: LiveHome) -> None:
    """What has changed since the agent read its configuration is taken over once it is up."""
    home.add_service("slow-to-load", "import time\n\ntime.sleep(1)\n\n\ndef on_event(event):\n    pass\n")
    process = home.start(wait=False)
    until("the gateway to listen", lambda: _listens(home.port))
    home.edit("<max-connections>4096<", "<max-connections>4095<")
    process.send_signal(signal.SIGHUP)
    until("the agent to come up", lambda: home.iadmin("status").returncode == 0)
    until("the reload", lambda: "reloaded: " in home.log.partition(" is up")[2])
    assert 0 == home.stop()


def test_closed_standard_descriptors_do_no_harm(home: LiveHome) -> None:
    """A home is made, an agent runs and takes events, with 0, 1 and 2 closed; each of them is /dev/null."""
    made = run("/bin/sh", "-c", 'exec "$@" <&-', "sh", command("iadmin"), "init", home.folder.parent / "closed")
    assert (0, b"") == (made.returncode, made.stderr)
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", str(command("integration-agent")), "--home", home.folder]
    )
    try:
        until("the agent to come up", lambda: home.iadmin("status").returncode == 0)
        home.accept("<event><properties><city>Victoria</city></properties></event>")
        targets = {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
        assert {os.devnull} == targets
    finally:
        process.terminate()
        assert 0 == process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
