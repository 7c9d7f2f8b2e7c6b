"""Keystores and certificates for the tests of `iadmin keystore`, made at run time."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from agent.config.model import GatewayConfig
from keystoretools import Format, Keystore, PrivateKeyEntry, open_keystore, save_keystore, write_pem
from tests.iadmin.fakes import NOW, World, agent_config
from tests.keystoretools.authority import Made, make

START = datetime(2025, 1, 1, tzinfo=UTC)
SERVER = "ia.example.com"


@attrs.frozen
class Authority:
    """A root, an intermediate below it, and a server's certificate below that."""

    root: Made
    intermediate: Made
    server: Made


@functools.cache
def authority() -> Authority:
    root = make("Test Root", authority=True, start=START, days=5000)
    intermediate = make("Test Issuer", root, authority=True, start=START, days=3000)
    return Authority(root, intermediate, make(SERVER, intermediate, names=(SERVER,), start=START, days=365))


def made(common: str, **options: Any) -> Made:
    """A certificate that is valid around `NOW`."""
    return make(common, **{"start": START, "days": 365, "names": (common,), **options})


@functools.cache
def apia() -> Made:
    return made("apia")


def entry(alias: str, *links: Made) -> PrivateKeyEntry:
    """A key entry: the first with its key, the others as its issuers."""
    chain = tuple(one.certificate for one in links)
    return PrivateKeyEntry(alias=alias, key=links[0].key, chain=chain, created_ms=1_700_000_000_000)


def pfx(password: str, alias: str, *links: Made) -> bytes:
    return save_keystore(Keystore(format=Format.PKCS12, entries=(entry(alias, *links),)), password)


def pem(*what: Any) -> bytes:
    return write_pem(list(what))


@attrs.define
class Site:
    """A world whose home has a keystore."""

    world: World

    @property
    def path(self) -> Path:
        return self.world.home / "conf" / ".keystore"

    def put(self, *entries: Any, password: str = "alarmpoint", format: Format = Format.JKS) -> None:
        self.path.write_bytes(save_keystore(Keystore(format=format, entries=entries), password, now_ms=1))
        self.path.chmod(0o600)

    def open(self, password: str = "alarmpoint") -> Keystore:
        return open_keystore(self.path.read_bytes(), password)

    @property
    def aliases(self) -> list[str]:
        return sorted(one.alias for one in open_keystore(self.path.read_bytes()))

    @property
    def backups(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.glob(".keystore.*"))

    def file(self, name: str, data: bytes) -> str:
        (self.world.cwd / name).write_bytes(data)
        return name

    def serve(self, alias: str) -> None:
        """The configuration names this entry."""
        gateway = GatewayConfig(host="127.0.0.1", port=8081, alias=alias)
        self.world.config = attrs.evolve(agent_config(), gateways=(gateway,))

    def run(self, *words: str) -> Any:
        return self.world.run("keystore", *words)


__all__ = ["NOW", "SERVER", "Authority", "Site", "apia", "authority", "entry", "made", "pem", "pfx"]
