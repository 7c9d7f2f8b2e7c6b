"""agent.config.working: threads, times, queues and limits of a service."""

from __future__ import annotations

import pytest

from agent.config.model import MIB, KeySource, ServiceConfig, WorkerLimits
from tests.config.memory import DESCRIPTOR, MemoryFiles, config_of, wrapped_problems

LISTED = "<service-configs><path>pumps.xml</path></service-configs>"


def home(inner: str) -> MemoryFiles:
    descriptor = DESCRIPTOR.replace("</integration-service>", f"{inner}</integration-service>")
    return MemoryFiles({"services/pumps.xml": descriptor, "services/pumps.py": ""})


def service(inner: str) -> ServiceConfig:
    return config_of(LISTED, home(inner)).services[0]


def problems(inner: str) -> list[str]:
    return [line.partition(": ")[2] for line in wrapped_problems(LISTED, home(inner))]


def test_defaults_are_those_of_the_record() -> None:
    """A descriptor that says nothing gives what the model says."""
    one = service("")
    assert one == ServiceConfig(name=one.name, descriptor=one.descriptor, script=one.script)


def test_pool_in_the_runtimes_words() -> None:
    """A third of the threads for each lane; milliseconds; a queue of its own."""
    one = service(
        "<pool><minPoolSize>2</minPoolSize><maxPoolSize>24</maxPoolSize><maxThreadLife>2500</maxThreadLife>"
        "<maxQueueSize>1000</maxQueueSize></pool>"
    )
    assert (8, 8, 2) == (one.normal_threads, one.high_threads, one.kept_threads)
    assert (2.5, 1000) == (one.hook_timeout_s, one.max_waiting_events)


def test_concurrency_wins_over_the_pool() -> None:
    """Where both are given, the threads are those of concurrency, and the pool must have room for them."""
    concurrency = "<concurrency><normal-priority-thread-count>4</normal-priority-thread-count></concurrency>"
    one = service(f"{concurrency}<pool><maxPoolSize>11</maxPoolSize></pool>")
    assert (4, 3) == (one.normal_threads, one.high_threads)
    (problem,) = problems(f"{concurrency}<pool><maxPoolSize>10</maxPoolSize></pool>")
    assert problem.startswith("pool/maxPoolSize: 10 threads are too few for concurrency: 4 for normal events, 3 for")
    assert problem.endswith("high ones and 4 for senders are 11; raise it, or lower concurrency")


def test_concurrency_alone_needs_no_pool() -> None:
    """Descriptors of the original with many threads go on to work."""
    threads = "<normal-priority-thread-count>20</normal-priority-thread-count>"
    assert [] == problems(f"<concurrency>{threads}</concurrency>")


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ("<pool><maxPoolSize>2</maxPoolSize></pool>", '"2" is not a whole number from 3 to 1000'),
        ("<pool><minPoolSize>11</minPoolSize></pool>", "11 is more than maxPoolSize, 10"),
        (
            "<hook-timeout>5</hook-timeout><pool><maxThreadLife>6000</maxThreadLife></pool>",
            "6 s contradict hook-timeout, 5 s; keep one of the two",
        ),
        ("<idempotency/>", "needs the attribute header or xpath, or both"),
        ('<idempotency xpath="/a["/>', "is not an XPath"),
        ('<idempotency xpath="/x:a"/>', "write *[local-name()='name'] for names in a namespace"),
        ('<idempotency xpath="nosuch(/a)"/>', "is not an XPath"),
        ('<idempotency header="a b"/>', '"a b" is not the name of an HTTP header'),
        ("<later-pass>maybe</later-pass>", '"maybe" is neither true nor false'),
        (
            "<worker-limits><max-memory-mib>1</max-memory-mib></worker-limits>",
            '"1" is not a whole number from 64 to 1048576',
        ),
    ],
)
def test_faults(inner: str, sentence: str) -> None:
    """Each with what was found and what is expected."""
    (problem,) = problems(inner)
    assert sentence in problem


def test_the_rest_is_read() -> None:
    """later-pass, limits, where the key is."""
    one = service(
        '<later-pass>true</later-pass><idempotency header="X-Id" xpath="/event/@id"/><worker-limits>'
        "<max-memory-mib>256</max-memory-mib><max-open-files>100</max-open-files><max-processes>32</max-processes>"
        "</worker-limits>"
    )
    assert one.later_pass
    assert KeySource(header="X-Id", xpath="/event/@id") == one.idempotency
    assert WorkerLimits(max_memory_bytes=256 * MIB, max_open_files=100, max_processes=32) == one.limits


def test_a_gateway_has_a_key_source_too() -> None:
    """For all services that have none."""
    gateway = '<service-gateway port="9000"><idempotency header="X-Id"/></service-gateway>'
    assert KeySource(header="X-Id") == config_of(gateway).gateways[0].idempotency
