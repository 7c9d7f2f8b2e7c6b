"""Which service a URL names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.names import ServiceName
from agent.wire.route import Routes, inactive_service

PLAN = ServiceName(domain="applications", name="sample-plan")
TWO = ServiceName(domain="my_apps", name="pump_alarms")
SPACE = ServiceName(domain="applications", name="tür 2")
ASLEEP = ServiceName(domain="applications", name="asleep")
ROUTES = Routes(active=(PLAN, TWO, SPACE), inactive=(ASLEEP,))


@pytest.mark.parametrize(
    ("target", "service", "path", "query"),
    [
        (b"/http/applications_sample-plan", PLAN, "", ""),
        (b"/http/applications_sample-plan/", PLAN, "/", ""),
        (b"/http/applications_sample-plan/event_change/17", PLAN, "/event_change/17", ""),
        (b"/http/applications_sample-plan?a=b%20c", PLAN, "", "a=b%20c"),
        (b"/http/applications_sample-plan/x?y/../z", PLAN, "/x", "y/../z"),
        (b"/http/my_apps_pump_alarms", TWO, "", ""),
        (b"/http/applications_sample%2Dplan", PLAN, "", ""),
        (b"/http/applications_t%C3%BCr%202", SPACE, "", ""),
        (SPACE.path.encode("ascii"), SPACE, "", ""),
        (b"http://agent.example:8081/http/applications_sample-plan/x", PLAN, "/x", ""),
        (b"/http/./other/../applications_sample-plan/a/./b/../c", PLAN, "/a/c", ""),
        (b"/http/applications_sample-plan/a%20b", PLAN, "/a b", ""),
        (b"/../../http/applications_sample-plan", PLAN, "", ""),
        (b"/http/applications_sample-plan?q=100%&x=%zz", PLAN, "", "q=100%&x=%zz"),
        (b"/http/applications_sample-plan/event/P%2F17/a%20b", PLAN, "/event/P%2F17/a b", ""),
        (b"/http/applications_sample-plan/C:\\x/%5C/b", PLAN, "/C:\\x/%5C/b", ""),
        (b"/http/applications_sample-plan/50%/B%FCro/a%0Ab/../%C3%BC", PLAN, "/50%/B%FCro/ü", ""),
    ],
)
def test_finds_the_service(target: bytes, service: ServiceName, path: str, query: str) -> None:
    """The target is decoded and normalised once, and what follows the name is kept for the service."""
    route = ROUTES.find(target)
    assert (service, path, query, True) == (route.service, route.path, route.query, route.is_active)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/http/",
        b"/http",
        b"/http//applications_sample-plan",
        b"/http/Applications_sample-plan",
        b"/http/applications_sample-plan%20",
        b"/http/applications_sample-plan/../../etc",
        b"/HTTP/applications_sample-plan",
        b"/http/applications|sample-plan",
    ],
)
def test_everything_else_is_unknown(target: bytes) -> None:
    """Names match exactly; the answer says how a URL looks."""
    with pytest.raises(SenderError) as caught:
        ROUTES.find(target)
    assert 404 == caught.value.status
    assert "/http/<domain>_<name>" in caught.value.sentence


@pytest.mark.parametrize(
    "target",
    [
        b"*",
        b"agent.example:443",
        b"",
        b"/http/applications_sample-plan%00",
        b"/http/applications_sample-plan%0d%0aX: y",
        b"/http%2Fapplications_sample-plan",
        b"/http/applications_sample-plan/..%2f..%2f",
        b"/http/%5c",
        b"/http/\\",
        b"/http/%c0%af",
        b"/http/%zz",
        b"/http/%",
        b"/http/applications_sample-plan/a%2f..%2f",
        b"/http/applications_sample-plan/..%5ca",
        b"/http/applications_sample-plan%2F17",
        b"/http%5Capplications_sample-plan/x",
        b"/http/a#b",
        b"/http/\xc3\xbc",
        b"/http/a\x1b[2J",
        b"/http/%e2%80%ae",
    ],
)
def test_ambiguous_targets_are_refused(target: bytes) -> None:
    """Encoded slashes, control characters, overlong UTF-8 and broken escapes are a 400, echoed harmlessly."""
    with pytest.raises(SenderError) as caught:
        ROUTES.find(target)
    assert 400 == caught.value.status
    assert caught.value.sentence.isprintable()


@given(st.binary(max_size=60).map(lambda rest: b"/http/" + rest))
def test_never_fails_otherwise(target: bytes) -> None:
    """Any bytes are a route, a 400 or a 404, and what is echoed is printable and short."""
    try:
        ROUTES.find(target)
    except SenderError as error:
        assert error.status in (400, 404)
        assert error.sentence.isprintable()
        assert len(error.sentence) < 700


def test_suggests_the_nearest_name() -> None:
    """A slip of the pen is answered with the name that was probably meant, an inactive service is not named."""
    for slip in (b"/http/applications_sampleplan", b"/http/applications|sample-plan", b"/applications_sample-plan/"):
        with pytest.raises(SenderError, match=r"Did you mean /http/applications_sample-plan\?"):
            ROUTES.find(slip)
    with pytest.raises(SenderError) as caught:
        ROUTES.find(b"/http/applications_aslep")
    assert "asleep" not in caught.value.sentence


def test_long_names_cost_nothing() -> None:
    """A long name is cut in the answer."""
    with pytest.raises(SenderError) as caught:
        ROUTES.find(b"/http/" + b"x" * 8000)
    assert len(caught.value.sentence) < 300


def test_knows_inactive_services() -> None:
    """An inactive service is found, and its refusal says when to come back and whom to ask."""
    assert not ROUTES.find(b"/http/applications_asleep").is_active
    error = inactive_service(ASLEEP)
    assert 503 == error.status
    assert ("Retry-After", "300") in error.headers
    assert "applications|asleep is not active" in error.sentence


@pytest.mark.parametrize("target", [b"/", b"/http", b"/http/", b"/?x=y"])
def test_who_names_nobody_is_told_what_this_is(target: bytes) -> None:
    """A person with a browser learns how a URL looks, and not which services there are."""
    with pytest.raises(SenderError) as caught:
        ROUTES.find(target)
    assert ("no-service-named", 404) == (caught.value.code, caught.value.status)
    assert "/http/<domain>_<name>" in caught.value.sentence and "pump_alarms" not in caught.value.sentence


def test_the_services_own_url_is_the_platforms() -> None:
    """`/<domain>_<name>` and nothing behind it; the path under which it is stored says so."""
    found = ROUTES.find(b"/applications_sample-plan?a=1")

    assert (PLAN, "/response", "a=1", True) == (found.service, found.path, found.query, found.is_platform)
    assert not ROUTES.find(b"/http/applications_sample-plan/response").is_platform
