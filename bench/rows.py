"""The rows of the table: what is measured, against whom, and what was aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from bench.costs import handshaking, resting, starting
from bench.rates import accepting, accepting_tls, going_on
from bench.rounds import Bench, Row, Wanted

ROWS: Final[Mapping[str, Callable[[Bench, Wanted], Iterator[Row]]]] = MappingProxyType(
    {
        "node-red twisted-web uvicorn": accepting,
        "uvicorn-tls nginx-tls": accepting_tls,
        "handshake": handshaking,
        "memory": resting,
        "start": starting,
        "end-to-end half-load": going_on,
    }
)
"""Keys of the rows, and what measures them."""
