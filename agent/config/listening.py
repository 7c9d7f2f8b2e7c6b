"""`<service-gateway>` -> `GatewayConfig`: where events are received, and what one sender may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from agent.config.document import line_of
from agent.config.model import MIB, GatewayConfig, GatewayLimits
from agent.config.reading_tls import read_tls
from agent.config.section import Section
from agent.config.sending import Surroundings
from agent.config.values import boolean, decimal, host, listening_port, milliseconds, text, whole
from agent.config.working import read_key_source

HOUR_S: Final = 3600

LIMITS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = MappingProxyType(
    {
        "max-connections": ("max_connections", whole(1, 100_000)),
        "max-connections-per-peer": ("max_connections_per_peer", whole(1, 100_000)),
        "max-request-line-bytes": ("max_request_line_bytes", whole(256, 64 * 1024)),
        "max-head-bytes": ("max_head_bytes", whole(1024, MIB)),
        "max-header-count": ("max_header_count", whole(4, 10_000)),
        # 1 GiB is what SQLite stores in one value; bodies are held in memory, so far less is wise.
        "max-body-bytes": ("max_body_bytes", whole(1024, 1024 * MIB)),
        "max-bodies-in-flight-bytes": ("max_bodies_in_flight_bytes", whole(1024, 1024 * 1024 * MIB)),
        "max-inflate-ratio": ("max_inflate_ratio", whole(1, 100_000)),
        "max-pipelined": ("max_pipelined", whole(1, 10_000)),
        "handshake-timeout-s": ("handshake_timeout_s", decimal(0.1, HOUR_S, "seconds")),
        "header-timeout-s": ("header_timeout_s", decimal(0.1, HOUR_S, "seconds")),
        "content_read_timeout": ("body_timeout_s", milliseconds(100, HOUR_S * 1000)),
        "min-body-rate-bytes-s": ("min_body_rate_bytes_s", whole(0, MIB)),
        "idle-timeout-s": ("idle_timeout_s", decimal(0.1, HOUR_S, "seconds")),
        "answer-timeout-s": ("answer_timeout_s", decimal(0.1, HOUR_S, "seconds")),
        # libxml2 itself ends at 256.
        "max-xml-depth": ("max_xml_depth", whole(2, 256)),
    }
)
"""Element of `<limits>` -> field of `GatewayLimits` and its reader. Ranges only keep slips of the pen out."""

_ALL_ADDRESSES: Final = frozenset({"", "0.0.0.0", "::"})


def read_gateway(section: Section, around: Surroundings) -> GatewayConfig:
    """Read one `<service-gateway>`."""
    ssl = section.attribute("ssl", boolean, False)
    return GatewayConfig(
        ssl=ssl,
        alias=section.attribute("alias", text, ""),
        tls=read_tls(section, around, ssl=ssl),
        host=section.attribute("host", host, ""),
        port=section.attribute("port", listening_port, GatewayConfig().port),
        limits=_read_limits(section),
        idempotency=read_key_source(section),
    )


def _read_limits(section: Section) -> GatewayLimits:
    limits = section.child("limits")
    if limits is None:
        return GatewayLimits()
    given = {field: limits.value(name, read, None) for name, (field, read) in LIMITS.items()}
    read_limits = GatewayLimits(**{field: value for field, value in given.items() if value is not None})
    if read_limits.max_request_line_bytes > read_limits.max_head_bytes:
        limits.error(
            f"{read_limits.max_request_line_bytes} bytes of request line do not fit into a head of "
            f"{read_limits.max_head_bytes} bytes (max-head-bytes)",
            at="max-request-line-bytes",
        )
    if read_limits.max_body_bytes > read_limits.max_bodies_in_flight_bytes:
        limits.error(
            f"one body of {read_limits.max_body_bytes} bytes is more than all together may have, "
            f"{read_limits.max_bodies_in_flight_bytes} (max-bodies-in-flight-bytes)",
            at="max-body-bytes",
        )
    return read_limits


def check_ports(sections: Sequence[Section], gateways: Sequence[GatewayConfig]) -> None:
    """Note each gateway that would find its port taken by an earlier one.

    A gateway that could not be read is left out: its defaults are not what the operator wrote.
    """
    pairs = zip(sections, gateways, strict=True)
    sound = [(section, gateway) for section, gateway in pairs if section.element not in section.problems.blamed]
    for number, (section, gateway) in enumerate(sound):
        for earlier_section, earlier in sound[:number]:
            if gateway.port and gateway.port == earlier.port and _overlap(gateway.host, earlier.host):
                line = line_of(earlier_section.element)
                section.error(f"port {gateway.port} is already used by the service-gateway of line {line}", at="@port")
                break


def _overlap(host: str, other: str) -> bool:
    return host == other or bool(_ALL_ADDRESSES & {host, other})
