"""How far a measured value can be trusted, and whether two of them differ: pure functions on batches of one run.

A batch is what completed in a piece of the measured time. Neighbouring batches resemble each other, so single samples
must not be taken for independent ones. The circular block bootstrap (Politis and Romano 1992) draws whole blocks of
neighbours with replacement; what the statistic does from draw to draw is its standard error. Blocks are as long as Politis
and White (2004) recommend for a series whose memory fades by the same factor from batch to batch. Ratios are compared as
logarithms, with Student's t and the degrees of freedom of Welch.

Standard library only. The same input gives the same output: the draws have a fixed seed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from operator import mul
from random import Random
from statistics import NormalDist, fmean, median, variance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONFIDENCE = 0.95
"""How often, of many runs that do not differ, the interval of a comparison holds the truth."""
FEWEST_BATCHES = 4
"""With less of them nothing is known about how much they vary."""

_DRAWS = 400
_SEED = 20041
# Of a median of many normal values, compared with their mean.
_MEDIAN_VARIANCE = math.pi / 2


@dataclass(frozen=True)
class Estimate:
    """A value above 0 of one run; ``error`` is the standard error of its logarithm, ``freedom`` its degrees of freedom."""

    value: float
    error: float
    freedom: float


@dataclass(frozen=True)
class Ratio:
    """One value divided by another, and the interval that holds the true ratio with `CONFIDENCE`."""

    value: float
    low: float
    high: float


def estimate_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Return the sum of ``numerators`` by that of ``denominators``, one of each per batch: a rate, or a mean."""
    values = [up / down if down else 0.0 for up, down in zip(numerators, denominators)]

    def statistic(weights: Sequence[int]) -> float:
        down: float = sum(map(mul, weights, denominators))
        up: float = sum(map(mul, weights, numerators))
        return up / down if down else 0.0

    return _estimate(statistic, values)


def estimate_percentile(batches: Sequence[Mapping[int, int]], percent: float) -> Estimate:
    """Return a percentile of all batches; each has counts by a number that grows with the value. It is such a number.

    Its error is that of the logarithm of the number itself; pass numbers that are values, such as nanoseconds.
    """
    grid = sorted({number for counts in batches for number in counts})
    # How many samples of each batch lie at or below each number of the grid.
    by_batch = [list(accumulate(counts.get(number, 0) for number in grid)) for counts in batches]
    below = list(zip(*by_batch, strict=True))
    sizes = below[-1] if below else ()

    def find(weights: Sequence[int]) -> int:
        total = sum(map(mul, weights, sizes))
        wanted = min(max(1, int(percent * total / 100 + 0.5)), total)

        def count(at: int) -> int:
            return sum(map(mul, weights, below[at]))

        return bisect_left(range(len(grid)), wanted, key=count)

    if not grid:
        raise ValueError("no samples to compare")
    whole = find([1] * len(batches))
    shares = [1 - sums[whole] / sums[-1] if sums[-1] else 0.0 for sums in by_batch]
    return _estimate(lambda weights: float(grid[find(weights)]), shares)


def compare(new: Sequence[Estimate], old: Sequence[Estimate]) -> Ratio:
    """Return the ratio of two medians of rounds; a run without rounds is one of them."""
    ours, theirs = _summarise(new), _summarise(old)
    square = ours.error**2 + theirs.error**2
    ratio = ours.value / theirs.value
    if not square:
        return Ratio(ratio, ratio, ratio)
    freedom = square**2 / sum(each.error**4 / each.freedom for each in (ours, theirs) if each.error)
    factor = math.exp(t_quantile(0.5 + CONFIDENCE / 2, freedom) * math.sqrt(square))
    return Ratio(ratio, ratio / factor, ratio * factor)


def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t for whole degrees of freedom, rounded down: exact for 1 and 2.

    For more it is the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5), good to 0.1%.
    """
    whole = max(1, math.floor(freedom))
    if whole == 1:
        return math.tan(math.pi * (probability - 0.5))
    if whole == 2:
        return (2 * probability - 1) * math.sqrt(2 / (4 * probability * (1 - probability)))
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    beyond: float = sum(term / whole**power for power, term in enumerate(terms, 1))
    return z + beyond


def block_length(values: Sequence[float]) -> int:
    """Return how many neighbours belong together: 1 for a series without memory, at most a quarter of it."""
    count = len(values)
    memory = min(_memory(values), 0.95)
    if memory <= 0:
        return 1
    spread = 2 * memory / (1 - memory**2)
    length: float = (1.5 * spread**2 * count) ** (1 / 3)
    return min(max(1, round(length)), max(1, count // 4))


def _memory(values: Sequence[float]) -> float:
    """Return the correlation of neighbours, corrected for the bias of short series (Kendall 1954)."""
    mean = fmean(values)
    parts = [value - mean for value in values]
    square = math.fsum(part * part for part in parts)
    if not square:
        return 0.0
    found = math.fsum(one * other for one, other in zip(parts, parts[1:])) / square
    return found + (1 + 3 * found) / len(values)


def _estimate(statistic: Callable[[Sequence[int]], float], values: Sequence[float]) -> Estimate:
    """Return the statistic of all batches, with an error from blocks of them; ``values`` tell how long blocks are."""
    count = len(values)
    whole = statistic([1] * count)
    if count < FEWEST_BATCHES or whole <= 0:
        raise ValueError(f"{count} batches with a value of {whole} cannot be compared")
    block = block_length(values)
    logs = []
    for weights in _draws(count, block):
        drawn = statistic(weights)
        # A draw of batches in which nothing happened says that they are no exception.
        logs.append(math.log(drawn if drawn > 0 else whole / count))
    # Draws vary around what was found as if it were the truth: by (blocks - 1) / blocks too little.
    freedom = max(count / block - 1, 1.0)
    error = math.sqrt(variance(logs) * (freedom + 1) / freedom)
    return Estimate(whole, error, freedom)


def _summarise(rounds: Sequence[Estimate]) -> Estimate:
    """Return the median of rounds; its error is what they differ by, or what each of them is uncertain by if that is more."""
    if len(rounds) == 1:
        return rounds[0]
    count = len(rounds)
    value = median(each.value for each in rounds)
    within = _MEDIAN_VARIANCE * fmean(each.error**2 for each in rounds) / count
    between = _MEDIAN_VARIANCE * variance([math.log(each.value) for each in rounds]) / count
    if within >= between:
        return Estimate(value, math.sqrt(within), sum(each.freedom for each in rounds))
    return Estimate(value, math.sqrt(between), count - 1.0)


@lru_cache(maxsize=64)
def _draws(count: int, block: int) -> tuple[tuple[int, ...], ...]:
    """Return how often each of ``count`` batches is drawn, in many draws of blocks that wrap around."""
    random = Random(_SEED)  # noqa: S311 - repeatable on purpose
    draws = []
    for _ in range(_DRAWS):
        weights = [0] * count
        for _ in range(-(-count // block)):
            start = random.randrange(count)
            for offset in range(block):
                weights[(start + offset) % count] += 1
        draws.append(tuple(weights))
    return tuple(draws)
