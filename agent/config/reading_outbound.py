"""The parts of an HTTP `<destination>` -> the records of `agent.config.outbound`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from agent.config.lookup import relative_name, resolved, slashed
from agent.config.outbound import (
    AnswerRule,
    BasicCredentials,
    Credentials,
    Proxy,
    ProxyScheme,
    RedirectPolicy,
    Then,
    TokenCredentials,
    TriesPolicy,
)
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES
from agent.config.platform import ProxyConfig
from agent.config.problem import shown
from agent.config.section import Section
from agent.config.values import Unfit, boolean, choice, decimal, host, milliseconds, port, text, web_url, whole
from agent.secret import Secret

if TYPE_CHECKING:
    from agent.config.sending import Surroundings

HOUR_MS: Final = 3_600_000

TRIES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = MappingProxyType(
    {
        "MaximumRetries": ("maximum_retries", whole(0, 100)),
        "RetryDelay": ("retry_delay_s", milliseconds(0, HOUR_MS)),
        "BackoffMultiplier": ("backoff_multiplier", decimal(1, 100)),
        "UnauthorizedRetries": ("unauthorized_retries", whole(0, 100)),
    }
)
"""Element of `<RetryPolicy>` -> field of `TriesPolicy` and its reader."""

APP_KEY: Final = "appKey"


def read_tries(parent: Section) -> TriesPolicy:
    """Read the optional `<RetryPolicy>`."""
    section = parent.child("RetryPolicy")
    if section is None:
        return TriesPolicy()
    given = {field: section.value(element, read, None) for element, (field, read) in TRIES.items()}
    return TriesPolicy(**{field: value for field, value in given.items() if value is not None})


def read_answers(parent: Section) -> tuple[AnswerRule, ...]:
    """Read the `<answer>` elements: `status="409"` or `status="500-599"`, and what shall follow."""
    rules: list[AnswerRule] = []
    for section in parent.children("answer"):
        statuses = section.required_attribute("status", _statuses)
        then = section.required_attribute("then", choice(Then))
        if statuses is not None and then is not None:
            rules.append(AnswerRule(first=statuses[0], last=statuses[1], then=then))
    return tuple(rules)


def _statuses(value: str) -> tuple[int, int]:
    first, dash, last = value.partition("-")
    try:
        found = whole(200, 599)(first.strip()), whole(200, 599)(last.strip() if dash else first.strip())
    except Unfit:
        raise Unfit(f"{shown(value)} is not an HTTP status from 200 to 599 or a range of them, as 500-599") from None
    if found[0] > found[1]:
        raise Unfit(f"{shown(value)} ends before it begins")
    return found


def read_credentials(section: Section, url: str, around: Surroundings) -> Credentials | None:
    """Read `<basic>`, `<bearer>` or `<appKey>`: at most one of them."""
    given = [child for name in ("basic", "bearer", APP_KEY) if (child := section.child(name)) is not None]
    for surplus in given[1:]:
        surplus.error("a destination has one kind of credentials: keep one of basic, bearer and appKey")
    if not given:
        return None
    if urlsplit(url).scheme == "http" and not is_loopback(urlsplit(url).hostname or ""):
        section.warning("user and password travel unprotected over http; use https", at="@url")
    name = section.problems.where(given[0].element).rpartition("/")[2]
    if name == "basic":
        return _read_basic(given[0], around)
    file = given[0].required_child("token-file" if name == "bearer" else "key-file")
    found = read_secret(file, around) if file else None
    if found is None:
        return None
    path, token = found
    if not token.reveal().isascii() or " " in token.reveal():
        given[0].error("what its file holds is no token: a blank or a character that is not ASCII stands in it")
    if name == APP_KEY:
        return TokenCredentials(token=token, header=APP_KEY, scheme="", path=path)
    return TokenCredentials(token=token, path=path)


def _read_basic(basic: Section, around: Surroundings) -> BasicCredentials | None:
    user = basic.required_value("user", text) or ""
    if ":" in user:
        basic.error("a user name of HTTP Basic cannot hold a colon (RFC 7617)", at="user")
    place = basic.required_child("password-file")
    found = read_secret(place, around) if place else None
    return None if found is None else BasicCredentials(user=user, password=found[1], path=found[0])


def read_secret(place: Section, around: Surroundings) -> tuple[PurePath, Secret] | None:
    """Read the secret in the file that `place` names, plain or sealed; None where it names none."""
    named = place.text(slashed, None)
    if named is None:
        return None
    path = resolved(around.folder, named)
    shown_path = relative_name(path, around.home)
    found = around.files.read(path, max_bytes=MAX_PASSWORD_FILE_BYTES)
    if found.trouble:
        place.error(f"the password file {shown_path} {found.trouble}")
        return path, Secret("")
    if found.readable_by_others:
        place.warning(f"every account of this machine can read {shown_path}; chmod 600 would mend it")
    try:
        return path, around.secret_in(found.data, path, may_be_plain=True)
    except ValueError as error:
        place.error(f"the password file {shown_path} {error}")
        return path, Secret("")


def read_redirects(parent: Section) -> RedirectPolicy:
    """Read the optional `<RedirectPolicy>`."""
    section = parent.child("RedirectPolicy")
    default = RedirectPolicy()
    if section is None:
        return default
    return RedirectPolicy(
        maximum=section.value("MaximumRedirects", whole(0, 20), default.maximum),
        enabled=section.value("EnableRedirect", boolean, default.enabled),
    )


def read_further_urls(parent: Section, first: str) -> tuple[str, ...]:
    """Read the `<primary-url>` elements, then the `<secondary-url>` ones."""
    urls: list[str] = []
    for name in ("primary-url", "secondary-url"):
        for element in parent.children(name):
            url = element.text(web_url(query=True), None)
            if url is not None and url in (first, *urls):
                element.warning(f"{url} stands twice; the second is of no use")
            elif url is not None:
                if urlsplit(first).scheme == "https" and urlsplit(url).scheme == "http":
                    element.warning("a URL without TLS beside one with it: what is sent there can be read on the way")
                urls.append(url)
    return tuple(urls)


def words(value: str) -> tuple[str, ...]:
    """Read a list, apart by blanks or commas."""
    return tuple(dict.fromkeys(text(value).replace(",", " ").split()))


def read_proxy(parent: Section, around: Surroundings, default: Proxy | None) -> Proxy | None:
    """Read the optional `<Proxy>`; without one, `default` counts."""
    section = parent.child("Proxy")
    if section is None:
        return default
    if not section.attribute("enabled", boolean, True):
        return None
    name, number = section.required_value("host", host), section.required_value("port", port)
    # The Integration Runtime's table writes `User` and `Pass`, its sample `user` and `pass`.
    user_element, file = section.child("user") or section.child("User"), section.child("password-file")
    for inline in (section.child("pass"), section.child("Pass")):
        if inline is not None:
            inline.error("a password does not belong into this file: put it into its own, which password-file names")
    user = user_element.text(text, "", may_be_empty=True) if user_element is not None else ""
    # Elements that are there and empty mean no login, as those that are not there.
    has_file = file is not None and bool(file.text(slashed, "", may_be_empty=True))
    secret = read_secret(file, around) if file is not None and has_file and user else None
    if bool(user) != has_file:
        section.error("user and password-file belong together; without a user no credentials are sent")
    return Proxy(
        host=name or "",
        port=number or 0,
        scheme=section.attribute("scheme", choice(ProxyScheme), ProxyScheme.HTTP),
        user=user,
        password=secret[1] if secret else None,
        password_path=secret[0] if secret else None,
        no_proxy=section.value("no-proxy", words, ()),
    )


def default_proxy(platform: ProxyConfig) -> Proxy | None:
    """`<proxy-config>` as the proxy of destinations that say nothing of their own. This machine is reached directly."""
    if not platform.enabled or not platform.host or not platform.port:
        return None
    return Proxy(
        host=platform.host,
        port=platform.port,
        user=platform.user,
        password=platform.password,
        password_path=platform.password_path,
        no_proxy=(*platform.no_proxy, "localhost", "127.0.0.0/8", "::1"),
    )


def is_loopback(host: str) -> bool:
    """Whether what is sent there does not leave the machine."""
    return host in {"localhost", "::1"} or host.startswith("127.")
