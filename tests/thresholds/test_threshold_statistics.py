"""Confidence of comparisons: on series whose memory is known, with seeds that are fixed."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.thresholds.statistics import (
    Estimate,
    Ratio,
    block_length,
    compare,
    estimate_percentile,
    estimate_ratio,
    t_quantile,
)


def autocorrelated(random: Random, count: int, memory: float, spread: float, mean: float) -> list[float]:
    """Return a series around ``mean`` that forgets: each value keeps ``memory`` of the deviation of the one before."""
    deviation = random.gauss(0, spread)
    values = []
    for _ in range(count):
        deviation = memory * deviation + math.sqrt(1 - memory**2) * random.gauss(0, spread)
        values.append(max(0.0, mean + deviation))
    return values


@pytest.mark.parametrize(("memory", "count", "least"), [(0.0, 20, 0.92), (0.6, 32, 0.86)])
def test_an_interval_of_a_rate_holds_the_truth_about_as_often_as_it_says(
    memory: float, count: int, least: float
) -> None:
    random = Random(7)
    holds = 0
    for _ in range(150):
        new, old = (autocorrelated(random, count, memory, 10, 100) for _ in range(2))
        seconds = [1.0] * count
        ratio = compare([estimate_ratio(new, seconds)], [estimate_ratio(old, seconds)])
        holds += ratio.low <= 1 <= ratio.high
    assert least <= holds / 150 <= 0.99


def test_samples_taken_for_independent_would_hold_it_far_less_often() -> None:
    random = Random(7)
    holds = 0
    for _ in range(300):
        new, old = (autocorrelated(random, 32, 0.6, 10, 100) for _ in range(2))
        means = [sum(values) / 32 for values in (new, old)]
        squares = [sum((v - m) ** 2 for v in values) / 31 / 32 for values, m in zip((new, old), means)]
        holds += abs(means[0] - means[1]) <= 1.96 * math.sqrt(sum(squares))
    assert holds / 300 < 0.75


def test_an_interval_of_a_percentile_holds_the_truth_as_often_as_it_says() -> None:
    random = Random(11)

    def batches() -> list[dict[int, int]]:
        # Latencies of exponential distribution; their scale is what has memory.
        found = []
        for scale in autocorrelated(random, 24, 0.5, 100, 1000):
            counts: dict[int, int] = {}
            for _ in range(100):
                number = int(random.expovariate(1 / scale) / 20) * 20
                counts[number] = counts.get(number, 0) + 1
            found.append(counts)
        return found

    holds = 0
    for _ in range(60):
        ratio = compare([estimate_percentile(batches(), 95)], [estimate_percentile(batches(), 95)])
        holds += ratio.low <= 1 <= ratio.high
    assert 53 <= holds <= 60


def test_a_change_is_found() -> None:
    random = Random(3)
    seconds = [1.0] * 20
    found = 0
    for _ in range(50):
        new, old = (autocorrelated(random, 20, 0.3, 4, mean) for mean in (90, 100))
        found += compare([estimate_ratio(new, seconds)], [estimate_ratio(old, seconds)]).high < 1
    assert found >= 49


def test_rounds_that_differ_more_than_their_batches_widen_the_interval() -> None:
    calm = [Estimate(value, 0.001, 20) for value in (100, 101, 99)]
    wild = [Estimate(value, 0.001, 20) for value in (100, 130, 80)]
    assert compare(calm, calm).high < 1.05
    assert compare(wild, wild).high > 1.3
    assert compare(wild, calm).value == 1


def test_values_without_any_spread_are_compared_exactly() -> None:
    one = estimate_ratio([5.0] * 4, [2.0] * 4)
    assert one == Estimate(2.5, 0.0, 3.0)
    assert compare([one], [one]) == Ratio(1.0, 1.0, 1.0)


@pytest.mark.parametrize(("numerators", "count"), [([1.0] * 3, 3), ([0.0] * 8, 8)])
def test_what_cannot_be_compared_is_refused(numerators: list[float], count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} batches with a value of"):
        estimate_ratio(numerators, [1.0] * count)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(st.integers(1, 50), st.integers(1, 9), min_size=1), min_size=4, max_size=12))
def test_the_percentile_is_that_of_all_samples(batches: list[dict[int, int]]) -> None:
    samples = sorted(number for counts in batches for number, count in counts.items() for _ in range(count))
    for percent in (50, 99):
        wanted = samples[max(1, int(percent * len(samples) / 100 + 0.5)) - 1]
        assert estimate_percentile(batches, percent).value == wanted


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    # From tables.
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)],
)
def test_quantiles_of_students_t(freedom: float, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, rel=2e-3)
    assert t_quantile(0.975, freedom + 0.9) == t_quantile(0.975, freedom)


def test_blocks_grow_with_memory_and_stay_short() -> None:
    random = Random(5)
    lengths = [block_length(autocorrelated(random, 64, memory, 1, 100)) for memory in (0.0, 0.5, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[0] <= 3
    assert lengths[2] <= 16
    assert block_length([1.0] * 10) == 1
