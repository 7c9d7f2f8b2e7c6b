"""agent.config.storing: the bounds of the spool."""

from __future__ import annotations

import attrs
import pytest

from agent.config.model import MIN_RESERVE_BYTES, SpoolLimits
from agent.config.storing import SPOOL
from tests.config.memory import DESCRIPTOR, MemoryFiles, config_of, wrapped_problems


@pytest.mark.parametrize("name", SPOOL)
def test_every_bound_is_read(name: str) -> None:
    """Each element sets its field, and no other."""
    field, _ = SPOOL[name]
    value = MIN_RESERVE_BYTES if name == "reserve-bytes" else 7
    assert attrs.evolve(SpoolLimits(), **{field: value}) == config_of(f"<spool><{name}>{value}</{name}></spool>").spool


def test_a_reserve_holds_the_log_or_there_is_none() -> None:
    """With a smaller one a spool on a full disk would stand still for ever."""
    assert 0 == config_of("<spool><reserve-bytes>0</reserve-bytes></spool>").spool.reserve_bytes
    (problem,) = wrapped_problems("<spool><reserve-bytes>25165823</reserve-bytes></spool>")
    assert "25165823 is too small: the store's log must fit into it; expected 0 (none) or at least 25165824" in problem


def test_no_section_means_the_defaults() -> None:
    """As the record has them."""
    assert SpoolLimits() == config_of("").spool == config_of("<spool/>").spool


def test_the_queue_of_a_service_is_a_bound_of_the_spool() -> None:
    """maxQueueSize of a descriptor reaches who counts the events."""
    pool = "<pool><maxQueueSize>1000</maxQueueSize></pool></integration-service>"
    files = MemoryFiles({"services/p.xml": DESCRIPTOR.replace("</integration-service>", pool), "services/pumps.py": ""})
    config = config_of("<service-configs><path>p.xml</path></service-configs>", files)
    assert (("applications|pumps", 1000),) == config.spool.own_max_events


def test_a_bound_that_never_holds_warns() -> None:
    """More for one service than for all."""
    (problem,) = wrapped_problems("<spool><max-events>10</max-events></spool>")
    assert "250000 is more than max-events, 10, which ends the matter earlier" in problem
