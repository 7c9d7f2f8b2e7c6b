from __future__ import annotations

import attrs
import pytest

from agent.config.model import HttpDestination, OutboxDestination, RetryPolicy
from agent.config.outbound import (
    AnswerRule,
    ClientTls,
    ProxyScheme,
    RedirectPolicy,
    Then,
    TokenCredentials,
    TriesPolicy,
)
from agent.config.sending import RETRY
from tests.config.memory import HOME, MemoryFiles, config_of, wrapped_problems

BASIC = "<basic><user>ia_user</user><password-file>pw</password-file></basic>"


def http(inner: str = "", *, url: str = "https://example.com/t") -> str:
    return f'<destinations><destination name="x" url="{url}">{inner}</destination></destinations>'


def test_outbox_is_always_there():
    """A newcomer's services have a destination without any setting."""
    assert (OutboxDestination(name="outbox", path=HOME / "var/outbox/outbox.jsonl"),) == config_of("").destinations


def test_outbox_can_be_something_else():
    """Who calls an http destination `outbox` sends everything there, and nothing is added."""
    config = config_of('<destinations><destination name="outbox" url="http://127.0.0.1/"/></destinations>')
    assert [HttpDestination(name="outbox", url="http://127.0.0.1/")] == list(config.destinations)


def test_an_http_destination_is_read_whole():
    """Every setting arrives in its field."""
    inner = (
        f'<header name="Accept">application/json</header><header name="X-Empty"/>{BASIC}'
        "<timeout-s>2.5</timeout-s><concurrency>1</concurrency><max-answer-bytes>10</max-answer-bytes>"
        "<retry><max-attempts>3</max-attempts></retry>"
    )
    text = http(inner, url='https://e.com/a?b=c" method="PUT')
    found = config_of(text, MemoryFiles({"conf/pw": " geheim ü\r\nnot this"})).destinations[0]
    assert isinstance(found, HttpDestination)
    assert found.credentials is not None
    assert ("ia_user", " geheim ü") == (found.credentials.user, found.credentials.password.reveal())
    assert HttpDestination(
        name="x",
        url="https://e.com/a?b=c",
        method="PUT",
        headers=(("Accept", "application/json"), ("X-Empty", "")),
        timeout_s=2.5,
        concurrency=1,
        max_answer_bytes=10,
        retry=RetryPolicy(max_attempts=3),
    ) == attrs.evolve(found, credentials=None)


def test_every_field_of_the_retry_policy_can_be_set():
    """Each field of `RetryPolicy` has its element."""
    assert {field.name for field in attrs.fields(RetryPolicy)} == {field for field, _ in RETRY.values()}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "the password file conf/pw does not exist"),
        (b"", "the password file conf/pw has an empty first line; it must hold the password"),
        (b"\nsecond", "the password file conf/pw has an empty first line; it must hold the password"),
        (b"\xff", "the password file conf/pw is not UTF-8 text"),
        (b"canary\x07", "the password file conf/pw has a control character in its first line"),
        (b"x" * 5000, "the password file conf/pw is larger than 4096 bytes, the limit for it"),
    ],
)
def test_password_files_that_do_not_serve(content, sentence):
    """The fault is told without repeating anything of the password."""
    files = MemoryFiles({} if content is None else {"conf/pw": content})
    place = "iaconfig.xml:1: destinations/destination/basic/password-file: "
    assert [place + sentence] == wrapped_problems(http(BASIC), files)


def test_a_password_that_everybody_can_read_warns():
    """The sentence says how to mend it."""
    files = MemoryFiles({"conf/pw": "geheim"}, readable_by_others=True)
    (problem,) = wrapped_problems(http(BASIC), files)
    assert "every account of this machine can read conf/pw; chmod 600 would mend it" in problem
    assert "geheim" not in problem


@pytest.mark.parametrize(("url", "warned"), [("http://example.com/", True), ("http://127.0.0.1:1/", False)])
def test_basic_over_http_warns(url, warned):
    """Credentials in the clear are worth a warning, unless they stay on the machine."""
    problems = wrapped_problems(http(BASIC, url=url), MemoryFiles({"conf/pw": "x"}))
    assert warned is any("travel unprotected" in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (http('<header name="Host">a</header>'), '"Host" is written by the agent itself; take the element out'),
        (http('<header name="a b">a</header>'), '"a b" is not the name of an HTTP header'),
        (http("<header>a</header>"), 'the attribute "name" is missing'),
        (http("<basic><user>a:b</user></basic>"), "a user name of HTTP Basic cannot hold a colon"),
        (http("<basic><user>a</user></basic>"), 'the element "password-file" is missing'),
        (http("<timeout-s>0</timeout-s>"), '"0" is not a number of seconds from 0.1 to 3600'),
        (http("<timeout-s>1</timeout-s><timeout-s>1</timeout-s>"), '"timeout-s" may stand only once here'),
        (http("<retry><first-delay-s>400</first-delay-s></retry>"), "400 is more than max-delay-s, 300"),
        ('<destinations><destination name="x"/></destinations>', 'the attribute "url" is missing'),
        ('<destinations><destination name="a/b" type="outbox"/></destinations>', '"a/b" is not a name'),
        ('<destinations><destination name="a" type="file"/></destinations>', '"file" is not http or outbox'),
        ('<destinations><destination name="a" type="outbox" url="http://a"/></destinations>', "an outbox is a file"),
        ('<destinations><destination name="a" url="http://a" method="post"/></destinations>', 'did you mean "POST"?'),
    ],
)
def test_faults_of_a_destination(text, sentence):
    """Each fault gets its sentence."""
    assert any(sentence in problem for problem in wrapped_problems(text)), wrapped_problems(text)


def test_the_policies_of_the_integration_runtime_are_read():
    """With its names and units: RetryDelay is in milliseconds, OutboundTimeout in seconds."""
    inner = (
        "<OutboundTimeout>7</OutboundTimeout><RetryPolicy><MaximumRetries>5</MaximumRetries>"
        "<RetryDelay>2000</RetryDelay><BackoffMultiplier>2</BackoffMultiplier>"
        "<UnauthorizedRetries>1</UnauthorizedRetries></RetryPolicy>"
        '<answer status="409" then="delivered"/><answer status="500-599" then="dead"/>'
    )
    found = config_of(http(inner)).destinations[0]
    assert isinstance(found, HttpDestination)
    tries = TriesPolicy(maximum_retries=5, retry_delay_s=2.0, backoff_multiplier=2.0, unauthorized_retries=1)
    rules = (
        AnswerRule(first=409, last=409, then=Then.DELIVERED),
        AnswerRule(first=500, last=599, then=Then.DEAD),
    )
    assert (7.0, tries, rules) == (found.timeout_s, found.tries, found.answers)


@pytest.mark.parametrize(
    ("inner", "header", "scheme"),
    [
        ("<bearer><token-file>pw</token-file></bearer>", "Authorization", "Bearer"),
        ("<appKey><key-file>pw</key-file></appKey>", "appKey", ""),
    ],
)
def test_tokens_come_from_files(inner, header, scheme):
    """And their place is remembered, to be read again when the far end does not take them."""
    found = config_of(http(inner), MemoryFiles({"conf/pw": "t0ken\n"})).destinations[0]
    assert isinstance(found, HttpDestination)
    assert isinstance(found.credentials, TokenCredentials)
    assert (header, scheme, "t0ken", HOME / "conf/pw") == (
        found.credentials.header,
        found.credentials.scheme,
        found.credentials.token.reveal(),
        found.credentials.path,
    )


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ('<answer status="99" then="dead"/>', '"99" is not an HTTP status from 200 to 599'),
        ('<answer status="500-400" then="dead"/>', '"500-400" ends before it begins'),
        ('<answer status="500" then="die"/>', '"die" is not delivered, retry or dead'),
        (f"{BASIC}<bearer><token-file>pw</token-file></bearer>", "keep one of basic, bearer and appKey"),
        ("<timeout-s>1</timeout-s><OutboundTimeout>1</OutboundTimeout>", "two names of one setting"),
        ("<RetryPolicy><RetryDelay>1.5</RetryDelay></RetryPolicy>", '"1.5" is not a number of milliseconds'),
        ("<bearer><token-file>two</token-file></bearer>", "what its file holds is no token"),
    ],
)
def test_faults_of_the_policies(inner, sentence):
    """Each fault gets its sentence."""
    problems = wrapped_problems(http(inner), MemoryFiles({"conf/pw": "x", "conf/two": "a b"}))
    assert any(sentence in problem for problem in problems), problems


SSL = """<SSL><verbose>true</verbose>
<Keystore><path>keys</path><password-file>pw</password-file><alias>twx</alias></Keystore>
<Truststore><path>trust</path><password-file>pw</password-file><with-system>true</with-system></Truststore>
<fingerprint>AB:{}</fingerprint></SSL>""".format("cd" * 31)
FILES = {"conf/keys": "", "conf/trust": "", "conf/pw": "x"}


def test_tls_is_read_whole():
    """Paths are taken from the configuration's folder; the fingerprint loses its colons."""
    found = config_of(http(SSL), MemoryFiles(FILES)).destinations[0]
    assert isinstance(found, HttpDestination)
    assert found.tls == ClientTls(
        truststore=HOME / "conf/trust",
        truststore_password_file=HOME / "conf/pw",
        with_system=True,
        fingerprints=("ab" + "cd" * 31,),
        keystore=HOME / "conf/keys",
        keystore_password_file=HOME / "conf/pw",
        alias="twx",
        verbose=True,
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (http(SSL), "the file conf/keys does not exist"),
        (http("", url='https://a" ignoreSSLErrors="true'), "it is not for production"),
        (http(SSL, url='https://a" ignoreSSLErrors="true'), "makes Truststore and fingerprint useless"),
        (http(SSL, url="http://a"), "the URL is http, so nothing of this has an effect"),
        (http("<SSL><fingerprint>12</fingerprint></SSL>"), '"12" is not a SHA-256 fingerprint'),
        (http("<SSL><Keystore/></SSL>"), 'the element "alias" is missing'),
    ],
)
def test_faults_of_tls(text, sentence):
    """Each fault gets its sentence."""
    assert any(sentence in problem for problem in wrapped_problems(text)), wrapped_problems(text)


PROXY = (
    '<Proxy scheme="https"><host>proxy.example</host><port>3128</port><user>u</user>'
    "<password-file>pw</password-file><no-proxy>a.example, 10.0.0.0/8</no-proxy></Proxy>"
)
PLATFORM = (
    "<proxy-config><proxy-enabled>true</proxy-enabled><proxy-host>main.example</proxy-host>"
    "<proxy-port>8080</proxy-port><proxy-auth-username>agent</proxy-auth-username>"
    "<proxy-auth-password-path>pw</proxy-auth-password-path><no-proxy>x.example</no-proxy></proxy-config>"
)


def proxy_of(text):
    found = config_of(text, MemoryFiles({"conf/pw": "geheim"})).destinations[0]
    assert isinstance(found, HttpDestination)
    return found.proxy


def test_a_destination_has_its_own_proxy():
    """Or none at all, whatever the platform's section says."""
    proxy = proxy_of(http(PROXY) + PLATFORM)
    assert (proxy.host, proxy.port, proxy.scheme, proxy.user) == ("proxy.example", 3128, ProxyScheme.HTTPS, "u")
    assert ("geheim", ("a.example", "10.0.0.0/8")) == (proxy.password.reveal(), proxy.no_proxy)
    assert proxy_of(http('<Proxy enabled="false"/>') + PLATFORM) is None


def test_the_platforms_proxy_is_the_default():
    """This machine is reached directly all the same."""
    proxy = proxy_of(http() + PLATFORM)
    assert (proxy.host, proxy.port, proxy.user) == ("main.example", 8080, "agent")
    assert "geheim" == proxy.password.reveal()
    assert ("x.example", "localhost", "127.0.0.0/8", "::1") == proxy.no_proxy
    assert proxy_of(http()) is None


def test_an_empty_proxy_user_is_none():
    """No credentials are sent; the original sends a colon."""
    empty = PLATFORM.replace("<proxy-auth-username>agent<", "<proxy-auth-username><")
    assert ("", None) == (proxy_of(http() + empty).user, proxy_of(http() + empty).password)
    own = proxy_of(http("<Proxy><host>a</host><port>1</port><user/><password-file/></Proxy>"))
    assert ("", None) == (own.user, own.password)


def test_the_user_of_a_proxy_in_either_spelling():
    """The Integration Runtime's table writes it with a capital."""
    assert "u" == proxy_of(http(PROXY.replace("user>", "User>"))).user


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ("<Proxy/>", 'the element "host" is missing'),
        ("<Proxy><host>a</host><port>0</port></Proxy>", '"0" is not a port'),
        ("<Proxy><host>a</host><port>1</port><user>u</user></Proxy>", "user and password-file belong together"),
        ("<Proxy><host>a</host><port>1</port><Pass>p</Pass></Proxy>", "a password does not belong into this file"),
    ],
)
def test_faults_of_a_proxy(inner, sentence):
    """Each fault gets its sentence."""
    assert any(sentence in problem for problem in wrapped_problems(http(inner))), wrapped_problems(http(inner))


def test_redirects_and_further_urls_are_read():
    """The primary ones come first, wherever they stand."""
    inner = (
        "<RedirectPolicy><MaximumRedirects>1</MaximumRedirects><EnableRedirect>false</EnableRedirect></RedirectPolicy>"
        "<secondary-url>https://c.example/</secondary-url><primary-url>https://b.example/</primary-url>"
        "<fail-back-s>60</fail-back-s>"
    )
    found = config_of(http(inner)).destinations[0]
    assert isinstance(found, HttpDestination)
    assert RedirectPolicy(maximum=1, enabled=False) == found.redirects
    assert (("https://b.example/", "https://c.example/"), 60.0) == (found.further_urls, found.failback_s)


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ("<primary-url>https://example.com/t</primary-url>", "stands twice"),
        ("<primary-url>http://b.example/</primary-url>", "without TLS beside one with it"),
        ("<primary-url>ftp://b.example/</primary-url>", "does not begin with http"),
    ],
)
def test_faults_of_further_urls(inner, sentence):
    """Each fault gets its sentence."""
    assert any(sentence in problem for problem in wrapped_problems(http(inner))), wrapped_problems(http(inner))


def test_flow_is_read():
    """The rate has the words of the platform's section; without it there is no limit."""
    inner = (
        "<apxml-exchange><size>7</size><interval>3</interval></apxml-exchange><circuit-failures>0</circuit-failures>"
    )
    found, default = (config_of(http(text)).destinations[0] for text in (inner, ""))
    assert isinstance(found, HttpDestination)
    assert (7, 3.0, 0) == (found.exchange_size, found.exchange_interval_s, found.circuit_failures)
    assert isinstance(default, HttpDestination)
    assert 0 == default.exchange_size
