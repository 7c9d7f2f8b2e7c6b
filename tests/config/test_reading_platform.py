from __future__ import annotations

from agent.config.platform import PlatformConfig, ProxyConfig, RequestMode
from tests.config.memory import HOME, MemoryFiles, config_of, wrapped_problems


def test_all_sections_are_read():
    """What the original's file says about xMatters is kept for the day it is needed."""
    inner = """
    <proxy-config><proxy-enabled>true</proxy-enabled><proxy-host>proxy</proxy-host><proxy-port>3128</proxy-port>
      <proxy-auth-username/><proxy-auth-password-path/></proxy-config>
    <web-services-auth><user>IA_User</user><password><file>./.wspasswd</file></password><company>C</company>
    </web-services-auth>
    <primary-servers><url>http://p1:8888/api</url><url>http://p2:8888/api</url></primary-servers>
    <secondary-servers><url>https://s1/api</url></secondary-servers>
    <external-service-request mode="direct"/>
    <apxml-exchange><size>7</size><interval>8</interval></apxml-exchange>
    <heartbeat interval="9"/>"""
    assert (
        PlatformConfig(
            user="IA_User",
            password_path=HOME / "conf/.wspasswd",
            company="C",
            primary_urls=("http://p1:8888/api", "http://p2:8888/api"),
            secondary_urls=("https://s1/api",),
            mode=RequestMode.DIRECT,
            exchange_size=7,
            exchange_interval_s=8,
            heartbeat_s=9,
            proxy=ProxyConfig(enabled=True, host="proxy", port=3128),
        )
        == config_of(inner, MemoryFiles({"conf/.wspasswd": "x"})).platform
    )


def test_a_missing_password_file_only_warns():
    """Nothing reads it yet, so nothing is kept from starting."""
    (problem,) = wrapped_problems("<web-services-auth><password><file>.ws</file></password></web-services-auth>")
    assert problem.endswith(
        "web-services-auth/password/file: the password file conf/.ws does not exist; it is not used yet"
    )
    assert ": warning: " in problem


def test_a_password_without_a_file_is_told():
    """The password itself does not belong into the configuration, and is not repeated."""
    problems = wrapped_problems("<web-services-auth><password>canary</password></web-services-auth>")
    assert [
        "iaconfig.xml:1: web-services-auth/password: text does not belong here",
        'iaconfig.xml:1: web-services-auth/password: the element "file" is missing',
    ] == problems


def test_an_enabled_proxy_needs_host_and_port():
    """Both are told, each once."""
    problems = wrapped_problems("<proxy-config><proxy-enabled>true</proxy-enabled></proxy-config>")
    assert ['"proxy-host" is missing', '"proxy-port" is missing'] == [
        line.split("the element ")[1].split(",")[0] for line in problems
    ]


def test_a_disabled_proxy_needs_nothing():
    """As in the original, the section counts only when it is switched on."""
    assert (
        ProxyConfig() == config_of("<proxy-config><proxy-enabled>false</proxy-enabled></proxy-config>").platform.proxy
    )


def test_a_doubled_server_warns():
    """Trying the same server twice helps nobody."""
    (problem,) = wrapped_problems("<primary-servers><url>http://a/</url><url>http://a/</url></primary-servers>")
    assert "http://a/ stands twice" in problem
