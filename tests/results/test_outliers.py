from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import PhaseResult, SeriesKey, Tally
from pytest_sai3bench.results.outliers import Mark, find_outliers, find_slow

_MS = 1_000_000


def _phase(series: dict[tuple[str, str], Tally], *endpoints: str) -> PhaseResult:
    return PhaseResult(
        "workload",
        endpoints,
        (),
        {SeriesKey("a", endpoint, op, 1): tally for (endpoint, op), tally in series.items()},
    )


def _done(count: int, ms: float, errors: int = 0) -> Tally:
    return Tally(count, errors=errors, latency=Latency.of([int(ms * _MS)] * count))


@pytest.mark.parametrize(
    ("medians", "slow"),
    [
        ({}, {}),
        ({"a": 5}, {}),
        ({"a": 10, "b": 5}, {"a": 2.0}),
        ({"a": 9.99, "b": 5}, {}),
        ({"a": 10, "b": 11, "c": 12, "d": 44}, {"d": 4.0}),
        # Two of four are slow beside the other two.
        ({"a": 10, "b": 10, "c": 30, "d": 40}, {"c": 3.0, "d": 4.0}),
        # Three of four are not: then the fourth is fast.
        ({"a": 10, "b": 40, "c": 40, "d": 40}, {}),
        # Nothing is a multiple of nothing.
        ({"a": 10, "b": 0, "c": 0}, {}),
    ],
)
def test_slow_is_twice_the_median_of_the_others(medians: dict[str, float], slow: dict[str, float]) -> None:
    assert find_slow(medians) == slow


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_the_fastest_is_never_slow_and_one_far_beyond_all_others_always_is(values: list[int]) -> None:
    medians = {str(index): float(value) for index, value in enumerate(values)}
    assert str(values.index(min(values))) not in find_slow(medians)
    far = 2.0 * max(values)
    assert find_slow({**medians, "far": far})["far"] == far / median(values)


def test_an_endpoint_is_idle_failing_or_slow() -> None:
    phase = _phase(
        {
            ("one", "get"): _done(100, 2),
            ("two", "get"): _done(100, 2.5, errors=50),
            ("three", "get"): _done(100, 9),
            ("four", "get"): Tally(errors=7),
        },
        "one",
        "two",
        "three",
        "four",
        "five",
    )
    assert {uri: str(mark) for uri, mark in find_outliers(phase).items()} == {
        "three": "slow: get 4.0x",
        "four": "failing",
        "five": "idle",
    }


def test_unlike_operations_are_not_compared() -> None:
    phase = _phase({("one", "get"): _done(100, 1), ("two", "put"): _done(100, 50)}, "one", "two")
    assert find_outliers(phase) == {}


def test_the_operation_that_is_slowest_beside_the_others_is_named() -> None:
    phase = _phase(
        {
            ("one", "get"): _done(100, 1),
            ("one", "put"): _done(100, 10),
            ("one", "stat"): _done(100, 1),
            ("two", "get"): _done(100, 2),
            ("two", "put"): _done(100, 80),
            ("two", "stat"): _done(100, 4),
        },
        "one",
        "two",
    )
    (mark,) = find_outliers(phase).values()
    assert (mark.kind, mark.op) == ("slow", "put")
    assert mark.factor == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize(("count", "marks"), [(9, {}), (10, {"two": "slow: get 5.0x"})])
def test_few_samples_make_nobody_slow(count: int, marks: dict[str, str]) -> None:
    phase = _phase({("one", "get"): _done(100, 1), ("two", "get"): _done(count, 5)}, "one", "two")
    assert {uri: str(mark) for uri, mark in find_outliers(phase).items()} == marks


def test_marks_in_words() -> None:
    assert [str(mark) for mark in (Mark("idle"), Mark("failing"), Mark("slow", "put", 2.04))] == [
        "idle",
        "failing",
        "slow: put 2.0x",
    ]
