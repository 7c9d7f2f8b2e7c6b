"""agent.config.filters: filters against repeated events, and each way in which their files go wrong."""

from __future__ import annotations

import pytest

from agent.config.model import DedupFilter
from tests.config.memory import DESCRIPTOR, NAMESPACE, ROOT, MemoryFiles, config_of, wrapped_problems

LISTED = "<service-configs><path>p/pumps.xml</path></service-configs>"
STOCK = """<filter name="ping-plan"><predicates><predicate>device</predicate></predicates>
<suppression_period>300</suppression_period><window_size>2000</window_size></filter>"""
PUMPS = """<filter name="pumps"><predicates><predicate>pump</predicate><predicate>severity</predicate></predicates>
<suppression_period>300</suppression_period><window_size>2000</window_size></filter>"""


def filters(inner: str) -> str:
    return f'<deduplicator xmlns="{NAMESPACE}">{inner}</deduplicator>'


def home(filter_file: str | None = None, *, more: str = "", script: str = "", **files: str) -> MemoryFiles:
    """A home with the service `pumps`, into whose descriptor `more` is put."""
    descriptor = DESCRIPTOR.replace("</integration-service>", f"{more}</integration-service>")
    given = {"services/p/pumps.xml": descriptor, "services/p/pumps.py": script, **files}
    if filter_file is not None:
        given["conf/deduplicator-filter.xml"] = filter_file
    return MemoryFiles(given)


def test_filters_are_read() -> None:
    """Name, predicates, period in seconds, window."""
    config = config_of("", home(filters(STOCK + PUMPS)))
    assert (
        DedupFilter(name="ping-plan", predicates=("device",), suppression_period_s=300, window_size=2000),
        DedupFilter(name="pumps", predicates=("pump", "severity"), suppression_period_s=300, window_size=2000),
    ) == config.filters


def test_the_same_filter_twice_is_a_warning() -> None:
    """Files that were merged by hand have the shipped filters more than once."""
    files = home(filters(STOCK + PUMPS + PUMPS))
    assert ["ping-plan", "pumps"] == [each.name for each in config_of("", files).filters]
    (problem,) = wrapped_problems("", files)
    assert "warning" in problem
    assert '"pumps" stands in line 2 already, the same' in problem


def test_the_shipped_file_is_without_warning() -> None:
    """The three filters of the original, as they are."""
    shipped = (ROOT / "conf" / "deduplicator-filter.xml").read_text(encoding="utf-8")
    files = home(shipped, more='<deduplication filter="sample-plan"/>')
    config = config_of(LISTED, files)
    assert [] == wrapped_problems(LISTED, files)
    assert ["sample-plan", "sample-terminate", "ping-plan"] == [each.name for each in config.filters]
    assert "sample-plan" == config.services[0].dedup_filter


def test_no_file_is_no_fault() -> None:
    """Who needs no filter needs no file."""
    assert [] == wrapped_problems(LISTED, home())
    assert () == config_of(LISTED, home()).filters


def test_a_filter_that_does_not_exist_is_an_error() -> None:
    """In the original it is silently off."""
    files = home(filters(STOCK), more='<deduplication filter="ping-plam"/>')
    (problem,) = wrapped_problems(LISTED, files)
    assert problem.startswith('services/p/pumps.xml:6: deduplication/@filter: there is no filter "ping-plam"')
    assert problem.endswith('in deduplicator-filter.xml (did you mean "ping-plan"?)')
    assert 'there is no filter "x"' in wrapped_problems(LISTED, home(more='<deduplication filter="x"/>'))[0]


@pytest.mark.parametrize(
    "name",
    ["conf/deduplication-filter.xml", "conf/deduplicator-filter.pumps.xml", "services/p/deduplicator-filter.xml"],
)
def test_a_file_under_another_name_warns(name: str) -> None:
    """Such files come with integrations and were never merged into the one that counts."""
    (problem,) = wrapped_problems(LISTED, home(filters(STOCK), **{name: filters(PUMPS)}))
    assert problem.startswith(f"{name}: warning: is not read: filters count in conf/deduplicator-filter.xml only;")


def test_a_replaced_file_warns() -> None:
    """An integration's file copied over the shipped one takes the filters of the others away."""
    (problem,) = wrapped_problems(LISTED, home(filters(PUMPS)))
    assert "none of the shipped filters (ping-plan, sample-terminate, sample-plan) is here" in problem


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("suppress for 30 minutes", '"30 minutes", which is 1800 seconds; the value is 300 SECONDS'),
        ("12 hours", '"12 hours", which is 43200 seconds; the value is 300 SECONDS'),
        ("5 minutes", ""),
        ("300 seconds", ""),
        ("5 minutes; it was 10 minutes", ""),
        ("pump 7 of 12", ""),
    ],
)
@pytest.mark.parametrize("place", ["in front", "inside"])
def test_a_comment_that_contradicts_the_period_warns(comment: str, expected: str, place: str) -> None:
    """The classic slip: minutes were meant, seconds were written."""
    written = f"<!-- {comment} -->"
    text = PUMPS.replace("<suppr", f"{written}<suppr") if place == "inside" else written + PUMPS
    problems = wrapped_problems(LISTED, home(filters(STOCK + text)))
    assert [expected] * bool(expected) == [line.partition("a comment says ")[2] for line in problems]


def test_capital_letters_in_a_predicate_warn() -> None:
    """Keys of APXML are in lower case; here the case does not matter, which is said."""
    text = PUMPS.replace(">pump<", ">Pump<")
    (problem,) = wrapped_problems(LISTED, home(filters(STOCK + text)))
    assert 'the predicate "Pump" has capital letters' in problem


def test_a_predicate_that_no_message_has_warns() -> None:
    """Where the descriptor lists the tokens, one that is not among them never matches."""
    mapped = '<mapped-input method="add"><parameter>Pump</parameter></mapped-input>'
    constants = '<constants><constant name="site">7</constant></constants>'
    files = home(filters(STOCK + PUMPS), more=f'{mapped}{constants}<deduplication filter="pumps"/>')
    (problem,) = wrapped_problems(LISTED, files)
    assert 'the predicate "severity" of the filter is neither a parameter nor a constant here' in problem


@pytest.mark.parametrize("name", ["DEDUPLICATOR_FILTER", "DEDUPLICATION_FILTER_NAME"])
def test_the_originals_variable_in_a_script_warns(name: str) -> None:
    """Scripts that are carried over set a variable that nobody reads here."""
    (problem,) = wrapped_problems(LISTED, home(script=f'X = 1\n{name} = "pumps"\n'))
    assert f"the script sets {name}, which switches nothing on here" in problem


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        (PUMPS + PUMPS.replace("2000", "9"), 'the filter "pumps" is already defined in line 2'),
        (PUMPS.replace(">300<", ">5m<"), '"5m" is not a whole number from 1 to 2678400'),
        (PUMPS.replace(">2000<", ">0<"), '"0" is not a whole number from 1 to 50000'),
        (PUMPS.replace("<suppression_period>300</suppression_period>", ""), '"suppression_period" is missing'),
        ('<filter name="x"/>', 'the element "predicates" is missing'),
        (PUMPS.replace(' name="pumps"', ""), 'the attribute "name" is missing'),
    ],
)
def test_faults_are_errors_with_their_line(inner: str, sentence: str) -> None:
    """As in the other files."""
    problems = [line for line in wrapped_problems("", home(filters(STOCK + inner))) if "warning" not in line]
    assert any(sentence in line for line in problems), problems
    assert all(line.startswith("deduplicator-filter.xml:") for line in problems)


def test_another_root_is_an_error() -> None:
    """A file of something else in this place is a mistake."""
    (problem,) = wrapped_problems("", home("<html/>"))
    assert '"html", not "deduplicator": not a file of filters' in problem
