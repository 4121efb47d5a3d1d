"""What is drawn at random follows its distribution, and the seed: sizes of puts, and the mix over time.

Seeds are fixed, so a test gives the same outcome each time. The stated error is 4.5 standard deviations of what is
estimated, which chance alone exceeds once in 147,000 cases.
"""

from __future__ import annotations

import math
import tracemalloc
from random import Random
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.messages import OPERATIONS
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import NamePool, numbered_name
from pytest_sai3bench.agent.prepared_objects import Known
from pytest_sai3bench.agent.sizes import make_sampler
from pytest_sai3bench.agent.sources import Mix
from pytest_sai3bench.plan.work import SizePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

DRAWS = 40_000
MEBIBYTE = 2**20


def draw(size: SizePlan, seed: int = 1, draws: int = DRAWS) -> list[int]:
    sample = make_sampler(size.to_wire(), Random(seed))
    return [sample() for _ in range(draws)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_uniform_sizes_are_all_as_likely(seed: int) -> None:
    low, high = 1000, 1009
    sizes = draw(SizePlan("uniform", low, high), seed)
    assert (min(sizes), max(sizes)) == (low, high)
    error = 4.5 * math.sqrt(DRAWS * 0.1 * 0.9)
    assert all(abs(sizes.count(size) - DRAWS / 10) <= error for size in range(low, high + 1))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("std_dev", [MEBIBYTE // 4, MEBIBYTE // 2])
def test_mean_and_deviation_of_lognormal_sizes_are_those_of_the_sizes(std_dev: int, seed: int) -> None:
    sizes = draw(SizePlan("lognormal", 1, 1 << 62, MEBIBYTE, std_dev), seed)
    assert abs(fmean(sizes) - MEBIBYTE) <= 4.5 * std_dev / math.sqrt(DRAWS)
    # The variance of a sample's variance follows from the fourth moment, that of a log-normal one from
    # w = exp(sigma²): kurtosis w^4 + 2w^3 + 3w^2 - 3.
    w = 1 + (std_dev / MEBIBYTE) ** 2
    kurtosis = w**4 + 2 * w**3 + 3 * w**2 - 3
    error = 4.5 * math.sqrt((kurtosis - 1) / DRAWS) / 2
    assert abs(pstdev(sizes) / std_dev - 1) <= error
    # Half of them are below exp(mu) = mean / sqrt(w).
    below = sum(size < MEBIBYTE / math.sqrt(w) for size in sizes)
    assert abs(below - DRAWS / 2) <= 4.5 * math.sqrt(DRAWS) / 2


def test_lognormal_sizes_outside_their_limits_are_drawn_again() -> None:
    low, high = MEBIBYTE // 2, 2 * MEBIBYTE
    free = [
        size for size in draw(SizePlan("lognormal", 1, 1 << 62, MEBIBYTE, MEBIBYTE), 4) if low <= size <= high
    ]
    kept = draw(SizePlan("lognormal", low, high, MEBIBYTE, MEBIBYTE), 4, len(free))
    # From the same numbers, without those that do not count.
    assert kept == free
    # What is hardly ever met is the nearest that may be.
    assert set(draw(SizePlan("lognormal", 1 << 40, 1 << 41, 1000, 10), draws=3)) == {1 << 40}


def make_mix(weights: dict[str, int], make_op: Callable[..., Any], seed: int) -> Mix:
    size = SizePlan("uniform", 1, 1 << 40).to_wire()
    operations = [
        {**make_op(op, "data/", weight).to_wire(), "size": size if op == "put" else None}
        for op, weight in weights.items()
    ]
    pool = NamePool(numbered_name("data/prepared-", number) for number in range(1000))
    return Mix(
        operations,
        [pool if op in ("get", "stat") else None for op in weights],
        worker=0,
        workers=1,
        placement=Placement("shared", 1, 0, 1, [(0, 1)]),
        rng=Random(seed),
        base=0,
        known=Known(),
    )


def test_every_put_has_a_size_of_its_own_and_the_seed_repeats_all(make_op: Callable[..., Any]) -> None:
    def tasks(seed: int) -> list[Any]:
        mix = make_mix({"put": 1, "get": 1}, make_op, seed)
        return [mix.take() for _ in range(2000)]

    first = tasks(7)
    sizes = [task[2] for task in first if OPERATIONS[task[0]] == "put"]
    # Of 2^40 sizes hardly two among so few are the same.
    assert len(set(sizes)) == len(sizes) > 900
    assert tasks(7) == first
    assert tasks(8) != first


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_hold_at_any_time(seed: int, make_op: Callable[..., Any]) -> None:
    """After n draws each entry has its share of n, with the error that n independent draws have."""
    weights = {"get": 70, "put": 20, "stat": 9, "list": 1}
    mix = make_mix(weights, make_op, seed)
    counts = dict.fromkeys(weights, 0)
    for drawn in range(1, DRAWS + 1):
        task = mix.take()
        assert task is not None
        counts[OPERATIONS[task[0]]] += 1
        if drawn % 4000 == 0:
            for op, weight in weights.items():
                share = weight / 100
                assert abs(counts[op] - drawn * share) <= 4.5 * math.sqrt(drawn * share * (1 - share))


def test_the_seed_of_every_worker_is_in_the_plan_and_can_be_set(
    plan_of_text: Callable[[str], RunPlan],
) -> None:
    suite = "target: file:///a/\nprocesses: 2\nseed: {}\nworkload: [{{op: put, weight: 1, object_size: 1}}]\n"
    documents = [plan_of_text(suite.format(seed)).to_document() for seed in (3, 3, 4)]
    seeds = [[worker["seed"] for worker in document["workers"]] for document in documents]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 4


@pytest.fixture
def plan_of_text(tmp_path: Any) -> Callable[[str], RunPlan]:
    from pytest_sai3bench.plan.build import build_plan
    from pytest_sai3bench.suite.loader import load

    def plan(text: str) -> RunPlan:
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return build_plan(load(path, env={}), env={})

    return plan


def test_names_of_prepare_are_kept_in_four_bytes_each() -> None:
    count = 100_000
    names = (numbered_name("data/deep/er/prepared-", number) for number in range(count))
    tracemalloc.start()
    pool = NamePool(names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(pool), pool[count - 1]) == (count, f"data/deep/er/prepared-{count - 1:08d}.dat")
    # While it grows an array is copied, and has an eighth to spare.
    assert peak < 4 * count * 2.25 + 100_000
