from __future__ import annotations

import json

import attrs
import pytest

from agent.config.model import AgentConfig
from agent.config.show import masked_url, show_config
from tests.config.memory import DESCRIPTOR, MemoryFiles, config_of

CANARY = "canary-7d1f"


def config() -> AgentConfig:
    inner = (
        f'<destinations><destination name="x" url="https://example.com/t?apiKey={CANARY}&amp;a=b">'
        f'<header name="X-Api-Key">{CANARY}</header><header name="Accept">text/plain</header>'
        "<basic><user>ia_user</user><password-file>pw</password-file></basic></destination></destinations>"
        "<service-configs><path>p/pumps.xml</path></service-configs>"
    )
    files = MemoryFiles({"conf/pw": CANARY, "services/p/pumps.xml": DESCRIPTOR, "services/p/pumps.py": ""})
    return config_of(inner, files)


def test_no_secret_is_shown():
    """Passwords, keys in headers and keys in URLs are masked, in the data and in the repr of the record."""
    assert CANARY not in json.dumps(show_config(config()))
    assert CANARY not in repr(config().destinations[0].credentials)  # type: ignore[union-attr]


def test_everything_is_shown_with_its_default():
    """Every field of every record is there, as JSON."""
    shown = json.loads(json.dumps(show_config(config())))
    assert {field.name for field in attrs.fields(AgentConfig)} == set(shown)
    assert 10485760 == shown["gateways"][0]["limits"]["max_body_bytes"]
    assert "applications|pumps" == shown["services"][0]["name"]
    assert "active" == shown["services"][0]["initial_state"]
    first, second = shown["destinations"]
    assert ("http", "outbox") == (first["type"], second["type"])
    assert {"user": "ia_user", "password": "********", "path": "/home-of-agent/conf/pw"} == first["credentials"]
    assert [{"name": "X-Api-Key", "value": "********"}, {"name": "Accept", "value": "text/plain"}] == first["headers"]
    assert "/home-of-agent/var/outbox/outbox.jsonl" == second["path"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a/b", "https://a/b"),
        ("https://a/b?c=d&&e", "https://a/b?c=d&&e"),
        ("https://a/b?c=d&Access_Token=e=f&g", "https://a/b?c=d&Access_Token=********&g"),
    ],
)
def test_urls_keep_what_is_not_secret(url, shown):
    """Only the values of telltale parameters go."""
    assert shown == masked_url(url)


def test_an_unknown_kind_of_value_is_not_shown():
    """A new field of a kind that nobody thought of stops here instead of leaking."""
    with pytest.raises(TypeError, match="bytes cannot be shown"):
        show_config(attrs.evolve(config(), agent_id=b"x"))  # type: ignore[arg-type]
