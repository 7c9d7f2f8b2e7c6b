"""`<admin-gateway>`."""

from __future__ import annotations

import pytest

from agent.config.problem import ConfigFaults
from tests.config.memory import HOME, MemoryFiles, parse

GATEWAY = '<service-gateway port="8081"/>'


def read(xml: str, files: MemoryFiles | None = None):
    return parse(f"<iaconfig>{xml}{GATEWAY}</iaconfig>", files).config.admin


def test_without_the_element_there_is_no_admin_gateway():
    """Homes of before stay as they are."""
    assert read("") is None


def test_its_defaults_are_for_this_machine_alone():
    """Port 8082, the keystore beside the configuration."""
    found = read("<admin-gateway/>")
    assert ("127.0.0.1", 8082, HOME / "conf" / ".keystore", None) == (
        found.host,
        found.port,
        found.keystore,
        found.password_file,
    )


def test_the_password_file_of_a_gateway_with_the_same_keystore_counts():
    """It needs to be said once."""
    files = MemoryFiles({"conf/pw": "x", "conf/other": "x"})
    xml = '<admin-gateway{}/><service-gateway port="1" keystore-password-file="pw"/>'
    assert HOME / "conf" / "pw" == read(xml.format(""), files).password_file
    assert read(xml.format(' keystore="mine"'), files).password_file is None
    assert HOME / "conf" / "other" == read(xml.format(' keystore-password-file="other"'), files).password_file


@pytest.mark.parametrize("attributes", ['port="80810"', 'host=""', 'keystore-password-file="nowhere"'])
def test_faults_are_named(attributes):
    """With their place."""
    with pytest.raises(ConfigFaults) as failure:
        read(f"<admin-gateway {attributes}/>")
    assert "admin-gateway/@" in failure.value.lines[0]


def test_it_may_stand_once():
    """One door is enough."""
    with pytest.raises(ConfigFaults, match="only once"):
        read("<admin-gateway/><admin-gateway port='1'/>")
