"""agent.host.orders: what a worker is told at its start."""

from __future__ import annotations

from pathlib import PurePath

import attrs

from agent.config.model import Constant, EncryptedConstant, ValueType
from agent.host.messages import SecretConstant
from agent.host.orders import load_order
from agent.host.reading import from_agent
from agent.secret import Secret
from agent.wire.frames import Decoder, encode
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
    edges = attrs.evolve(bench.edges, urls={"xm": "https://acme.example"}, is_debug=True)
    order = load_order(bench.service.config, edges, counted=[("f", "k", 1.0)])

    assert [order] == [from_agent(frame) for frame in Decoder().feed(encode(order.frame()))]
    assert ({"xm": "https://acme.example"}, True, {"site": "plant-7"}) == (order.urls, order.is_debug, order.constants)
    assert (
        SecretConstant(
            name="Ticket Password", key="ticket_password", value="open sesame", kind="string", is_overwriting=True
        ),
    ) == order.secrets
    assert "open sesame" not in repr(order)
