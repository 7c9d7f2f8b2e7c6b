"""The unit that systemd reads."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from iadmin.unit import UnitFacts, path_word, unit_text, word


def facts(**changes: object) -> UnitFacts:
    return UnitFacts(
        **{
            "agent_id": "plant7",
            "home": PurePath("/srv/agent"),
            "user": "ia",
            "agent_program": PurePath("/opt/ia/bin/integration-agent"),
            "iadmin_program": PurePath("/opt/ia/bin/iadmin"),
        }
        | changes
    )


def settings(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_agent_is_started_and_reloaded_by_full_paths() -> None:
    """As `systemd.service(5)` asks for."""
    found = settings(unit_text(facts()))
    assert ["/opt/ia/bin/integration-agent --home /srv/agent"] == found["ExecStart"]
    assert ["/opt/ia/bin/iadmin --home /srv/agent reload"] == found["ExecReload"]
    assert (["notify"], ["ia"]) == (found["Type"], found["User"])


def test_only_the_working_folder_can_be_written() -> None:
    """Configuration and services are read-only to the agent, whatever a service does."""
    found = settings(unit_text(facts(writable=[PurePath("/data/out box")])))
    assert (["strict"], ['/srv/agent/var "/data/out box"']) == (found["ProtectSystem"], found["ReadWritePaths"])


def test_the_right_to_low_ports_is_given_only_where_it_is_needed() -> None:
    """Port 443 without running as root."""
    assert [""] == settings(unit_text(facts(ports=[8081])))["AmbientCapabilities"]
    found = settings(unit_text(facts(ports=[8081, 443])))
    assert [["CAP_NET_BIND_SERVICE"]] * 2 == [found["AmbientCapabilities"], found["CapabilityBoundingSet"]]


def test_credentials_are_loaded_by_systemd() -> None:
    """One line each."""
    found = settings(unit_text(facts(credentials=["keystore-password:/etc/secret"])))
    assert ["keystore-password:/etc/secret"] == found["LoadCredential"]
    assert "LoadCredential" not in settings(unit_text(facts()))


def test_faults_that_stay_are_not_started_again() -> None:
    """Usage, data, no home, no right, configuration; a port that is taken may be free in a moment."""
    assert ["64 65 66 77 78"] == settings(unit_text(facts()))["RestartPreventExitStatus"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/agent", "/srv/agent"),
        ("/srv/my agent", '"/srv/my agent"'),
        ("/srv/100%", '"/srv/100%%"'),
        ("/srv/$HOME", '"/srv/$$HOME"'),
        ('/srv/"x"', '"/srv/\\"x\\""'),
        ("/srv/a\\b", '"/srv/a\\\\b"'),
    ],
)
def test_words_mean_what_they_say(text: str, expected: str) -> None:
    """No specifier, variable or escape of systemd's is found in a path."""
    assert expected == word(text)


def test_a_dollar_in_a_list_of_paths_is_a_dollar() -> None:
    """Only command lines know variables."""
    assert '"/srv/$x"' == path_word(PurePath("/srv/$x"))
