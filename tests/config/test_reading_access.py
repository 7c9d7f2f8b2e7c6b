"""agent.config.reading_access: who may send, as the configuration says it."""

from __future__ import annotations

import pytest

from agent.access import OPEN, Access, CertificatePattern
from agent.config.show import show_config
from agent.credential import PasswordHash, hash_token, show_key
from tests.config.memory import DESCRIPTOR, MemoryFiles, config_of, wrapped_problems

PASSWORD = str(PasswordHash(4, 8, 1, b"s" * 16, bytes(32)))
TOKEN = hash_token("t" * 30)
KEY = show_key(b"k" * 32)
FILE = f"# who may send\n\nems:{PASSWORD}\r\n  crm:{TOKEN}\nplant7:{KEY}\n"


def gateway(attributes: str = "", inner: str = "") -> str:
    return f'<service-gateway host="127.0.0.1" port="9000" {attributes}>{inner}</service-gateway>'


def access_of(attributes: str = "", inner: str = "", files: MemoryFiles | None = None) -> Access | None:
    return config_of(gateway(attributes, inner), files).gateways[0].access


def told(attributes: str = "", inner: str = "", files: MemoryFiles | None = None) -> list[str]:
    return wrapped_problems(gateway(attributes, inner), files)


def secrets(access: Access | None) -> list[tuple[str, str]]:
    assert access is not None
    return [(account.name, account.secret.reveal()) for each in access.senders for account in each.accounts]


def test_nothing_said():
    """A gateway without a word about it lets everybody in, as the original does."""
    assert access_of() is None


def test_the_spelling_of_the_ems():
    """Seed 002: authenticate, user, password; clear text is taken, with a warning that does not repeat it."""
    attributes = 'authenticate="true" user="EMSAdmin" password="EMSAdmin!"'
    assert [("EMSAdmin", "EMSAdmin!")] == secrets(access_of(attributes))
    (warning,) = told(attributes)
    assert "service-gateway/@password: stands here in clear text" in warning
    assert "iadmin secret password EMSAdmin" in warning
    assert "EMSAdmin!" not in warning


def test_the_password_of_the_ems_may_be_a_hash():
    """Then nothing is said."""
    attributes = f'authenticate="true" user="EMSAdmin" password="{PASSWORD}"'
    assert [("EMSAdmin", PASSWORD)] == secrets(access_of(attributes))
    assert [] == told(attributes)


@pytest.mark.parametrize(
    ("attributes", "inner", "sentence"),
    [
        ('authenticate="true"', "", "@authenticate: true, but there are no credentials: give user and password"),
        ('authenticate="true" user="a"', "", "@user: there is a user, but no password"),
        ('authenticate="true" password="a"', "", "@password: there is a password, but no user"),
        ('authenticate="true" user="a" password=""', "", "@password: the password is empty"),
        ('authenticate="true" user="a:b" password="x"', "", '@user: "a:b" is not the name of an account'),
        ('authenticate="true" user="a" password="$scrypt$x"', "", "@password: what begins with $scrypt$ is not a"),
        ('user="a" password="x"', "", '@user: user and password have no effect without authenticate="true"'),
        ('authenticate="yes"', "", '@authenticate: "yes" is neither true nor false'),
        ('authenticate="false"', "<authentication><network>::1</network></authentication>", "false contradicts"),
        ('authenticate="true"', "<authentication><none/></authentication>", "true contradicts"),
        ("", "<authentication/>", "authentication: names no method"),
        ("", "<authentication><none/><network>::1</network></authentication>", "none: lets everybody in, so that"),
        ("", '<authentication><senders file=".s"/></authentication>', "the senders file conf/.s does not exist; make"),
        ("", "<authentication><senders/></authentication>", 'the attribute "file" is missing'),
        ("", "<authentication><network>10.1.2.3/8</network></authentication>", "is not a network such as 10.1.0.0/16"),
        ("", "<authentication><client-certificate/></authentication>", "needs the attribute subject, name or"),
        (
            "",
            '<authentication><client-certificate name="a"/></authentication>',
            "is not an alternative name; write dns",
        ),
        (
            "",
            '<authentication><client-certificate fingerprint="a"/></authentication>',
            "is not the SHA-256 fingerprint",
        ),
        ("", '<authentication realm="&quot;"><network>::1</network></authentication>', "must be ASCII without quotes"),
    ],
)
def test_faults(attributes, inner, sentence):
    """Half a protection is an error and not an open door."""
    assert any(sentence in problem and ": warning:" not in problem for problem in told(attributes, inner))


def test_a_file_of_senders():
    """Comments, empty lines, blanks in front and ends of lines of Windows do not matter."""
    inner = '<authentication><senders file=".senders" from="10.0.0.0/8, 192.0.2.7" window-s="60"/></authentication>'
    access = access_of("", inner, MemoryFiles({"conf/.senders": FILE}))
    assert [("ems", PASSWORD), ("crm", TOKEN), ("plant7", KEY)] == secrets(access)
    assert (("10.0.0.0/8", "192.0.2.7/32"), 60) == (access.senders[0].sources, access.senders[0].window_s)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("hunter2", "line 1 of conf/.senders does not begin with a name and a colon"),
        ("ems:hunter2", "line 1 of conf/.senders is not a hashed password"),
        (f":{PASSWORD}", "does not begin with a name"),
        ("ems:$key$AAAA", "is a key of 3 bytes; fewer than 16 can be guessed"),
        ("# nothing", "the senders file conf/.senders holds no line; make lines with: iadmin secret password NAME"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_bad_files_of_senders(line, sentence):
    """The line is named, and what stands in it is not repeated: it may be a password."""
    files = MemoryFiles({"conf/.senders": line})
    problems = told("", '<authentication><senders file=".senders"/></authentication>', files)
    assert any(sentence in problem for problem in problems)
    assert "hunter2" not in "".join(problems)


def test_a_file_that_others_can_read():
    """A warning here; `iadmin config check` makes more of it."""
    files = MemoryFiles({"conf/.senders": FILE}, readable_by_others=True)
    (warning,) = told("", '<authentication><senders file=".senders"/></authentication>', files)
    assert "every account of this machine can read conf/.senders" in warning


def test_a_wrong_file_does_not_flood():
    """Whoever names a log file hears of its first twenty lines."""
    files = MemoryFiles({"conf/.senders": "x\n" * 5000})
    assert 20 == len(told("", '<authentication><senders file=".senders"/></authentication>', files))


def test_methods_stand_side_by_side():
    """User and password, networks, certificates: any of them."""
    inner = (
        '<authentication realm="hall 7" user="a" password="b"><network>10.1.0.0/16 ::1</network>'
        f'<client-certificate subject="CN=plant*"/><client-certificate fingerprint="{"AB:" * 31}AB"/></authentication>'
    )
    access = access_of("", inner)
    assert [("a", "b")] == secrets(access)
    assert (("10.1.0.0/16", "::1/128"), "hall 7") == (access.networks, access.realm)
    patterns = (CertificatePattern(subject="CN=plant*"), CertificatePattern(fingerprint="ab" * 32))
    assert patterns == access.certificates


def test_a_service_says_for_itself():
    """Its files start at its descriptor; `<none/>` opens it on a gateway that is closed."""
    inner = '<authentication><senders file=".senders"/></authentication></integration-service>'
    descriptor = DESCRIPTOR.replace("</integration-service>", inner)
    files = {"services/p.xml": descriptor, "services/pumps.py": "", "services/.senders": FILE}
    listed = "<service-configs><path>p.xml</path></service-configs>"
    service = config_of(listed, MemoryFiles(files)).services[0]
    assert [("ems", PASSWORD), ("crm", TOKEN), ("plant7", KEY)] == secrets(service.access)
    files["services/p.xml"] = descriptor.replace('<senders file=".senders"/>', "<none/>")
    assert OPEN == config_of(listed, MemoryFiles(files)).services[0].access


def test_credentials_in_the_clear():
    """A warning where passwords come over http from other machines; not for signatures, which show no secret."""
    inner = '<authentication><senders file=".s"/></authentication>'
    outside = f'<service-gateway port="9000">{inner}</service-gateway>'
    (warning,) = wrapped_problems(outside, MemoryFiles({"conf/.s": FILE}))
    assert "@ssl: passwords and tokens of senders travel unprotected over http" in warning
    assert [] == wrapped_problems(outside, MemoryFiles({"conf/.s": f"plant7:{KEY}"}))


def test_no_secret_is_shown():
    """`iadmin config show` masks hashes as well: they can be tried out."""
    config = config_of(gateway('authenticate="true" user="a" password="hunter2"'))
    assert "hunter2" not in str(show_config(config))
    assert "'name': 'a', 'secret': '********'" in str(show_config(config))
