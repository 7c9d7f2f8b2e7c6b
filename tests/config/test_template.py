"""Body templates."""

from __future__ import annotations

import pytest

from agent.config.model import HttpDestination
from agent.config.template import check_template, filled
from agent.upstream.http import body_of
from tests.config.memory import config_of, wrapped_problems
from tests.support.fake_spool import FakeSpool


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{"a": ${body.t|json}, "n": ${body.m.n|json}}', '{"a": "x\\"<\\u00e4", "n": 5}'),
        ("<a>${body.t|xml}</a>", "<a>x&quot;&lt;\u00e4</a>"),
        ("q=${body.t|url}", "q=x%22%3C%C3%A4"),
        ("${body.none}|${body.t.deeper}|${id}|$$|$x", "||e/1|$|$x"),
    ],
)
def test_places_are_filled_in_the_spelling_of_where_they_stand(template, text):
    """Nothing that an event holds can end a string, an element or a parameter."""
    values = {"id": "e/1", "body": '{"t": "x\\"<\u00e4", "m": {"n": 5}}'}
    assert text == filled(check_template(template), values)


def test_a_body_that_is_no_json_has_no_members():
    """The request goes out all the same."""
    assert "[]" == filled("[${body.a}]", {"body": "<xml/>"})


@pytest.mark.parametrize("place", ["${what}", "${id.a}", "${body|html}", "${}"])
def test_places_that_name_nothing_are_faults(place):
    """Told when the configuration is read, and not with the first event."""
    text = f'<destinations><destination name="x" url="https://a/"><body>{place}</body></destination></destinations>'
    assert any("${" in problem for problem in wrapped_problems(text))


def test_the_template_makes_the_body():
    """From the request's own facts."""
    text = (
        '<destinations><destination name="x" url="https://a/"><body content-type="text/plain">'
        "${service}: ${body}</body></destination></destinations>"
    )
    found = config_of(text).destinations[0]
    assert isinstance(found, HttpDestination)
    assert "text/plain" == found.body_type
    assert b"applications|sample-plan: {}" == body_of(found, FakeSpool().put())
