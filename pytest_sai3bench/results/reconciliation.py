"""Tallies that came by different ways, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.agent.buckets import LABELS
from pytest_sai3bench.results.model import SeriesKey, Tally, TickSum, total

if TYPE_CHECKING:
    from collections.abc import Mapping

# Tallies by key, of the warm-up and of what came after it.
Halves = tuple["Mapping[SeriesKey, Tally]", "Mapping[SeriesKey, Tally]"]


def sum_ticks(ticked: Halves, final: Halves) -> TickSum:
    """Return what the ticks add up to, and where that is not the final result."""
    differing = [
        prefix + describe_key(key)
        for prefix, by_ticks, by_result in zip(("warmup ", ""), ticked, final)
        for key in sorted({*by_ticks, *by_result})
        if facts_of(by_ticks.get(key, Tally())) != facts_of(by_result.get(key, Tally()))
    ]
    # The parts of operations are in them once already.
    whole = total(tally for half in ticked for key, tally in half.items() if key.role != "part")
    return TickSum(whole.ops + whole.tail_ops, whole.bytes + whole.tail_bytes, whole.errors, tuple(differing))


def facts_of(tally: Tally) -> tuple[object, ...]:
    """Return what must agree; sums and borders of latencies are left out, for they follow from the samples."""
    return (
        tally.ops,
        tally.bytes,
        tally.tail_ops,
        tally.tail_bytes,
        tally.errors,
        tally.latency.counts,
        tally.response.counts,
        tally.ttfb.counts,
    )


def describe_key(key: SeriesKey) -> str:
    """Return a series in words."""
    role = f" ({key.role})" if key.role else ""
    return f"{key.op}{role} of {key.agent} at {key.endpoint} in {LABELS[key.bucket]}"
