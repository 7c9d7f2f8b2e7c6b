"""What lies in the home, as a doctor reads it."""

from __future__ import annotations

import attrs
import pytest

from agent.config.model import Constant, HttpDestination
from iadmin.diagnosis.home import Kept, Reach, look_at_clear_secrets, look_at_kept, look_at_path
from tests.iadmin.fakes import agent_config, service_config


@pytest.mark.parametrize(
    ("reach", "is_running", "expected"),
    [
        (Reach.WRITABLE, True, []),
        (Reach.DENIED, False, ["not-writable"]),
        (Reach.NO_FOLDER, False, ["not-a-folder"]),
        (Reach.LINK_TO_NOTHING, False, ["link-to-nothing"]),
        (Reach.ABSENT, False, []),
        (Reach.ABSENT, True, ["folder-gone"]),
    ],
)
def test_paths(reach: Reach, is_running: bool, expected: list[str]) -> None:
    """A folder that is absent is made at the start, and missed by an agent that runs."""
    found = look_at_path("/srv/agent/var/log", reach, account="ia", is_running=is_running)
    assert expected == [one.code for one in found]


@pytest.mark.parametrize(
    ("kept", "is_running", "expected"),
    [
        (Kept(), True, []),
        (Kept(waiting=3, oldest_s=2), True, []),
        (Kept(waiting=3, oldest_s=90), True, ["parcels-wait"]),
        (Kept(waiting=3, oldest_s=90), False, ["parcels-kept"]),
        (Kept(refused=1), False, ["parcels-refused"]),
    ],
)
def test_kept_events(kept: Kept, is_running: bool, expected: list[str]) -> None:
    """What has just come is fetched within a second."""
    found = look_at_kept(kept, folder="var/apclient", is_running=is_running)
    assert expected == [one.code for one in found]


def test_secrets_in_the_configuration() -> None:
    """Told by their names, and never shown."""
    constants = (Constant(name="api_token", value="s3cret"), Constant(name="author", value="Ann"))
    config = attrs.evolve(
        agent_config(attrs.evolve(service_config("applications", "pumps"), constants=constants)),
        destinations=(
            HttpDestination(name="one", url="https://x/in", headers=(("X-Api-Key", "s3cret"), ("Accept", "*/*"))),
            HttpDestination(name="two", url="https://x/in?apiKey=s3cret"),
        ),
    )
    found = list(look_at_clear_secrets(config))
    assert ["clear-secret", "secret-in-url", "clear-secret"] == [one.code for one in found]
    assert "s3cret" not in str(found)
