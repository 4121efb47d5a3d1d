"""Which endpoints stand out from the others: idle, failing or slow."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from pytest_sai3bench.agent.messages import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_sai3bench.results.model import PhaseResult

# A median this many times that of the others is no chance, and more than any difference between equal machines.
SLOW_FACTOR = 2.0
# Fewer samples say little about their median.
FEWEST_SAMPLES = 10


@dataclass(frozen=True)
class Mark:
    """Why an endpoint stands out; a slow one did ``op`` in ``factor`` times the time of the others."""

    kind: Literal["failing", "idle", "slow"]
    op: str = ""
    factor: float = 0.0

    def __str__(self) -> str:
        return f"slow: {self.op} {self.factor:.1f}x" if self.kind == "slow" else self.kind


def find_outliers(phase: PhaseResult, ops: Collection[str] = OPERATIONS) -> dict[str, Mark]:
    """Return the endpoints of ``phase`` that stand out in ``ops``.

    One without any request is idle, one on which nothing but errors came of them is failing. One is slow when the p50
    of some operation is, by `find_slow`; the operation with the largest factor is named. Medians of unlike operations
    are never compared.
    """
    marks: dict[str, Mark] = {}
    for uri in phase.endpoints:
        tally = phase.tally(ops=ops, endpoint=uri)
        if not tally.requests:
            marks[uri] = Mark("idle")
        elif tally.errors == tally.requests:
            marks[uri] = Mark("failing")
    for op in sorted({key.op for key in phase.series}.intersection(ops)):
        latencies = {uri: phase.tally(ops=[op], endpoint=uri).latency for uri in phase.endpoints}
        medians_ns = {
            uri: latency.percentile_ns(50)
            for uri, latency in latencies.items()
            if latency.count >= FEWEST_SAMPLES
        }
        for uri, factor in find_slow(medians_ns).items():
            if uri not in marks or factor > marks[uri].factor:
                marks[uri] = Mark("slow", op, factor)
    return marks


def find_slow(medians: Mapping[str, float]) -> dict[str, float]:
    """Return each name whose median is at least `SLOW_FACTOR` times the median of the others', with that factor."""
    slow = {}
    for name, value in medians.items():
        others = [other for known, other in medians.items() if known != name]
        usual = median(others) if others else 0
        if usual and value >= SLOW_FACTOR * usual:
            slow[name] = value / usual
    return slow
