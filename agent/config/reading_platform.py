"""The sections about xMatters -> `PlatformConfig`. Checked now, so that they are right on the day they are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from agent.config.lookup import relative_name, resolved, slashed
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES
from agent.config.platform import PlatformConfig, ProxyConfig, RequestMode
from agent.config.reading_outbound import read_secret, words
from agent.config.section import Section
from agent.config.sending import Surroundings
from agent.config.values import boolean, choice, host, port, text, web_url, whole
from agent.secret import Secret

DAY_S = 24 * 3600


def read_platform(sections: Mapping[str, Section], around: Surroundings) -> PlatformConfig:
    """Read what there is of the platform's sections, by their names."""
    default = PlatformConfig()
    auth = sections.get("web-services-auth")
    request = sections.get("external-service-request")
    exchange = sections.get("apxml-exchange")
    heartbeat = sections.get("heartbeat")
    password = auth.child("password") if auth else None
    if password:
        password.required_child("file")
    password_path, secret = _read_password(password, around) if password else (None, None)
    proxy = sections.get("proxy-config")
    return PlatformConfig(
        user=auth.value("user", text, default.user) if auth else default.user,
        company=auth.value("company", text, default.company) if auth else default.company,
        password_path=password_path,
        password=secret,
        primary_urls=_read_urls(sections.get("primary-servers")),
        secondary_urls=_read_urls(sections.get("secondary-servers")),
        mode=request.attribute("mode", choice(RequestMode), default.mode) if request else default.mode,
        exchange_size=exchange.value("size", whole(1, 10_000), 100) if exchange else default.exchange_size,
        exchange_interval_s=exchange.value("interval", whole(1, DAY_S), 5) if exchange else default.exchange_interval_s,
        heartbeat_s=heartbeat.attribute("interval", whole(1, DAY_S), 60) if heartbeat else default.heartbeat_s,
        proxy=_read_proxy(proxy, around) if proxy else default.proxy,
    )


def _read_urls(section: Section | None) -> tuple[str, ...]:
    urls: list[str] = []
    for element in section.children("url") if section else ():
        url = element.text(web_url(query=False), None)
        if url is not None and url in urls:
            element.warning(f"{url} stands twice; the second is of no use")
        elif url is not None:
            urls.append(url)
    return tuple(urls)


def _read_proxy(section: Section, around: Surroundings) -> ProxyConfig:
    enabled = section.value("proxy-enabled", boolean, False)
    proxy_host, proxy_port = section.value("proxy-host", host, ""), section.value("proxy-port", port, 0)
    for name in ("proxy-host", "proxy-port"):
        if enabled and section.child(name) is None:
            section.error(f'the element "{name}" is missing, and the proxy is enabled')
    # An empty user is what the original takes for "no user name, but do send the header"; here it is no user.
    named = section.child("proxy-auth-username")
    user = named.text(text, "", may_be_empty=True) if named else ""
    place = section.child("proxy-auth-password-path")
    found = read_secret(place, around) if enabled and user and place is not None else None
    return ProxyConfig(
        enabled=enabled,
        host=proxy_host,
        port=proxy_port,
        user=user,
        password_path=found[0] if found else _read_path(section, "proxy-auth-password-path", around),
        password=found[1] if found else None,
        no_proxy=section.value("no-proxy", words, ()),
    )


def _read_password(section: Section, around: Surroundings) -> tuple[PurePath | None, Secret | None]:
    """Read the password of the platform's account; what is wrong with it is a warning as long as nothing uses it."""
    path = _read_path(section, "file", around)
    found = None if path is None else around.files.read(path, max_bytes=MAX_PASSWORD_FILE_BYTES)
    if path is None or found is None or found.trouble:
        return path, None
    try:
        return path, around.secret_in(found.data, path, may_be_plain=False)
    except ValueError as error:
        section.warning(f"the password file {relative_name(path, around.home)} {error}", at="file")
        return path, None


def _read_path(section: Section, name: str, around: Surroundings) -> PurePath | None:
    """Read the path of an encrypted password file; that it is missing is a warning as long as nothing reads it."""
    element = section.child(name)
    value = element.text(slashed, "", may_be_empty=True) if element else ""
    if element is None or not value:
        return None
    path = resolved(around.folder, value)
    if trouble := around.files.trouble(path):
        element.warning(f"the password file {relative_name(path, around.home)} {trouble}; it is not used yet")
    return path
