"""``workload[].concurrency``: how many operations of an entry are under way, as an agent's processes and reports see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.plan.bounds import divide_bounds
from pytest_sai3bench.plan.work import OperationPlan
from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
target: file:///a/
concurrency: 8
processes: {processes}
prepare: {{cleanup: true, ensure_objects: [{{base_uri: data/, count: 11, size_spec: 1}}]}}
workload:
  - {{op: get, path: data/*, weight: 2, concurrency: 20}}
  - {{op: stat, path: data/*, weight: 1, concurrency: 3}}
  - {{op: put, path: new/, weight: 1, object_size: 1}}
"""


def test_only_the_workload_has_the_lanes_of_its_entries(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.format(processes=1))
    (worker,) = plan.workers

    assert [(stage.kind, stage.lanes, stage.together) for stage in worker.stages] == [
        ("prepare", 0, 0),
        ("workload", 28, 8),
        ("cleanup", 0, 0),
    ]
    assert (worker.lanes, worker.workload_lanes) == (8, 28)
    found = [(each.most, each.apart) for each in worker.stages[1].operations]
    assert found == [(20, True), (3, False), (0, False)]


def test_no_process_is_without_operations_of_an_entry(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.format(processes=4))

    assert [worker.workload_lanes for worker in plan.workers] == [10, 10, 8]
    assert [[each.most for each in worker.stages[1].operations] for worker in plan.workers] == [
        [7, 1, 0],
        [7, 1, 0],
        [6, 1, 0],
    ]
    assert plan.notes == (
        "local has 3 instead of 4 processes: each keeps at least one operation going; raise concurrency",
    )


def test_a_dry_run_tells_lanes_and_bounds_of_all_processes(plan_of: Callable[..., RunPlan]) -> None:
    text = dry_run(plan_of(_SUITE.format(processes=3)))

    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "agent local at localhost: 3 workers, 28 lanes, round_robin" in lines
    at = lines.index("workload: 1m")
    assert lines[at + 1 : at + 4] == [
        "get data/*, at most 20 at a time 50.0% s.yaml:6",
        "stat data/*, at most 3 at a time 25.0% s.yaml:7",
        "put new/ 25.0% s.yaml:8",
    ]


def op(name: str, weight: int = 1, most: int = 0) -> OperationPlan:
    return OperationPlan(name, "", weight, "", most=most)


@pytest.mark.parametrize(
    ("plans", "concurrency", "processes", "expected"),
    [
        # Nothing is bounded: the lanes of the agent.
        ([op("get"), op("stat")], 16, 1, (0, 0, [(0, False), (0, False)])),
        # One below the number of all.
        ([op("get", most=4), op("stat")], 16, 1, (0, 0, [(4, False), (0, False)])),
        # One above it: lanes of its own, which the others do not use.
        ([op("get", most=64), op("stat")], 16, 1, (80, 16, [(64, True), (0, False)])),
        # Alone it needs no gate.
        ([op("get", most=64)], 16, 1, (64, 0, [(0, True)])),
        ([op("get", most=4)], 16, 1, (4, 0, [(0, False)])),
        # What is left out does not count.
        ([op("get", most=64), op("stat", 0)], 16, 1, (64, 0, [(0, True), (0, False)])),
        ([op("get", most=4), op("stat", most=6)], 16, 1, (10, 0, [(4, False), (6, False)])),
        ([op("get", most=5), op("put", most=17)], 8, 2, (9 + 3, 3, [(3, False), (9, True)])),
    ],
)
def test_bounds_of_an_agent_are_divided_over_its_processes(
    plans: list[OperationPlan], concurrency: int, processes: int, expected: tuple[int, int, Any]
) -> None:
    bounds = divide_bounds(plans, concurrency, process=0, processes=processes)
    found = [(each.most, each.apart) for each in bounds.operations]
    assert (bounds.lanes, bounds.together, found) == expected


@given(
    most=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    concurrency=st.integers(1, 20),
    processes=st.integers(1, 5),
)
def test_no_agent_does_more_than_it_may(most: list[int], concurrency: int, processes: int) -> None:
    processes = min([processes, concurrency, *(each for each in most if each)])
    plans = [op("get", most=each) for each in most]
    parts = [divide_bounds(plans, concurrency, process=p, processes=processes) for p in range(processes)]
    shares = [concurrency // processes + (p < concurrency % processes) for p in range(processes)]
    lanes = [part.lanes or share for part, share in zip(parts, shares, strict=True)]
    for place, wanted in enumerate(most):
        reach = [part.operations[place].most or lanes[p] for p, part in enumerate(parts)]
        assert min(reach) > 0
        if wanted:
            assert sum(reach) <= wanted
    others = sum(part.together or lanes[p] for p, part in enumerate(parts))
    if not any(each > concurrency for each in most):
        assert others <= concurrency
    assert sum(lanes) <= concurrency + sum(each for each in most if each > concurrency)
