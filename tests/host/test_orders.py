"""agent.host.orders: what a worker is told at its start."""

from __future__ import annotations

from pathlib import PurePath

import attrs

from agent.config.model import Constant, EncryptedConstant, ValueType
from agent.config.platform import PlatformConfig
from agent.host.messages import SecretConstant
from agent.host.orders import load_order, platform_of
from agent.host.reading import from_agent
from agent.secret import Secret
from agent.wire.frames import Decoder, encode
from tests.config.memory import config_of
from tests.host.fakes import Bench


def test_everything_that_a_worker_needs_survives_the_pipe() -> None:
    """URLs, secrets as the tokens that they become, and whether debug lines are of use; secrets are in no repr."""
    bench = Bench(
        constants=(Constant(name="site", value="plant-7"),),
        encrypted_constants=(
            EncryptedConstant(
                name="Ticket Password",
                path=PurePath("/home/conf/t.pwd"),
                secret=Secret("open sesame"),
                type=ValueType.NUMERIC,
                overwrite=True,
            ),
        ),
    )
    told = {"company": "Example Ltd"}
    edges = attrs.evolve(bench.edges, urls={"xm": "https://acme.example"}, platform=told, is_debug=True)
    order = load_order(bench.service.config, edges, counted=[("f", "k", 1.0)])

    assert [order] == [from_agent(frame) for frame in Decoder().feed(encode(order.frame()))]
    assert ({"xm": "https://acme.example"}, True, {"site": "plant-7"}) == (order.urls, order.is_debug, order.constants)
    assert told == order.platform
    assert (
        SecretConstant(
            name="Ticket Password", key="ticket_password", value="open sesame", kind="string", is_overwriting=True
        ),
    ) == order.secrets
    assert "open sesame" not in repr(order)


def test_services_hear_of_the_platform_without_its_password() -> None:
    """User, company and first server, as scripts of the original read them."""
    platform = PlatformConfig(
        user="ia", company="Example Ltd", primary_urls=("https://a/x", "https://b/x"), password=Secret("geheim")
    )
    found = platform_of(attrs.evolve(config_of(""), platform=platform))
    assert {"user": "ia", "company": "Example Ltd", "url": "https://a/x"} == found
    assert "" == platform_of(config_of(""))["url"]
