"""What a phase measured as plain numbers, under the names that thresholds use: for programs and for other tools."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.agent.messages import OPERATIONS

if TYPE_CHECKING:
    from pytest_sai3bench.results.latency import Latency
    from pytest_sai3bench.results.model import PhaseResult, Tally

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Latencies:
    """A distribution of ``samples`` durations, in seconds; without samples each of them is NaN.

    NaN meets no limit: ``p99 < 0.02`` is false, and so is ``p99 > 0.02``.
    """

    samples: int = 0
    mean: float = math.nan
    p50: float = math.nan
    p90: float = math.nan
    p95: float = math.nan
    p99: float = math.nan
    p999: float = math.nan
    max: float = math.nan

    @classmethod
    def of(cls, latency: Latency) -> Latencies:
        """Return the numbers of a distribution."""
        return cls(**_numbers(latency))


@dataclass(frozen=True)
class Metrics(Latencies):
    """Operations of one kind, endpoint or agent: ``throughput`` in bytes per second, ``ops`` per second.

    ``count`` includes those that ended after the window, ``errors`` are failed attempts, ``error_rate`` is 0 … 1.
    ``response`` are latencies from the instants at which operations were due, under a rate; ``ttfb`` are times to first
    byte of gets over HTTP.
    """

    throughput: float = 0.0
    ops: float = 0.0
    count: int = 0
    errors: int = 0
    error_rate: float = 0.0
    response: Latencies = field(default_factory=Latencies)
    ttfb: Latencies = field(default_factory=Latencies)

    @classmethod
    def of_tally(cls, phase: PhaseResult, tally: Tally) -> Metrics:
        """Return the numbers of a part of a phase."""
        return cls(
            **_numbers(tally.latency),
            throughput=phase.bytes_per_s(tally),
            ops=phase.ops_per_s(tally),
            count=tally.ops + tally.tail_ops,
            errors=tally.errors,
            error_rate=tally.error_rate,
            response=Latencies.of(tally.response),
            ttfb=Latencies.of(tally.ttfb),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what was measured as builtins: NaN, which JSON lacks, is left out."""
        return {
            name: value
            for name, value in asdict(self).items()
            if not isinstance(value, dict) and not math.isnan(value)
        }


def metrics_by_operation(phase: PhaseResult) -> dict[str, Metrics]:
    """Return ``total`` and each operation that was asked for, in the order of `OPERATIONS`."""
    tallies = {"total": phase.tally()} | {op: phase.tally(ops=[op]) for op in OPERATIONS}
    return {
        name: Metrics.of_tally(phase, tally)
        for name, tally in tallies.items()
        if tally.requests or name == "total"
    }


def _numbers(latency: Latency) -> dict[str, Any]:
    if not latency.count:
        return {}
    percentiles = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p999": 99.9}
    return {
        "samples": latency.count,
        "mean": latency.mean_ns / _NS_PER_S,
        **{name: latency.percentile_ns(percent) / _NS_PER_S for name, percent in percentiles.items()},
        "max": latency.max_ns / _NS_PER_S,
    }
