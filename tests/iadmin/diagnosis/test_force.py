"""What is in force against what the files say."""

from __future__ import annotations

from typing import Any

import pytest

from iadmin.diagnosis.force import look_at_admin, look_at_code, look_at_force


def test_what_has_changed_is_named() -> None:
    """At most five settings; the value is not shown."""
    in_force = {f"gateways.1.limits.{n}": "1" for n in range(7)}
    found = list(look_at_force(in_force, {**in_force, **{f"gateways.1.limits.{n}": "2" for n in range(6)}}))
    assert ["not-in-force"] == [one.code for one in found]
    assert found[0].what.endswith("gateways.1.limits.4 and 1 more")


def test_another_spelling_of_the_home_is_no_change() -> None:
    """One of them is a link; and the id follows the address of the machine."""
    link = {"home": "/srv/link", "services.1.script": "/srv/link/services/a.py", "agent_id": "plant7/192.0.2.1:8081"}
    real = {"home": "/srv/agent", "services.1.script": "/srv/agent/services/a.py", "agent_id": "plant7/192.0.2.2:8081"}
    assert [] == list(look_at_force(link, real))


def test_code_that_is_newer_than_its_worker() -> None:
    """The remedy is for that service alone."""
    assert ["code-not-in-force"] == [one.code for one in look_at_code("applications|pumps")]


@pytest.mark.parametrize(
    ("said", "facts", "expected"),
    [
        (None, {}, []),
        ({"key": "ab", "refused": {"plaintext": 3}}, {}, []),
        (None, {"trouble": "no key"}, ["admin-no-key"]),
        (None, {"bind": "taken"}, ["admin-address"]),
        ({"trouble": "port 8082 is taken", "key": "ab"}, {}, ["admin-not-open"]),
        ({"key": "cd"}, {}, ["admin-other-key"]),
        ({"key": "ab", "refused": {"wrong-key": 2, "no-key": 1}}, {}, ["admin-refused"]),
    ],
)
def test_the_admin_gateway(said: dict[str, Any] | None, facts: dict[str, str], expected: list[str]) -> None:
    """One finding for what keeps it shut, and one for those that were turned away."""
    given = {"key": "ab", "trouble": "", "remedy": "", "bind": "", **facts}
    assert expected == [one.code for one in look_at_admin(said, **given)]
