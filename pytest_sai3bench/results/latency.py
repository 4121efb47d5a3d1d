"""Latencies as sparse HdrHistogram counts that add up exactly; percentiles are computed, never averaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_sai3bench.agent import hdr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Latency:
    """Distribution of durations in nanoseconds.

    ``counts`` maps bucket index (see `pytest_sai3bench.agent.hdr`) to number of samples. Sum, minimum and maximum are
    exact, not rounded to buckets. The empty distribution has ``min_ns`` and ``max_ns`` 0.
    """

    counts: Mapping[int, int] = field(default_factory=dict)
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0

    def __add__(self, other: Latency) -> Latency:
        return Latency.total((self, other))

    @classmethod
    def total(cls, parts: Iterable[Latency]) -> Latency:
        """Return the distribution of all samples of ``parts``."""
        filled = [part for part in parts if part.counts]
        if len(filled) < 2:
            return filled[0] if filled else cls()
        counts: dict[int, int] = {}
        for part in filled:
            for index, count in part.counts.items():
                counts[index] = counts.get(index, 0) + count
        return cls(
            counts,
            sum(part.sum_ns for part in filled),
            min(part.min_ns for part in filled),
            max(part.max_ns for part in filled),
        )

    @classmethod
    def of(cls, samples_ns: Iterable[int]) -> Latency:
        """Return the distribution of ``samples_ns``."""
        counts: dict[int, int] = {}
        samples = list(samples_ns)
        for ns in samples:
            index = hdr.index_of(ns)
            counts[index] = counts.get(index, 0) + 1
        if not samples:
            return cls()
        return cls(counts, sum(samples), min(samples), max(samples))

    @cached_property
    def count(self) -> int:
        """Number of samples."""
        return sum(self.counts.values())

    @property
    def mean_ns(self) -> float:
        """Arithmetic mean; 0 when empty."""
        return self.sum_ns / self.count if self.count else 0.0

    @cached_property
    def _cumulative(self) -> tuple[tuple[int, int], ...]:
        total = 0
        steps = []
        for index in sorted(self.counts):
            total += self.counts[index]
            steps.append((total, index))
        return tuple(steps)

    def percentile_ns(self, percent: float) -> int:
        """Upper border of the bucket in which ``percent`` (0 … 100) of the samples are reached.

        The number of samples is rounded to the nearest whole one, as HdrHistogram's ``get_value_at_percentile`` does;
        the result is never above the exact maximum, and 0 percent is the exact minimum. 0 when empty.
        """
        if not self.counts or percent <= 0:
            return self.min_ns
        wanted = max(1, int(percent * self.count / 100 + 0.5))
        for total, index in self._cumulative:
            if total >= wanted:
                return min(hdr.highest_value_of(index), self.max_ns)
        return self.max_ns
