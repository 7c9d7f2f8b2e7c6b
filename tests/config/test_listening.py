from __future__ import annotations

import attrs
import pytest

from agent.config.listening import LIMITS
from agent.config.model import GatewayConfig, GatewayLimits
from agent.config.tls import TlsConfig
from tests.config.memory import HOME, config_of, problems_of, wrapped_problems


def test_the_original_line_is_understood():
    """`<service-gateway ssl="false" port="8081"/>` of the original means the same here."""
    tls = TlsConfig(keystore=HOME / "conf" / ".keystore")
    assert (GatewayConfig(host="", port=8081, ssl=False, tls=tls),) == config_of("").gateways


def test_every_limit_can_be_set():
    """Each field of `GatewayLimits` has its element."""
    assert {field.name for field in attrs.fields(GatewayLimits)} == {field for field, _ in LIMITS.values()}


def test_limits_are_read_and_the_others_keep_their_defaults():
    """`content_read_timeout` counts milliseconds, as in the original; times of ours count seconds."""
    inner = "<content_read_timeout>1500</content_read_timeout><idle-timeout-s>2.5</idle-timeout-s>"
    gateway = config_of(f'<service-gateway port="9000"><limits>{inner}</limits></service-gateway>').gateways[0]
    assert GatewayLimits(body_timeout_s=1.5, idle_timeout_s=2.5) == gateway.limits


def test_a_request_line_must_fit_into_the_head():
    """Two limits that contradict one another are told."""
    inner = "<max-request-line-bytes>8000</max-request-line-bytes><max-head-bytes>4000</max-head-bytes>"
    problems = wrapped_problems(f'<service-gateway port="1"><limits>{inner}</limits></service-gateway>')
    assert 1 == len(problems)
    assert "8000 bytes of request line do not fit into a head of 4000 bytes" in problems[0]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("", "", True),
        ('host="127.0.0.1"', "", True),
        ('host="0.0.0.0"', 'host="127.0.0.1"', True),
        ('host="127.0.0.1"', 'host="127.0.0.2"', False),
    ],
)
def test_two_gateways_on_one_port(first, second, clash):
    """The second gateway on a port is an error, unless both name different addresses."""
    problems = problems_of(
        f'<iaconfig>\n<service-gateway port="9000" {first}/>\n<service-gateway port="9000" {second}/></iaconfig>'
    )
    told = ["iaconfig.xml:3: service-gateway/@port: port 9000 is already used by the service-gateway of line 2"]
    assert (told if clash else []) == problems


def test_free_ports_do_not_clash():
    """Port 0 may stand several times."""
    assert 3 == len(config_of('<service-gateway port="0"/><service-gateway port="0"/>').gateways)


def test_no_gateway_warns():
    """A port that nobody wrote down is named."""
    (problem,) = problems_of("<iaconfig/>")
    assert problem.startswith("iaconfig.xml:1: warning: service-gateway: there is no service-gateway; ")
    assert problem.endswith("listening on port 8081 of all addresses, without TLS")
