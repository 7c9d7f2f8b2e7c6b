"""`<admin-gateway>`: where iadmin reaches the agent from other machines, and the keystore whose entry lets it in."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import attrs

DEFAULT_HOST: Final = "127.0.0.1"
"""Whoever wants to administer from other machines says so."""
DEFAULT_PORT: Final = 8082


@attrs.frozen(kw_only=True)
class AdminGatewayConfig:
    """One `<admin-gateway>`. `host` is the name or address to bind; port 0: any.

    `keystore` holds the entry `apia`; its password is the first line of `password_file`, else that of the environment,
    else the one that the original delivers.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    keystore: PurePath
    password_file: PurePath | None = None
