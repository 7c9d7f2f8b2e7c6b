"""Arguments in, text or JSON and an exit status out; every failure a sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agent.config.problem import Problem
from agent.errors import ExitStatus, OperatorError
from iadmin.commandline import BROKEN_PIPE, COMMANDS, INTERRUPTED, run_command
from iadmin.commands.lazy import Group, LazyGroup, Switches
from iadmin.text import for_home
from tests.iadmin.fakes import EVENT_ID, World, detail

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"twisted", "lxml", "rich", "cryptography", "OpenSSL", "apsw", "attr", "attrs", "zope", "asyncio", "http"}


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_a_look_at_iadmin_costs_no_more_than_click(argument: str) -> None:
    """Neither libraries nor command modules are imported for what needs none of them."""
    code = (
        "import sys; from iadmin.main import main; status = main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, argument], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    modules = done.stderr.split()
    assert set() == HEAVY & {name.partition(".")[0] for name in modules}
    assert ["iadmin.commands", "iadmin.commands.lazy"] == sorted(m for m in modules if "iadmin.commands" in m)
    assert "iadmin" in done.stdout


def test_a_command_of_the_control_link_needs_no_reactor(world: World) -> None:
    """Looking at the lock and the socket must not pay for Twisted."""
    code = "import sys; import agent.control, iadmin.link, iadmin.commands.agent; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert set() == {"twisted", "lxml", "rich", "cryptography"} & {m.partition(".")[0] for m in done.stdout.split()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_commands_say(name: str) -> None:
    """The sentence in the list of commands is the first of the command's own help."""
    group = LazyGroup("iadmin", lazy=COMMANDS)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert name == command.name
    assert (command.help or "").partition("\n")[0] == COMMANDS[name][1]


def test_the_common_options_stand_before_or_after_the_command(world: World) -> None:
    """People type --json at the end, scripts at the beginning."""
    (world.cwd / "other").mkdir()
    assert world.run("--json", "event", "list").out == world.run("event", "list", "--json").out
    for arguments in (("--home", "other", "stop"), ("stop", "--home", "other")):
        assert "--home names" in world.run(*arguments).err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evnt"], "there is no command 'evnt' (did you mean \"event\"?)"),
        (["event", "lst"], "there is no command 'lst' (did you mean \"list\"?)"),
        (["event", "list", "--sinse", "2h"], "No such option: --sinse"),
        (["event", "list", "--limit", "0"], "Invalid value for '--limit'"),
        (["event", "list", "--state", "lost"], "Invalid value for '--state'"),
        (["event", "send", "sample-plan"], "Missing argument 'FILE'"),
        (["stop", "now"], "unexpected extra argument"),
        (["set-log-level"], "Missing argument 'LEVEL'. Choose from: debug, info, warn, error"),
    ],
)
def test_wrong_words_are_one_sentence(world: World, arguments: list[str], sentence: str) -> None:
    """Exit status 64, the word itself, and where help is."""
    answer = world.run(*arguments)
    assert (ExitStatus.USAGE, "") == (answer.status, answer.out)
    assert sentence in answer.err.replace("option '--sinse'", "option: --sinse")
    assert "--help" in answer.err
    assert 1 == len(answer.err.splitlines())


@pytest.mark.parametrize("arguments", [[], ["event"]])
def test_no_command_shows_the_commands(world: World, arguments: list[str]) -> None:
    """Help on standard error, because nothing was done; exit status 64."""
    answer = world.run(*arguments)
    assert (ExitStatus.USAGE, "") == (answer.status, answer.out)
    assert "Commands:" in answer.err


def test_the_home_is_named_by_option_then_environment_then_here(world: World) -> None:
    """The more particular wins, and a wrong one is not silently replaced by another."""
    assert 0 == world.run("status").status
    world.environ["IA_HOME"] = "nowhere"
    answer = world.run("status")
    assert ExitStatus.NO_INPUT == answer.status
    assert f"IA_HOME names '{world.cwd / 'nowhere'}', which is no agent home" in answer.err
    assert 0 == world.run("--home", str(world.home), "status").status


def test_no_home_at_all_says_how_to_make_one(world: World) -> None:
    """One sentence with the remedy."""
    world.home.rename(world.cwd / "elsewhere")
    answer = world.run("event", "list")
    assert ExitStatus.NO_INPUT == answer.status
    assert '"iadmin init DIR" makes a new one' in answer.err


def test_iaconfig_may_be_spelled_as_in_the_original(world: World) -> None:
    """IAConfig.xml makes a home too."""
    (world.home / "conf" / "iaconfig.xml").rename(world.home / "conf" / "IAConfig.xml")
    assert 0 == world.run("status").status


def test_a_failure_is_a_sentence_and_with_json_a_document(world: World) -> None:
    """Scripts get code and status, people the sentence; both are the same failure."""
    world.link.failure = OperatorError("some-code", "the pump \x1b[31m is broken; mend it")
    answer = world.run("--json", "status")
    assert ExitStatus.CONFIG == answer.status
    assert "iadmin: the pump \\x1b[31m is broken; mend it\n" == answer.err
    assert {
        "error": {"code": "some-code", "sentences": ["the pump \x1b[31m is broken; mend it"], "exit_status": 78}
    } == answer.document
    assert "\x1b" not in answer.out


def test_wrong_words_are_a_document_too(world: World) -> None:
    """Also when the words that are wrong come before the command has been found."""
    answer = world.run("--json", "evnt")
    assert (ExitStatus.USAGE, "usage") == (answer.status, answer.document["error"]["code"])
    answer = world.run("event", "list", "--limit", "0", "--json")
    assert (ExitStatus.USAGE, "usage") == (answer.status, answer.document["error"]["code"])


def test_a_fault_of_ours_has_no_traceback_unless_asked(world: World) -> None:
    """Exit status 70 and one sentence; --debug shows where."""
    world.link.failure = ValueError("surprise")
    answer = world.run("status")
    assert (ExitStatus.SOFTWARE, 1) == (answer.status, len(answer.err.splitlines()))
    assert "ValueError: surprise" in answer.err
    assert "Traceback" in world.run("status", "--debug").err


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (PermissionError(13, "Permission denied", "/x"), ExitStatus.NO_PERMISSION),
        (FileNotFoundError(2, "No such file or directory", "/x"), ExitStatus.NO_INPUT),
        (OSError(28, "No space left on device", "/x"), ExitStatus.IO_ERROR),
    ],
)
def test_what_the_system_refuses_is_a_sentence(world: World, failure: OSError, status: ExitStatus) -> None:
    """With the file's name."""
    world.link.failure = failure
    answer = world.run("status")
    assert (status, f"iadmin: '/x': {failure.strerror}\n") == (answer.status, answer.err)


def test_control_c_ends_quietly(world: World) -> None:
    """As a shell reports it, without a traceback."""
    world.link.failure = KeyboardInterrupt()  # type: ignore[assignment]
    answer = world.run("status")
    assert (INTERRUPTED, "", "") == (answer.status, answer.out, answer.err.strip())


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    """`iadmin --help | head -0`: no message, no traceback, the status of a broken pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from iadmin.main import main; sys.exit(main(['completion', 'bash']))"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (BROKEN_PIPE, b"") == (done.returncode, done.stderr)


def test_json_is_one_document_without_notes(world: World) -> None:
    """Notes go to standard error, so that standard output can be parsed."""
    world.running = False
    answer = world.run("--json", "event", "list")
    assert EVENT_ID == answer.document["events"][0]["id"]
    assert "not running" in answer.err


def test_a_terminal_is_drawn_on_and_a_pipe_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour where a person looks, none in files; the facts are the same."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert 0 == run_command(["event", "list"], build=world.build)
    monkeypatch.undo()
    drawn = terminal.getvalue()
    assert "\x1b[32mdone" in drawn
    assert EVENT_ID in drawn
    piped = world.run("event", "list").out
    assert "\x1b" not in piped
    assert EVENT_ID in piped


def test_a_body_on_a_terminal_can_be_copied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long lines are not broken by us, where the reader would take our line ends for the sender's."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    world.link.shown = detail(body="<a>" + "word " * 40 + "</a>")
    assert 0 == run_command(["event", "show"], build=world.build)
    monkeypatch.undo()
    assert "<a>" + "word " * 40 + "</a>\n" in terminal.getvalue()


def test_all_lines_of_a_failure_are_shown(world: World) -> None:
    """Where many faults are found at once, none is kept back."""
    world.faults = [Problem(file="iaconfig.xml", line=n, text=f"fault {n}") for n in (1, 2)]
    answer = world.run("config", "show")
    assert ExitStatus.CONFIG == answer.status
    assert len(answer.err.splitlines()) >= 1
    assert "fault 1" in answer.err


def test_switches_belong_to_one_run(world: World) -> None:
    """A run with --json leaves nothing behind for the next."""
    assert json.loads(world.run("--json", "status").out)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(world.run("status").out)
    assert Switches().as_json is False


def test_groups_are_ours() -> None:
    """Every group below the root answers a typing mistake alike."""
    group = LazyGroup("iadmin", lazy=COMMANDS)
    commands = [group.get_command(click.Context(group), name) for name in COMMANDS]
    assert all(isinstance(command, Group) for command in commands if isinstance(command, click.Group))


def test_a_command_that_is_suggested_can_be_pasted() -> None:
    """With the home that was named, quoted for a shell; commands that need none, and options, stay as they are."""
    assert "see \"iadmin --home '/srv/my agent' event list\"" == for_home('see "iadmin event list"', "/srv/my agent")
    for text in ('see "iadmin event list"', 'say "iadmin --home /x stop"', '"iadmin --help"', '"iadmin init DIR"'):
        assert text == for_home(text, "" if "event" in text else "/srv/agent")


def test_notes_blocks_and_failures_name_the_home(world: World) -> None:
    """All three say what to do next."""
    world.link.status_answer["warnings"] = ['look at "iadmin deadletter list"']
    home = str(world.home)
    assert f'"iadmin --home {home} deadletter list"' in world.run("--home", home, "status").out
    world.link.shown = None
    assert f'"iadmin --home {home} event list"' in world.run("--home", home, "event", "show", "x").err
