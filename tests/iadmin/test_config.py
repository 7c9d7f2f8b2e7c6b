"""The configuration as the agent would read it."""

from __future__ import annotations

from pathlib import Path, PurePath

import attrs

from agent.config.admin import AdminGatewayConfig
from agent.config.model import GatewayConfig, HttpDestination, InitialState
from agent.config.outbound import ClientTls
from agent.config.problem import Problem, Severity
from agent.config.tls import TlsConfig
from agent.errors import ExitStatus, OperatorError
from agent.secret import Secret
from tests.iadmin.fakes import World, agent_config, service_config
from tests.iadmin.keystores import made
from tests.iadmin.test_tls import material

FAULT = Problem(file="iaconfig.xml", line=41, where="service-gateway/@port", text='"80810" is not a port (1-65535)')
WARNING = Problem(file="iaconfig.xml", line=7, text="unknown element <x>", severity=Severity.WARNING)


def test_a_good_configuration_says_so(world: World) -> None:
    """Exit status 0, and what was found."""
    answer = world.run("config", "check")
    assert (0, "/srv/agent/conf/iaconfig.xml is good: 1 service, 1 destination.\n") == (answer.status, answer.out)
    assert {"good": True, "faults": [], "exposed": [], "warnings": []} == world.run(
        "config", "check", "--json"
    ).document


def test_warnings_do_not_fail_the_check(world: World) -> None:
    """They are shown with their line."""
    world.warnings = [WARNING]
    answer = world.run("config", "check")
    assert 0 == answer.status
    assert str(WARNING) == answer.out.splitlines()[0]
    assert answer.out.splitlines()[-1].endswith("1 warning.")


def test_a_certificate_that_cannot_be_served_fails_the_check(world: World) -> None:
    """What an agent would say at its start; one of its own is made only then."""
    gateway = GatewayConfig(host="", port=8081, ssl=True, alias="agnt")
    world.config = attrs.evolve(agent_config(), gateways=(gateway,))
    world.material = OperatorError("tls-x", 'there is no entry "agnt"')
    answer = world.run("config", "check")
    assert 78 == answer.status
    assert 'iaconfig.xml: service-gateway: port 8081: there is no entry "agnt"' in answer.out
    world.config = attrs.evolve(agent_config(), gateways=(attrs.evolve(gateway, alias=""),))
    assert 0 == world.run("config", "check").status


def test_what_is_doubtful_in_a_certificate_is_a_warning(world: World) -> None:
    """The agent starts with it."""
    world.config = attrs.evolve(agent_config(), gateways=(GatewayConfig(host="", port=8081, ssl=True, alias="web"),))
    world.material = material(made("plant7.example.com"), warnings=("it expires tomorrow",))
    answer = world.run("config", "check")
    assert 0 == answer.status
    assert "port 8081: it expires tomorrow" in answer.out


def test_a_script_that_cannot_be_used_fails_the_check(world: World, tmp_path: Path) -> None:
    """The agent would come up, the service would not; scripts of inactive services wait."""
    broken, hookless = tmp_path / "a.py", tmp_path / "b.py"
    broken.write_text("def on_event(e:\n  pass\n")
    hookless.write_text("x = 1\n")
    world.config = agent_config(
        attrs.evolve(service_config("d", "a"), script=broken),
        attrs.evolve(service_config("d", "b"), script=hookless),
        attrs.evolve(service_config("d", "c", InitialState.INACTIVE), script=broken),
    )
    answer = world.run("config", "check")
    lines = answer.out.splitlines()
    assert (ExitStatus.CONFIG, 3) == (answer.status, len(lines))
    assert f"{broken}:1: d|a: SyntaxError: '(' was never closed" == lines[0]
    assert "defines none of on_event, on_input, on_response, on_callback, on_http" in lines[1]
    assert "2 services could not start; the agent would come up without." == lines[2]


def test_a_service_that_cannot_run_fails_the_check(world: World) -> None:
    """The agent comes up; its faults are one service's."""
    stuck = Problem(file="a.xml", line=5, text="it is JavaScript", severity=Severity.SERVICE)
    world.warnings = [WARNING, stuck, attrs.evolve(stuck, line=6, text="no password")]
    answer = world.run("config", "check")
    assert ExitStatus.CONFIG == answer.status
    assert [
        "a.xml:5: it is JavaScript",
        "a.xml:6: no password",
        str(WARNING),
        "1 service could not start; the agent would come up without.",
    ] == answer.out.splitlines()


def test_a_home_that_is_open_to_others_fails_the_check(world: World) -> None:
    """The agent starts with a warning; whoever asks for a check hears no."""
    world.exposures = [Problem(file="conf", text="other accounts can read it", severity=Severity.WARNING)]
    answer = world.run("config", "check")
    assert ExitStatus.CONFIG == answer.status
    assert "conf: warning: other accounts can read it" == answer.out.splitlines()[0]
    assert answer.out.endswith("is good, but the agent's home is open to other accounts.\n")
    assert not world.run("config", "check", "--json").document["good"]


def test_all_faults_are_shown_at_once(world: World) -> None:
    """One line each, as the agent itself says it; exit status 78."""
    world.faults, world.warnings = [FAULT, FAULT], [WARNING]
    answer = world.run("config", "check")
    assert ExitStatus.CONFIG == answer.status
    assert ['iaconfig.xml:41: service-gateway/@port: "80810" is not a port (1-65535)'] * 2 == answer.out.splitlines()[
        :2
    ]
    assert str(WARNING) == answer.out.splitlines()[2]
    found = world.run("config", "check", "--json").document
    assert (False, 2, 1) == (found["good"], len(found["faults"]), len(found["warnings"]))
    assert (41, "service-gateway/@port") == (found["faults"][0]["line"], found["faults"][0]["where"])


def test_show_gives_values_by_their_path(world: World) -> None:
    """One line per value, to be searched; JSON keeps the nesting."""
    world.warnings = [WARNING]
    answer = world.run("config", "show")
    assert ["agent_id  plant7-agent", "gateways.1.port 8081", "gateways.1.ssl no"] == [
        answer.out.splitlines()[0].replace("agent_id         ", "agent_id  "),
        *(" ".join(line.split()) for line in answer.out.splitlines()[1:]),
    ]
    assert str(WARNING) in answer.err
    assert 8081 == world.run("config", "show", "--json").document["gateways"][0]["port"]


def test_what_is_not_for_production_fails_only_when_asked(world: World) -> None:
    """`ignoreSSLErrors` is a warning for a trial and a fault for production."""
    careless = HttpDestination(name="twx", url="https://a.example/", tls=ClientTls(ignore_errors=True))
    world.config = attrs.evolve(world.config, destinations=(careless,))
    assert 0 == world.run("config", "check").status
    answer = world.run("config", "check", "--production")
    assert ExitStatus.CONFIG == answer.status
    assert 'the destination twx has ignoreSSLErrors="true": pin the certificate' in answer.out


def test_a_passphrase_in_clear_text_is_not_for_production(world: World) -> None:
    """The warning at the start becomes a fault when asked."""
    clear = GatewayConfig(tls=TlsConfig(certificate=PurePath("a.pem"), passphrase=Secret("s3cret")))
    world.config = attrs.evolve(world.config, gateways=(clear,), destinations=())
    answer = world.run("config", "check", "--production")
    assert ExitStatus.CONFIG == answer.status
    assert "service-gateway/@passphrase: the passphrase of the key on port 8081 stands in clear text" in answer.out


def test_an_admin_gateway_that_would_not_open_is_a_warning(world: World) -> None:
    """The agent starts without it; what makes the key is said."""
    keystore = world.cwd / ".keystore"
    world.config = attrs.evolve(world.config, admin=AdminGatewayConfig(keystore=keystore))
    world.run("init", "other")
    answer = world.run("config", "check")
    assert 0 == answer.status
    assert "admin-gateway: it would not open: There is no file" in answer.out
    keystore.write_bytes((world.cwd / "other" / "conf" / ".keystore").read_bytes())
    assert "admin-gateway" not in world.run("config", "check").out
