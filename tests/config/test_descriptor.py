from __future__ import annotations

import pytest

from agent.config.model import (
    SERVICE_RETRY,
    Constant,
    EncryptedConstant,
    InitialState,
    MappedInput,
    MappedParameter,
    ServiceConfig,
    ValueType,
)
from agent.config.passwordfile import seal, show_key
from agent.config.problem import ConfigFaults, Severity
from agent.names import ServiceName
from tests.config.memory import DESCRIPTOR, HOME, MemoryFiles, config_of, parse, wrapped, wrapped_problems

KEY = bytes(range(32))
SEALED = {"conf/.pw": seal("geheim", KEY), "conf/.iakey": show_key(KEY)}
PYTHON = '<script lang="python"><file>pumps.py</file></script>'
LISTED = "<service-configs><path>p/pumps.xml</path></service-configs>"


def files(descriptor: str, **more: str | bytes) -> MemoryFiles:
    return MemoryFiles({"services/p/pumps.xml": descriptor, "services/p/pumps.py": "", **more})


def service(descriptor: str, **more: str | bytes) -> ServiceConfig:
    return config_of(LISTED, files(descriptor, **more)).services[0]


def problems(descriptor: str, **more: str | bytes) -> list[str]:
    return wrapped_problems(LISTED, files(descriptor, **more))


def with_inner(inner: str) -> str:
    return DESCRIPTOR.replace("</integration-service>", inner + "</integration-service>")


def test_the_smallest_descriptor_gets_all_defaults():
    """Identity, state and script are enough; the script is found beside the descriptor."""
    assert ServiceConfig(
        name=ServiceName(domain="applications", name="pumps"),
        descriptor=HOME / "services/p/pumps.xml",
        script=HOME / "services/p/pumps.py",
        initial_state=InitialState.ACTIVE,
        normal_threads=3,
        high_threads=3,
        destination="outbox",
        hook_timeout_s=10.0,
        retry=SERVICE_RETRY,
    ) == service(DESCRIPTOR)


def test_a_full_descriptor_is_read_whole():
    """Everything that the original's descriptors hold arrives, and so do our additions."""
    found = service(
        with_inner(
            "<concurrency><normal-priority-thread-count>5</normal-priority-thread-count></concurrency><classpath/>"
            '<mapped-input method="add" subclass="event"><parameter type="numeric">t</parameter>'
            "</mapped-input>"
            '<constants><constant name="site" overwrite="true">\n plant \n 7 </constant><constant name="e"/>'
            '<encrypted-constant name="pw" type="string"><file>.pw</file></encrypted-constant></constants>'
            "<hook-timeout>2.5</hook-timeout><retry><max-attempts>2</max-attempts></retry>"
        ),
        **{"services/p/.pw": seal("ge heim", KEY), "conf/.iakey": show_key(KEY)},
    )
    assert (5, 3, 2.5, 2) == (found.normal_threads, found.high_threads, found.hook_timeout_s, found.retry.max_attempts)
    assert (
        MappedInput(method="add", subclass="event", parameters=(MappedParameter(name="t", type=ValueType.NUMERIC),))
        == found.mapped_input
    )
    assert (Constant(name="site", value="plant \n 7", overwrite=True), Constant(name="e", value="")) == found.constants
    (encrypted,) = found.encrypted_constants
    assert "ge heim" == encrypted.value
    assert (
        EncryptedConstant(name="pw", path=HOME / "services/p/.pw", type=ValueType.STRING, secret=encrypted.secret)
        == encrypted
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"plain", "is not encrypted; take the secret out of it, and enter it with: iapassword --file conf/.pw --new"),
        (b"QUJDREVGR0g=\n", "is an encrypted file of the original agent, whose key nobody has"),
        (seal("x", bytes(32)), "was not made with the key of this home"),
    ],
)
def test_an_encrypted_constant_that_cannot_be_read_says_what_to_do(data, said):
    """The content is not repeated."""
    inner = '<constants><encrypted-constant name="pw"><file>conf/.pw</file></encrypted-constant></constants>'
    (problem,) = problems(with_inner(inner), **{"conf/.pw": data, "conf/.iakey": show_key(KEY)})
    assert f"constants/encrypted-constant/file: the password file conf/.pw {said}" in problem
    assert "plain" not in problem


def test_encrypted_constants_are_also_found_from_the_home():
    """The original's samples write the path from the home; its working directory was the home."""
    inner = '<constants><encrypted-constant name="pw"><file>conf/.pw</file></encrypted-constant></constants>'
    assert HOME / "conf/.pw" == service(with_inner(inner), **SEALED).encrypted_constants[0].path


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ('<script lang="js"><file>pumps.js</file></script>', 'a JavaScript service ("pumps.js")'),
        ('<javaclient><file>old.xml</file></javaclient><script lang="js"/>', 'a JavaClient integration ("old.xml")'),
    ],
)
def test_a_service_of_the_original_engine_takes_events_and_cannot_run(inner, kind):
    """One sentence names the file and says what to do; the rest of the configuration can be used."""
    text = DESCRIPTOR.replace(PYTHON, inner)
    (problem,) = parse(wrapped(LISTED), files(text)).warnings
    assert (Severity.SERVICE, "services/p/pumps.xml", 5) == (problem.severity, problem.file, problem.line)
    assert (
        f"pumps.xml is {kind}, which this agent cannot run; write a Python counterpart (docs/services.rst)"
        in problem.text
    )
    assert (problem.text, HOME / "services/p/pumps.xml") == (service(text).obstacle, service(text).script)


def test_without_a_worker_its_faults_weigh_less():
    """Nearly every descriptor of a site names a password file that nobody can open any more, and it is not read."""
    inner = '<constants><encrypted-constant name="pw"><file>conf/.pw</file></encrypted-constant></constants>'
    text = with_inner(inner + "<destination>nowhere</destination>").replace('"python"', '"js"')
    found = parse(wrapped(LISTED), files(text, **{"conf/.pw": b"QUJDREVGR0g=\n"})).warnings
    assert [Severity.SERVICE] * 3 == [problem.severity for problem in found]
    inactive = parse(wrapped(LISTED), files(text.replace(">active", ">inactive"))).warnings
    assert [Severity.WARNING] * 3 == [problem.severity for problem in inactive]


def test_what_is_taken_in_must_be_right_without_a_worker_too():
    """What a message becomes is decided when it is stored."""
    text = with_inner("<mapped-input/>").replace('"python"', '"js"')
    with pytest.raises(ConfigFaults) as caught:
        parse(wrapped(LISTED), files(text))
    assert "mapped-input" in caught.value.sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("<domain>applications</domain>", "", 'the element "domain" is missing'),
        ("<name>pumps</name>", "<name></name>", "name: a value is missing here"),
        ("<name>pumps</name>", "<name>a|b</name>", 'name: "a|b" is not a service name'),
        ("active<", "on<", 'initial-state: "on" is not active or inactive'),
        ("pumps.py", "nowhere.py", "script/file: the script services/p/nowhere.py does not exist"),
        ("pumps.py", "/etc/passwd", '"/etc/passwd" must be relative to the descriptor and stay in the agent home'),
        ("pumps.py", "../../../x.py", '"../../../x.py" must be relative to the descriptor and stay in the agent home'),
        (
            'lang="python"',
            'lang="perl"',
            'script/@lang: "perl" is not a language for services; the only one is "python"',
        ),
        ('lang="python"', "", 'script: the attribute "lang" is missing'),
        ("<domain>", "<destination>nowhere</destination><domain>", 'there is no destination "nowhere" in iaconfig.xml'),
        ("<domain>", "<classpath><path>lib/a.jar</path></classpath><domain>", "warning: classpath: has no effect"),
        ("<domain>", "<domain>x</domain><domain>", '"domain" may stand only once here'),
        ("<domain>", "<mapped-input/><domain>", 'mapped-input: the attribute "method" is missing'),
        ("1.0", "2.0", 'warning: @version: "2.0" is not "1.0"'),
        ("integration-service", "service", 'the root element is "service", not "integration-service"'),
    ],
)
def test_faults_of_a_descriptor(old, new, sentence):
    """Each fault gets its sentence, with the descriptor's path from the home."""
    (problem,) = problems(DESCRIPTOR.replace(old, new))
    assert sentence.removeprefix("warning: ") in problem.replace("integration-service/@", "@")
    assert problem.startswith("services/p/pumps.xml:")


def test_a_malformed_descriptor_does_not_hide_the_rest():
    """Faults of the configuration and of every descriptor come together."""
    found = wrapped_problems('<log level="loud"/>' + LISTED, files("<integration-service>"))
    assert ["iaconfig.xml:1", "services/p/pumps.xml:1"] == [":".join(line.split(":")[:2]) for line in found]


@pytest.mark.parametrize(
    ("constants", "value", "told"),
    [
        ('<constant name="a">1</constant><constant name="A">2</constant>', "1", "the earlier counts"),
        ('<constant name="a">1</constant><constant name="A" overwrite="true">2</constant>', "2", "this one counts"),
        ('<constant name="a" overwrite="true">1</constant><constant name="a">2</constant>', "1", "the earlier counts"),
    ],
)
def test_of_two_constants_one_counts(constants: str, value: str, told: str):
    """The one that would, if they were put into a message one after the other."""
    descriptor = with_inner(f"<constants>{constants}</constants>")
    assert [value] == [each.value for each in service(descriptor).constants]
    assert any(f"stands twice; {told}" in problem for problem in problems(descriptor))


@pytest.mark.parametrize("pair", ["Pump pump", "Pump|Name pump_name", "a:b a_b"])
def test_two_parameters_of_one_token_are_told(pair: str):
    """In whatever spelling: the later value replaces the earlier, and an alarm has lost one of its columns."""
    first, second = pair.replace("|", "\xa0").split(" ")
    inner = f'<mapped-input method="a"><parameter>{first}</parameter><parameter>{second}</parameter></mapped-input>'
    (problem,) = problems(with_inner(inner.replace("\xa0", " ")))
    assert f'"{second}" stands twice; the later value will replace the earlier' in problem


@pytest.mark.parametrize("name", ["agent_client_id", "APIA_password"])
def test_a_constant_that_has_no_effect_is_told(name: str):
    """Who is meant does not depend on it, and a password is never stored."""
    (problem,) = problems(with_inner(f'<constants><constant name="{name}">x</constant></constants>'))
    assert f'"{name}" has no effect' in problem


def test_an_encrypted_constant_may_stand_in_for_a_plain_one():
    """The plain one is not in the message beside it, where a hook could take it for the other."""
    pair = '<constant name="pw">x</constant><encrypted-constant name="PW" overwrite="true"><file>.pw</file>'
    found = service(
        with_inner(f"<constants>{pair}</encrypted-constant></constants>"),
        **{"services/p/.pw": SEALED["conf/.pw"], "conf/.iakey": SEALED["conf/.iakey"]},
    )
    assert ((), ["geheim"]) == (found.constants, [each.value for each in found.encrypted_constants])


def test_an_empty_subclass_is_none():
    """Editors leave it behind."""
    found = service(with_inner('<mapped-input method="add" subclass=""/>'))
    assert MappedInput(method="add") == found.mapped_input


def test_the_language_is_python_in_any_case():
    """As `js` is."""
    assert HOME / "services/p/pumps.py" == service(DESCRIPTOR.replace('"python"', '"Python"')).script
