"""Where redirects lead, what goes along, and which are not followed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.outbound import RedirectPolicy
from agent.delivery import Answer
from agent.upstream import Refusal
from agent.upstream.redirect import Hop, next_hop, stays_with_origin

URL = "https://x.example/in?k=1"


def hop(status=302, location="/next", *, url=URL, method="POST", count=0, policy=None, has_key=False):
    answer = Answer(status=status, where="https://x.example/in")
    return next_hop(
        answer,
        url=url,
        method=method,
        location=location,
        count=count,
        policy=policy or RedirectPolicy(),
        has_key=has_key,
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_method_and_body_are_kept(status):
    """A GET would be answered by some page, and the event would count as delivered."""
    assert Hop(url="https://x.example/next", method="POST", keeps_body=True, keeps_login=True) == hop(status)


def test_303_is_a_get_without_body():
    """The far end says that it has taken the request and where its result is."""
    assert Hop(url="https://x.example/next", method="GET", keeps_body=False, keeps_login=True) == hop(303)


@pytest.mark.parametrize(
    ("location", "keeps"),
    [
        ("https://x.example:443/other", True),
        ("//x.example/other", True),
        ("https://y.example/in", False),
        ("https://x.example:8443/in", False),
        ("https://x.example.evil.example/in", False),
    ],
)
def test_credentials_stay_with_their_origin(location, keeps):
    """Scheme, host and port must be the same."""
    assert keeps is hop(location=location).keeps_login


def test_user_and_fragment_of_a_location_are_dropped():
    """A far end cannot make the agent log in as somebody."""
    assert "https://y.example/a" == hop(location="https://u:p@y.example/a#b").url


@pytest.mark.parametrize("status", [200, 300, 304, 305, 404])
def test_others_are_no_redirects(status):
    """Whatever Location they carry."""
    assert hop(status) is None


def test_redirects_can_be_switched_off():
    """EnableRedirect false."""
    assert hop(policy=RedirectPolicy(enabled=False)) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"location": "http://x.example/in"}, "from https to http"),
        ({"location": ""}, "without saying where to"),
        ({"location": "ftp://x.example/in"}, "no http or https URL"),
        ({"location": "https://[x/"}, "no http or https URL"),
        ({"location": "https://x.example/a b"}, "no http or https URL"),
        ({"location": "https://127.0.0.1/admin"}, "an address of this machine"),
        ({"location": "https://169.254.169.254/latest"}, "an address of this machine or its link"),
        ({"count": 3}, "one redirect more than the 3"),
        ({"location": "https://y.example/", "has_key": True}, "shown to no other host"),
    ],
)
def test_what_is_not_followed_waits_with_a_sentence(fields, words):
    """It may be a maintenance page, so it is not final."""
    with pytest.raises(Refusal) as caught:
        hop(**fields)
    assert words in caught.value.sentence
    assert (True, 60.0) == (caught.value.retryable, caught.value.after_s)


@given(st.text())
def test_no_location_raises_anything_else(location):
    """The far end chose it."""
    try:
        found = hop(location=location)
    except Refusal:
        return
    assert found.url.startswith("https://")


@pytest.mark.parametrize(
    ("header", "stays"),
    [("Authorization", True), ("appKey", True), ("X-Api-Key", True), ("Cookie", True), ("Idempotency-Key", False)],
)
def test_headers_that_tell_of_credentials(header, stays):
    """The id of the request is none."""
    assert stays is stays_with_origin(header)
