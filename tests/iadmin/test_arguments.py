"""Services by any of their names, moments by age or by date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.errors import ExitStatus, OperatorError
from agent.names import ServiceName
from iadmin.commands.arguments import find_moment, find_service

SAMPLE = ServiceName(domain="applications", name="sample-plan")
PUMP_A = ServiceName(domain="plant_a", name="pump")
PUMP_B = ServiceName(domain="plant", name="a_pump")
PUMP_C = ServiceName(domain="plant_c", name="pump")
KNOWN = (SAMPLE, PUMP_A, PUMP_C)
NOW = datetime(2025, 7, 30, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["applications|sample-plan", "applications_sample-plan", "sample-plan"])
def test_a_service_has_three_names(text: str) -> None:
    """The client id, the URL's spelling and the bare name all find it."""
    assert SAMPLE == find_service(KNOWN, text)


def test_a_bare_name_must_be_unambiguous() -> None:
    """Two services of one name are told apart by their domains, and the sentence offers them."""
    with pytest.raises(OperatorError) as caught:
        find_service(KNOWN, "pump")
    assert '\'pump\' is the name of 2 services; say "plant_a|pump" or "plant_c|pump"' == caught.value.sentence
    assert ExitStatus.USAGE == caught.value.exit_status
    assert PUMP_C == find_service(KNOWN, "plant_c_pump")


def test_a_url_name_is_looked_up_and_never_split() -> None:
    """`plant_a_pump` could be cut at either underscore."""
    assert PUMP_B == find_service((PUMP_B,), "plant_a_pump")


def test_an_unknown_service_is_answered_with_the_nearest() -> None:
    """A typing mistake costs one look."""
    with pytest.raises(OperatorError, match=r"there is no service 'sampel-plan' \(did you mean \"sample-plan\"\?\)"):
        find_service(KNOWN, "sampel-plan")
    with pytest.raises(OperatorError, match="the configuration has none at all"):
        find_service((), "x")


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("15min", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
        ("today", timedelta(hours=12)),
        ("2025-07-30", timedelta(hours=12)),
        ("2025-07-30T11:00", timedelta(hours=1)),
        ("2025-07-30T11:00+02:00", timedelta(hours=3)),
    ],
)
def test_moments(text: str, back: timedelta) -> None:
    """Ages count back from now; times without a zone are the reader's."""
    assert NOW - back == find_moment(text, NOW)


@pytest.mark.parametrize("text", ["yesterday-ish", "15", "-3h", "9999999d", "999999w"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """The sentence shows what can be said."""
    with pytest.raises(OperatorError, match="say an age"):
        find_moment(text, NOW)
