from __future__ import annotations

from agent.config.problem import ConfigFaults, Problem, Severity, listed, nearest, printable, shown
from agent.errors import ExitStatus


def test_an_error_reads_file_line_place_text():
    """The form is the one that editors and people know from compilers."""
    problem = Problem(
        file="iaconfig.xml", line=41, where="service-gateway/@port", text='"80810" is not a port (1-65535)'
    )
    assert 'iaconfig.xml:41: service-gateway/@port: "80810" is not a port (1-65535)' == str(problem)


def test_a_warning_says_so_after_the_line():
    """A warning is told from an error at a glance, and both sort by file and line."""
    assert "a.xml:3: warning: x: odd" == str(
        Problem(file="a.xml", line=3, where="x", text="odd", severity=Severity.WARNING)
    )


def test_a_problem_without_line_and_place_has_no_empty_colons():
    """A file that is missing has neither."""
    assert "iaconfig.xml: the file does not exist" == str(Problem(file="iaconfig.xml", text="the file does not exist"))


def test_nothing_that_moves_a_cursor_survives():
    """Escape sequences, line breaks, C1 controls and right-to-left marks from a file reach the terminal as text."""
    problem = Problem(file="a\x1b[2J.xml", line=1, where="x\r\ny", text="\x9b31m \u202e \u2028")
    assert r"a\x1b[2J.xml:1: x\r\ny: \x9b31m \u202e \u2028" == str(problem)
    assert str(problem).isprintable()


def test_printable_text_is_left_as_it_is():
    """Umlauts and Chinese need no escape."""
    assert "Zürich 東京" == printable("Zürich 東京")


def test_long_values_are_cut():
    """A value of a megabyte does not flood the log."""
    assert 85 == len(shown("x" * 1_000_000))


def test_faults_carry_everything_and_the_exit_status():
    """`ConfigFaults` ends in EX_CONFIG and counts errors, not warnings."""
    warning = Problem(file="a.xml", line=1, text="odd", severity=Severity.WARNING)
    errors = [Problem(file="a.xml", line=n, text="wrong") for n in (2, 3)]
    faults = ConfigFaults([warning, *errors])
    assert (warning, *errors) == faults.problems
    assert "the configuration has 2 faults; the first: a.xml:2: wrong" == faults.sentence
    assert ExitStatus.CONFIG is faults.exit_status


def test_names_are_listed_as_in_a_sentence():
    """One, two and three names each read naturally."""
    assert ["nothing", "a", "a or b", "a, b or c"] == [listed("abc"[:n]) for n in range(4)]


def test_the_nearest_name_is_suggested():
    """A slip is recognised, also in case; something else entirely is not."""
    assert ' (did you mean "port"?)' == nearest("Prot", ["host", "port", "ssl"])
    assert "" == nearest("temperature", ["host", "port", "ssl"])
