"""A service as `iadmin` shows it; the fields are in docs/control-api.rst."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.config.model import ServiceConfig
from agent.host.service import Service
from agent.recent import IDLE


def describe(config: ServiceConfig, service: Service | None) -> Mapping[str, Any]:
    """JSON-able; `service` is None where it is not active."""
    common = {
        "service": config.name.client_id,
        "url_name": config.name.url_name,
        "runnable": not config.obstacle,
    }
    if service is None:
        return {
            **common,
            "state": "inactive",
            "pid": None,
            "started": None,
            "hooks": [],
            "restarts": 0,
            "in_hand": 0,
            "waiting": 0,
            "last_error": config.obstacle,
            "stderr_tail": [],
            "last_request": None,
            "last_minute": dict(IDLE),
        }
    return {
        **common,
        "state": service.state.value,
        "pid": service.pid or None,
        "started": _iso(service.started_us),
        "hooks": list(service.hooks),
        "restarts": service.restarts.count,
        "in_hand": service.in_hand,
        "waiting": service.waiting,
        "last_error": service.restarts.last_error,
        "stderr_tail": list(service.stderr_tail),
        "last_request": _iso(service.last_request_us),
        "last_minute": service.account.pace.describe(),
    }


def _iso(at_us: int) -> str | None:
    if not at_us:
        return None
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")
