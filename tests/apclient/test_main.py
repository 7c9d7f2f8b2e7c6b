"""`apclient` from its arguments to its exit status; the agent is played by a function."""

import subprocess
import sys
from pathlib import Path

import pytest

from apclient import main as program
from apclient.gateway import Answer, Trust, Unreachable, Url
from apclient.spool import Spool
from apclient.submission import Submission

ROOT = Path(__file__).parents[2]
TAKEN = Answer(202, b'{"requestId": "1"}')
ARGV = ["--map-data", "a|b", "x"]


def said(status: int) -> Answer:
    """What the agent says where it does not take an event."""
    return Answer(status, b'{"type": "urn:integration-agent:problem:x", "detail": "the reason"}')


class Agent:
    """What is sent, and what is answered."""

    def __init__(self) -> None:
        self.answer: Answer | Unreachable = TAKEN
        self.sent: list[tuple[str, Submission, str, Trust]] = []

    def post(self, url: Url, submission: Submission, *, authorization: str, trust: Trust, timeout_s: float) -> Answer:
        self.sent.append((url.text, submission, authorization, trust))
        if isinstance(self.answer, Unreachable):
            raise self.answer
        return self.answer


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    played = Agent()
    monkeypatch.setattr(program, "post", played.post)
    return played


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("conf", "var/apclient"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("IA_HOME", str(tmp_path))
    for name in ("APCLIENT_GATEWAY", "APCLIENT_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_committed_is_0_and_silent(agent: Agent, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever starts it a thousand times a day wants to read nothing."""
    assert 0 == program.main(ARGV)
    assert ("", "") == capsys.readouterr()
    assert 0 == Spool(str(home)).waiting("a_b")


@pytest.mark.parametrize(
    "answer", [Unreachable("connection refused"), said(503), said(500), said(429), Answer(503, b"<html>")]
)
def test_what_cannot_be_taken_now_is_kept(
    agent: Agent, home: Path, capsys: pytest.CaptureFixture[str], answer: Answer | Unreachable
) -> None:
    """With 0, a line, and the key under which it was sent."""
    agent.answer = answer
    assert 0 == program.main(ARGV)
    assert "the event waits in var/apclient and will be delivered when the agent is back" in capsys.readouterr().err
    (path,) = (home / "var/apclient").glob("*.parcel")
    assert f"key: {agent.sent[0][1].key}\n".encode() in path.read_bytes()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b'{"requestId": "1"}'),
        Answer(202, b"OK"),
        Answer(302, b""),
        Answer(404, b"<html>"),
        Answer(401, b"[]"),
    ],
)
def test_who_is_no_agent_cannot_take_or_refuse_an_event(
    agent: Agent, home: Path, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    """Another program has the agent's port, or a proxy stands in front of it: the event is kept."""
    agent.answer = answer
    assert 0 == program.main(ARGV)
    assert f"({answer.status}) is no integration agent; the event waits" in capsys.readouterr().err
    assert 1 == Spool(str(home)).waiting("a_b")


def test_a_later_event_of_the_service_does_not_overtake(agent: Agent, home: Path) -> None:
    """It goes behind the first one, although the agent is back."""
    agent.answer = Unreachable("down")
    program.main(ARGV)
    agent.answer = TAKEN
    assert 0 == program.main(ARGV)
    assert (1, 2) == (len(agent.sent), Spool(str(home)).waiting("a_b"))
    assert 0 == program.main(["--map-data", "c|d"])
    assert 2 == len(agent.sent)


def test_without_keeping_it_fails(agent: Agent, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is left behind."""
    agent.answer = Unreachable("connection refused")
    assert program.UNAVAILABLE == program.main(["--no-spool", *ARGV])
    assert "connection refused. The event was not kept." in capsys.readouterr().err
    assert [] == list((home / "var/apclient").iterdir())


@pytest.mark.parametrize(("status", "expected"), [(400, 65), (401, 77), (403, 77), (404, 78), (413, 65)])
def test_what_is_refused_for_good_is_not_kept(
    agent: Agent, home: Path, capsys: pytest.CaptureFixture[str], status: int, expected: int
) -> None:
    """The agent's own sentence says why."""
    agent.answer = said(status)
    assert expected == program.main(ARGV)
    assert f"refused the event ({status}): the reason" in capsys.readouterr().err
    assert [] == list((home / "var/apclient").iterdir())


def test_another_machines_events_are_not_kept_here(
    agent: Agent, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This home's agent would take them for its own; unless the user says that it may."""
    agent.answer = Unreachable("down")
    monkeypatch.delenv("IA_HOME")
    monkeypatch.chdir(home)
    elsewhere = ["--gateway", "http://elsewhere:8081"]
    assert program.UNAVAILABLE == program.main([*elsewhere, *ARGV])
    assert "not the agent of this home" in capsys.readouterr().err
    assert 0 == program.main([*elsewhere, "--home", str(home), *ARGV])
    assert 1 == Spool(str(home)).waiting("a_b")


def test_a_home_that_cannot_be_written_loses_the_event_and_says_so(
    agent: Agent, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, why, and what to do."""
    agent.answer = Unreachable("down")
    (home / "var/apclient").rmdir()
    (home / "var/apclient").write_text("a file")
    assert program.CANNOT_CREATE == program.main(ARGV)
    assert "The event is lost" in capsys.readouterr().err


def test_the_agents_note_says_where_it_is_and_whom_to_trust(agent: Agent, home: Path) -> None:
    """Its certificate counts for its own address, and for no other."""
    (home / "var/apclient/gateway").write_text("https://127.0.0.1:4711\nPEM")
    program.main(ARGV)
    program.main(["--gateway", "https://localhost:4711", *ARGV])
    program.main(["--gateway", "https://elsewhere:4711", *ARGV])
    program.main(["--gateway", "https://localhost:4712", *ARGV])
    assert ["https://127.0.0.1:4711", "https://localhost:4711", "https://elsewhere:4711", "https://localhost:4712"] == [
        sent[0] for sent in agent.sent
    ]
    assert ["PEM", "PEM", "", ""] == [sent[3].pinned for sent in agent.sent]


def test_credentials_come_from_a_file_or_the_environment(
    agent: Agent, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option first, then the environment, then the home's own file."""
    (home / "conf/apclient.credentials").write_text("token1\n")
    (home / "mine").write_text("token2")
    program.main(ARGV)
    monkeypatch.setenv("APCLIENT_CREDENTIALS", "token3")
    program.main(ARGV)
    program.main(["--credentials", str(home / "mine"), *ARGV])
    assert ["Bearer token1", "Bearer token3", "Bearer token2"] == [sent[2] for sent in agent.sent]
    assert program.NO_INPUT == program.main(["--credentials", str(home / "none"), *ARGV])
    assert "cannot be read: no such file" in capsys.readouterr().err


def test_a_file_is_submitted(agent: Agent, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or said to be missing."""
    (home / "m.xml").write_text(
        "<transaction><header><method>add</method></header><data><agent_client_id>a|b</agent_client_id></data>"
        "</transaction>"
    )
    assert 0 == program.main(["--submit-file", str(home / "m.xml")])
    assert "a_b" == agent.sent[0][1].service
    assert program.NO_INPUT == program.main(["--submit-file", str(home / "none.xml")])
    assert program.DATA == program.main(["--submit-file", "/dev/null"])


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_link_in_bin_belongs_to_its_home(
    agent: Agent, home: Path, monkeypatch: pytest.MonkeyPatch, is_direct: bool
) -> None:
    """The original's path goes on working."""
    monkeypatch.delenv("IA_HOME")
    (home / "bin").mkdir()
    (home / "bin/APClient.bin").symlink_to("/bin/true")
    (home / "elsewhere").symlink_to("bin/APClient.bin")
    called = home / ("bin/APClient.bin" if is_direct else "elsewhere")
    monkeypatch.setattr("sys.argv", [str(called)])
    monkeypatch.chdir("/")
    agent.answer = Unreachable("down")
    assert 0 == program.main(ARGV)
    assert 1 == Spool(str(home)).waiting("a_b")


def test_mistakes_on_the_command_line(agent: Agent, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and where to read more."""
    assert program.USAGE_STATUS == program.main(["--bogus"])
    assert program.USAGE_STATUS == program.main(["--gateway", "nowhere", *ARGV])
    assert program.NO_INPUT == program.main(["--home", str(home / "conf"), *ARGV])
    assert 0 == program.main(["--help"])
    said = capsys.readouterr()
    assert said.out.startswith("usage: apclient")
    assert 3 == len(said.err.splitlines())


@pytest.mark.parametrize("stream", ["closed", "full"])
def test_a_broken_stderr_does_not_change_the_exit_status(agent: Agent, home: Path, tmp_path: Path, stream: str) -> None:
    """The event is kept; a sender that is told otherwise would send it again."""
    end = {"closed": "2>&-", "full": "2>/dev/full"}[stream]
    for argv, status in (("--gateway http://127.0.0.1:9 --map-data 'a|b'", 0), ("--no-spool --map-data ''", 64)):
        line = f'exec "$1" -c "import sys; from apclient.main import main; sys.exit(main())" {argv} {end}'
        assert status == subprocess.run(["sh", "-c", line, "sh", sys.executable], check=False).returncode, argv
    assert 1 == Spool(str(home)).waiting("a_b")


def test_a_closed_stdin_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daemons have none."""
    monkeypatch.setattr("sys.stdin", None)
    assert 66 == program.main(["--submit-file", "-"])
    assert "standard input is closed" in capsys.readouterr().err


@pytest.mark.parametrize("locale", ["POSIX", "C", "C.UTF-8"])
def test_the_locale_does_not_matter(home: Path, locale: str) -> None:
    """A management system runs in any, and its plug-ins write UTF-8."""
    code = "import sys; from apclient.main import main; sys.exit(main())"
    argv = [sys.executable, "-c", code, "--gateway", "http://127.0.0.1:9", "--map-data", "a|b", "größe 5 €"]
    environ = {"IA_HOME": str(home), "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert 0 == subprocess.run(argv, env=environ, check=False, cwd=ROOT).returncode
    (path,) = (home / "var/apclient").glob("*.parcel")
    assert "größe 5 €".encode() in path.read_bytes()


def test_a_folder_that_is_gone_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A management system may have removed the folder in which it started the program."""
    monkeypatch.delenv("IA_HOME", raising=False)
    monkeypatch.setattr("sys.argv", ["apclient"])
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert program.UNAVAILABLE == program.main(["--gateway", "http://127.0.0.1:9", *ARGV])
    assert "There is no agent home to keep the event in" in capsys.readouterr().err
