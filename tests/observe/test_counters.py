"""Counters count, and stay few."""

from __future__ import annotations

from agent.observe.counters import MAX_LABELS, OTHER, CounterStore


def test_counts_add_up_per_name_and_label():
    """A name may be counted with and without labels."""
    store = CounterStore()
    store.count("gateway.accepted")
    store.count("gateway.accepted", by=2)
    store.count("gateway.accepted", "a")
    assert {"gateway.accepted": {"": 3, "a": 1}} == store.snapshot()


def test_labels_without_end_are_counted_together():
    """Memory is bounded, the sum stays right."""
    store = CounterStore()
    for number in range(MAX_LABELS + 50):
        store.count("upstream.sent", str(number))
    labels = store.snapshot()["upstream.sent"]
    assert 50 == labels[OTHER]
    assert MAX_LABELS + 50 == sum(labels.values())
    assert MAX_LABELS + 1 == len(labels)


def test_a_snapshot_does_not_change():
    """Whoever holds one may keep it."""
    store = CounterStore()
    store.count("a")
    snapshot = store.snapshot()
    store.count("a")
    assert {"a": {"": 1}} == snapshot
