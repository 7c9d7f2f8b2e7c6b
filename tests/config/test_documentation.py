"""docs/configuration.rst against the model: a default that changes must change there as well."""

from __future__ import annotations

import re

import pytest

from agent.config.listening import LIMITS
from agent.config.model import (
    MIB,
    SERVICE_RETRY,
    GatewayConfig,
    GatewayLimits,
    HttpDestination,
    LogConfig,
    RetryPolicy,
    SpoolLimits,
    WorkerLimits,
)
from agent.config.outbound import TriesPolicy
from agent.config.reading_outbound import TRIES
from agent.config.sending import RETRY
from agent.config.storing import SPOOL
from agent.config.working import MAX_POOL_SIZE, MIN_POOL_SIZE
from tests.config.memory import DESCRIPTOR, ROOT, MemoryFiles, config_of

PAGE = (ROOT / "docs" / "configuration.rst").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^   \* - ``([^`]+)``\n     - ``([^`]+)``$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    """Each limit stands in the page with its default, read as the configuration would read it."""
    field, read = LIMITS[name]
    assert getattr(GatewayLimits(), field) == read(ROWS[name])


@pytest.mark.parametrize("name", RETRY)
def test_retry(name):
    """Each setting of the retry policy stands in the page with its default."""
    field, read = RETRY[name]
    assert getattr(RetryPolicy(), field) == read(ROWS[name])


@pytest.mark.parametrize("name", TRIES)
def test_tries(name):
    """Each setting of the RetryPolicy stands in the page with its default, in its own unit."""
    field, read = TRIES[name]
    assert getattr(TriesPolicy(), field) == read(ROWS[name])


@pytest.mark.parametrize("name", SPOOL)
def test_spool(name):
    """Each bound of the spool stands in the page with its default."""
    field, read = SPOOL[name]
    assert getattr(SpoolLimits(), field) == read(ROWS[name])


def test_the_other_defaults():
    """Gateway, destination, log and descriptor."""
    destination, log = HttpDestination(name="x", url="http://a"), LogConfig()
    files = MemoryFiles({"services/p.xml": DESCRIPTOR, "services/pumps.py": ""})
    service = config_of("<service-configs><path>p.xml</path></service-configs>", files).services[0]
    defaults = {
        "port": GatewayConfig().port,
        "ssl": str(GatewayConfig().ssl).lower(),
        "timeout-s": f"{destination.timeout_s:g}",
        "concurrency": destination.concurrency,
        "max-answer-bytes": destination.max_answer_bytes,
        "level": log.level,
        "max-file-bytes": log.max_file_bytes,
        "max-files": log.max_files,
        "destination": service.destination,
        "hook-timeout": f"{service.hook_timeout_s:g}",
        "minPoolSize": MIN_POOL_SIZE,
        "maxPoolSize": MAX_POOL_SIZE,
        "maxThreadLife": round(service.hook_timeout_s * 1000),
        "later-pass": str(service.later_pass).lower(),
        "max-memory-mib": WorkerLimits().max_memory_bytes // MIB,
        "max-open-files": WorkerLimits().max_open_files,
        "max-processes": WorkerLimits().max_processes,
    }
    assert {name: str(value) for name, value in defaults.items()} == {name: ROWS[name] for name in defaults}
    assert f"For services the default is {SERVICE_RETRY.max_attempts}." in PAGE
