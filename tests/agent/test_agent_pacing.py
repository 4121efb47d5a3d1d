"""When operations are due under a rate, and what becomes of the instants; time is an argument here."""

from __future__ import annotations

from itertools import takewhile
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.pacing import Pacer, Schedule, make_schedule
from pytest_sai3bench.agent.recorder import Window

S = 1_000_000_000
START = 7 * S


def rate(distribution: str, per_s: int, share: int = 0, shares: int = 1) -> dict[str, Any]:
    return {"distribution": distribution, "per_s": per_s, "share": share, "shares": shares}


def instants(rule: dict[str, Any], until_ns: int, seed: int = 1) -> list[int]:
    schedule = make_schedule(rule, START, Random(seed))
    return list(takewhile(lambda due: due < until_ns, schedule.instants))


@given(per_s=st.integers(1, 200_000), shares=st.integers(1, 7))
@settings(max_examples=30)
def test_workers_share_one_deterministic_schedule_without_loss(per_s: int, shares: int) -> None:
    end = START + 1000 * S // per_s
    parts = [instants(rate("deterministic", per_s, share, shares), end) for share in range(shares)]

    assert sorted(due for part in parts for due in part) == instants(rate("deterministic", per_s), end)
    assert instants(rate("deterministic", per_s), end)[:1000] == [
        START + int(number * (S / per_s)) for number in range(1000)
    ]


@given(per_s=st.integers(1, 200_000), shares=st.integers(1, 7), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_a_uniform_schedule_has_one_instant_in_every_slot(per_s: int, shares: int, seed: int) -> None:
    slot_ns = S / per_s
    for share in range(shares):
        found = instants(rate("uniform", per_s, share, shares), START + int(500 * slot_ns), seed)
        assert [int((due + 0.5 - START) / slot_ns) for due in found] == list(range(share, 500, shares))


@pytest.mark.parametrize("shares", [1, 3])
@pytest.mark.parametrize("distribution", ["deterministic", "uniform"])
def test_the_total_is_exact(distribution: str, shares: int) -> None:
    end = START + 10 * S
    assert sum(len(instants(rate(distribution, 2000, n, shares), end, n)) for n in range(shares)) == 20_000


@pytest.mark.parametrize("shares", [1, 3])
def test_exponential_arrivals_have_the_mean_and_the_spread_of_a_poisson_process(shares: int) -> None:
    end = START + 50 * S
    due = sorted(
        each for n in range(shares) for each in instants(rate("exponential", 2000, n, shares), end, n)
    )
    gaps = [later - earlier for earlier, later in zip(due, due[1:])]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    # The standard deviation of the number is its root, 316.
    assert abs(len(due) - 100_000) < 1000
    # Of an exponential distribution the standard deviation is the mean, and exp(-1) of all lies beyond it.
    assert spread == pytest.approx(mean, rel=0.02)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.3679, abs=0.01)


def test_the_same_seed_makes_the_same_instants() -> None:
    first, second, third = (instants(rate("exponential", 100), START + S, seed) for seed in (1, 1, 2))

    assert first == second != third


def paced(*due: int) -> Pacer:
    """Return a pacer with a warm-up of 100 and a window of 1000 that begins at 100."""
    return Pacer(Schedule(iter(due), 10.0), Window(0, 100, 1100))


def test_every_instant_of_the_window_is_accounted_for() -> None:
    pacer = paced(90, 100, 200, 1000, 1095, 1100)

    # One of the warm-up, one in time, one that had passed, one in time again; then a stop for which one waits.
    assert [pacer.take(now) for now in (95, 95, 250, 260, 1000, 1098)] == [90, 100, 200, 1000, 1095, 1100]
    pacer.began(100, 103)
    pacer.began(1000, 1007)
    pacer.miss(1095, 1200)
    pacer.close(1200)

    assert pacer.to_wire() == {
        "due": 4,
        "late": 1,
        "missed": 1,
        "longest_lag_ns": 50,
        "index": [3, 7],
        "counts": [1, 1],
    }


def test_what_was_never_handed_out_before_the_end_is_missed() -> None:
    pacer = paced(100, 110)
    pacer.take(100)
    pacer.take(1090)
    pacer.close(1300)

    # From 120 to 1090, every 10.
    assert (pacer.due, pacer.late, pacer.missed) == (2 + 98, 1, 98)


def test_after_a_stop_nothing_is_due() -> None:
    pacer = paced(100, 110, 120)
    for _ in range(3):
        pacer.take(100)
    pacer.miss(110, 112)
    pacer.miss(120, 112)
    pacer.close(112)

    assert (pacer.due, pacer.late, pacer.missed) == (2, 0, 1)
