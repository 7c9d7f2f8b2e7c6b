"""Where URLs lead: host, port, what the request names, and which connections it may use."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from agent.config.model import HttpDestination
from agent.config.outbound import Proxy, ProxyScheme
from agent.upstream.exchange import Exchange, Phase
from agent.upstream.pool import Pool
from agent.upstream.proxy import ProxyAccess
from agent.upstream.roads import MAX_KEPT, Roads
from agent.upstream.trust import system_context
from tests.support.far_end import FarEnd
from tests.support.twisted_results import result_of


class Desk:
    def __init__(self, *, scheme=None, no_proxy=()):
        self.far_end = FarEnd()
        self.contexts = 0
        proxy = None
        if scheme is not None:
            proxy = Proxy(host="proxy.example", port=3128, scheme=scheme, no_proxy=no_proxy)
        self.roads = Roads(
            destination=HttpDestination(name="out", url="http://x.example/"),
            reactor=Clock(),
            context=self.context,
            pool=Pool(reactor=Clock(), max_idle=1),
            proxy=None if proxy is None else ProxyAccess(proxy, cnonce=lambda: "c"),
            direct=self.far_end.endpoint,
        )

    def context(self):
        self.contexts += 1
        return succeed(system_context(with_system=False))

    def connect(self, url):
        """The phase that a new connection to `url` is in."""
        exchange = Exchange()
        connecting = Deferred.fromCoroutine(self.roads.connect(self.roads.road(url), exchange))
        if connecting.called:
            result_of(connecting)
        return exchange.phase


@pytest.mark.parametrize(
    ("url", "host", "port", "host_field", "target"),
    [
        ("http://x.example", "x.example", 80, b"x.example", b"/"),
        ("http://X.example:80/a?b=c", "x.example", 80, b"x.example", b"/a?b=c"),
        ("http://x.example:8080?b=c", "x.example", 8080, b"x.example:8080", b"/?b=c"),
        ("https://x.example/a;p=1", "x.example", 443, b"x.example", b"/a;p=1"),
        ("https://x.example:80//a", "x.example", 80, b"x.example:80", b"//a"),
        ("http://[::1]/a", "::1", 80, b"[::1]", b"/a"),
        ("http://[::1]:8080/a", "::1", 8080, b"[::1]:8080", b"/a"),
    ],
)
def test_a_url_names_its_host_and_target(url, host, port, host_field, target):
    """RFC 9112, 3.2: no port where it is the usual one, and a path always."""
    road = Desk().roads.road(url)
    assert (host, port, host_field, target) == (road.host, road.port, road.host_field, road.target)


def test_a_proxy_is_told_the_whole_url():
    """For http; for https it makes a tunnel, and sees nothing of the request."""
    roads = Desk(scheme=ProxyScheme.HTTP, no_proxy=("near.example",)).roads
    road = roads.road("http://x.example:8080/a?b=c")
    assert (True, b"http://x.example:8080/a?b=c", b"x.example:8080") == (
        road.is_forwarded,
        road.target,
        road.host_field,
    )
    road = roads.road("https://x.example/a")
    assert (False, b"/a") == (road.is_forwarded, road.target)
    road = roads.road("http://near.example/a")
    assert (False, None, b"/a") == (road.is_forwarded, road.proxy, road.target)


def test_connections_are_shared_by_origin_or_proxy():
    """Never between TLS and none, hosts, ports, or a tunnel and the direct way."""
    urls = ("http://x/", "http://x/a", "http://y/", "http://x:81/", "https://x/", "https://x:80/")
    direct, proxied = Desk().roads, Desk(scheme=ProxyScheme.HTTP, no_proxy=("y",)).roads
    assert 5 == len({direct.road(url).key for url in urls})
    assert 4 == len({proxied.road(url).key for url in urls})
    assert direct.road("https://x/").key != proxied.road("https://x/").key


@pytest.mark.parametrize(
    ("url", "scheme", "host", "contexts", "phase"),
    [
        ("http://x.example/", None, "x.example", 0, Phase.WAITING),
        ("https://x.example/", None, "x.example", 1, Phase.HANDSHAKE),
        ("http://x.example/", ProxyScheme.HTTP, "proxy.example", 0, Phase.WAITING),
        ("http://x.example/", ProxyScheme.HTTPS, "proxy.example", 1, Phase.HANDSHAKE),
        ("https://x.example/", ProxyScheme.HTTP, "proxy.example", 1, Phase.PROXY),
    ],
)
def test_what_is_connected_to(url, scheme, host, contexts, phase):
    """The phase is what is waited for next; keys and authorities are asked for where there is TLS, the proxy's too."""
    desk = Desk(scheme=scheme)
    assert phase is desk.connect(url)
    assert (host, contexts) == (desk.far_end.lines[0].host, desk.contexts)


def test_not_every_url_is_remembered():
    """A service may make a path of its own for each request."""
    roads = Desk().roads
    kept = roads.road("http://x.example/0")
    assert kept is roads.road("http://x.example/0")
    for number in range(1, MAX_KEPT + 1):
        roads.road(f"http://x.example/{number}")
    assert kept is not roads.road("http://x.example/0")
